//! How the practice app reaches its database: TLS without verification, as libpq's `sslmode=require`.
use crate::lab::{node::Node, workloads::environment::Variables};
use std::{fmt, net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::net::{TcpSocket, TcpStream};
use tokio_postgres::{Client, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the app waits for a connection, from the first packet to a session.
const DEADLINE: Duration = Duration::from_secs(2);

/// Where to, and as whom. Displayed without the password.
#[derive(Clone)]
pub struct Connect {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{} as {}", self.host, self.port, self.database, self.user)
    }
}

impl Connect {
    /// From DB_HOST, DB_PORT, DB_USER, DB_PASS and DB_NAME.
    pub fn from_variables(variables: &Variables) -> Connect {
        let text = |key: &str| variables.get(key).cloned().unwrap_or_default();
        let user = text("DB_USER");
        Connect {
            host: text("DB_HOST"),
            port: text("DB_PORT").parse().unwrap_or(5432),
            password: text("DB_PASS"),
            database: variables.get("DB_NAME").cloned().unwrap_or_else(|| user.clone()),
            user,
        }
    }

    /// `namespace`: of the pod that connects, for short host names. `from`: the pod's own address, which the server
    /// sees as client_addr.
    pub async fn open(&self, node: &Node, namespace: &str, from: Option<Ipv4Addr>) -> Result<Client, String> {
        let Some(ip) = node.resolve(&self.host, namespace) else {
            return Err(format!("no such host: {}", self.host));
        };
        match tokio::time::timeout(DEADLINE, self.session(ip, from)).await {
            Ok(session) => session,
            Err(_) => Err(format!("no session within {} s", DEADLINE.as_secs())),
        }
    }

    async fn session(&self, ip: Ipv4Addr, from: Option<Ipv4Addr>) -> Result<Client, String> {
        let stream = dial(ip, self.port, from).await.map_err(|error| error.to_string())?;
        let mut config = tokio_postgres::Config::new();
        config.user(&self.user).password(&self.password).dbname(&self.database);
        config.application_name("lab-app").ssl_mode(SslMode::Require).options("-c statement_timeout=5s");
        let mut tls = MakeRustlsConnect::new(trusting()?);
        let tls =
            <_ as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, &self.host).map_err(|e| e.to_string())?;
        let (client, connection) = config.connect_raw(stream, tls).await.map_err(|error| explain(&error))?;
        // It ends with the client, or the client learns of its end with its next query.
        tokio::spawn(connection);
        Ok(client)
    }
}

async fn dial(ip: Ipv4Addr, port: u16, from: Option<Ipv4Addr>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind((from, 0).into())?;
    }
    let stream = socket.connect((ip, port).into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// tokio-postgres shows no more than "db error": the server's own words, or the chain of causes.
pub fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} ({})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn trusting() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyServer(provider.clone()));
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Encrypts, believes anybody.
#[derive(Debug)]
struct AnyServer(Arc<rustls::crypto::CryptoProvider>);

mod verifier {
    use super::AnyServer;
    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    impl ServerCertVerifier for AnyServer {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
