//! How the operator reaches PostgreSQL: over the cluster's Service, from its own address, with TLS that it does not verify.
//! So every rule of pg_hba.conf applies to it, and a fence keeps it out as it does the real one.
use super::{Context, manifest::Manifest, objects, session::describe};
use crate::lab::servers::Failure;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{sync::Arc, time::Duration};
use tokio::net::{TcpSocket, TcpStream};
use tokio_postgres::{Client, Config, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

pub async fn connect(context: &Context, manifest: &Manifest) -> Result<Client, Failure> {
    let limit = Duration::from_secs(10);
    let attempt = tokio::time::timeout(limit, attempt(context, manifest, "postgres"));
    attempt.await.unwrap_or_else(|_| Err(Failure("dial tcp: i/o timeout".into())))
}

async fn attempt(context: &Context, manifest: &Manifest, database: &str) -> Result<Client, Failure> {
    let secret = context.store.get("secrets", &manifest.namespace, &manifest.secret("postgres"));
    let password = secret.and_then(|secret| objects::secret_value(&secret, "password"));
    let password = password.ok_or_else(|| Failure("the superuser's Secret is gone".into()))?;
    let service = context.node.resolve(&manifest.name, &manifest.namespace);
    let service = service.ok_or_else(|| Failure(format!("Service {} has no address", manifest.name)))?;
    let socket = TcpSocket::new_v4()?;
    socket.bind((context.ip, 0).into())?;
    let stream = socket.connect((service, 5432).into()).await?;
    let mut config = Config::new();
    config.user("postgres").password(password).dbname(database).ssl_mode(SslMode::Require);
    let mut tls = MakeRustlsConnect::new(tls()?);
    let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, "spilo.example.org");
    let tls = tls.map_err(|e| Failure(e.to_string()))?;
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(|e| Failure(describe(&e)))?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn tls() -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Failure(e.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))).with_no_client_auth())
}

/// sslmode=require: Spilo's certificate is self-signed, there is nothing to verify it with.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
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
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
