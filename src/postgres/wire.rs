//! tokio-postgres over TLS over a port-forward stream.
use super::{
    Db,
    session::{APPLICATION_NAME, Prepared, SqlError, UNPRIVILEGED_OPTIONS},
    tls,
};
use crate::{
    error::{Error, Result},
    kube::Kube,
};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, SimpleQueryMessage, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Port-forward, TLS and login together.
const CONNECT: Duration = Duration::from_secs(10);
/// kube's port-forward sends no pings; proxies on the way cut what is silent for a minute or more.
const KEEPALIVE: Duration = Duration::from_secs(30);
const PORT: u16 = 5432;

pub struct Session {
    pub client: Arc<Client>,
    pub(super) place: String,
    pub(super) prepared: Prepared,
    keepalive: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // It holds the client, and the connection lives as long as that.
        self.keepalive.abort();
    }
}

/// Who logs in where. `ca`: PEM to verify the server against; None: TLS without verification (Spilo's own certificate is self-signed, zalando.md 5).
pub struct Login<'a> {
    pub pod: &'a str,
    pub user: &'a str,
    pub password: &'a SecretString,
    pub database: &'a str,
    pub ca: Option<&'a [u8]>,
}

/// Sets application_name, statement_timeout (60 s), lock_timeout (5 s), search_path `"$user", public`; keeps the stream alive when idle.
/// A refused login is an error that holds a [`SqlError`] (28P01: wrong password, 28000: pg_hba).
pub async fn connect(kube: &Kube, login: Login<'_>) -> Result<Db> {
    // Boxed: as in pod::connect.
    let opening: BoxFuture<'_, Result<Db>> = Box::pin(async {
        let stream = kube.stream(login.pod, PORT).await?;
        connect_stream(stream, &login).await
    });
    match tokio::time::timeout(CONNECT, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::failed(format!("no answer from {} in {} s", place(&login), CONNECT.as_secs()))),
    }
}

fn place(login: &Login<'_>) -> String {
    format!("pod {}, database {}, user {}", login.pod, login.database, login.user)
}

/// The same over a stream that is there, to any server.
pub async fn connect_stream<S>(stream: S, login: &Login<'_>) -> Result<Db>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let place = place(login);
    let tls = tls::config(login.ca)?;
    let opened = open(stream, login, tls).await;
    let client = Arc::new(opened.map_err(|e| explain(e, format!("cannot log in to {place}")))?);
    let keepalive = tokio::spawn({
        let client = client.clone();
        async move {
            loop {
                tokio::time::sleep(KEEPALIVE).await;
                // Behind a running statement it waits, and its bytes still keep the way open. In a failed transaction it is refused, which is as good.
                if client.simple_query("SELECT 1").await.is_err_and(|e| e.is_closed()) {
                    return;
                }
            }
        }
    });
    Ok(Db::Wire(Session { client, place, prepared: Prepared::new(), keepalive }))
}

async fn open<S>(stream: S, login: &Login<'_>, tls: rustls::ClientConfig) -> Result<Client, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut config = tokio_postgres::Config::new();
    config
        .user(login.user)
        .password(login.password.expose_secret())
        .dbname(login.database)
        .application_name(APPLICATION_NAME)
        .options(UNPRIVILEGED_OPTIONS)
        .ssl_mode(SslMode::Require);
    // The name is not verified (see tls), but SNI needs one.
    let tls = match MakeTlsConnect::<S>::make_tls_connect(&mut MakeRustlsConnect::new(tls), "localhost") {
        Ok(tls) => tls,
        Err(never) => unreachable!("localhost is a valid name: {never}"),
    };
    let (client, connection) = config.connect_raw(stream, tls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a database session ended: {error:#}");
        }
    });
    Ok(client)
}

impl Session {
    /// One simple Query; the first column of the last result's rows, joined by newlines.
    pub(super) async fn text(&mut self, statements: &str) -> Result<String> {
        let messages =
            self.client.simple_query(statements).await.map_err(|e| explain(e, "the statement failed".to_string()))?;
        let (mut lines, mut ended) = (Vec::new(), false);
        for message in &messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    if std::mem::take(&mut ended) {
                        lines.clear();
                    }
                    lines.push(row.get(0).unwrap_or_default());
                }
                SimpleQueryMessage::CommandComplete(_) => ended = true,
                _ => {}
            }
        }
        Ok(lines.join("\n"))
    }
}

/// The Display of tokio_postgres::Error is "db error": what the server said is inside.
fn explain(error: tokio_postgres::Error, what: String) -> Error {
    match error.as_db_error() {
        Some(said) => Error::failed(what).cause(SqlError {
            code: said.code().code().to_string(),
            message: said.message().to_string(),
            detail: said.detail().map(str::to_string),
            hint: said.hint().map(str::to_string),
        }),
        None => Error::failed(what).cause(error),
    }
}
