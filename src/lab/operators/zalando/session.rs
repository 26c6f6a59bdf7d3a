//! Patroni's own connections: over the socket as the superuser, kept open, so that whoever terminates all backends meets them.
use crate::lab::servers::{Failure, Server};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// One connection, made again when it has been cut.
pub struct Session {
    application: &'static str,
    client: Mutex<Option<Client>>,
}

/// What sql/status.sql returns. LSNs are bytes from 0/0.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    pub recovery: bool,
    pub timeline: u32,
    /// Written by a primary, replayed by a replica.
    pub location: Option<u64>,
    pub received: Option<u64>,
    pub replay_paused: bool,
    /// A WAL receiver streams; None without one.
    pub streaming: Option<bool>,
    pub version: u64,
    pub pending_restart: bool,
    pub started: String,
    pub system_identifier: String,
    /// slot -> LSN
    pub slots: Map<String, Value>,
    pub replication: Value,
}

impl Session {
    pub fn new(application: &'static str) -> Session {
        Session { application, client: Mutex::default() }
    }

    /// Rows of the last statement, every value as text.
    pub async fn rows(&self, server: &Server, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
        let mut slot = self.client.lock().await;
        if slot.as_ref().is_none_or(Client::is_closed) {
            *slot = Some(self.connect(server).await?);
        }
        let Some(client) = slot.as_ref() else { return Ok(vec![]) };
        // A server that hangs must not hang the loop that decides about it.
        let limit = Duration::from_secs(10);
        let answer = match tokio::time::timeout(limit, client.simple_query(sql)).await {
            Ok(answer) => answer,
            Err(_) => {
                *slot = None;
                return Err(Failure("no answer from PostgreSQL within 10 s".into()));
            }
        };
        let messages = answer.map_err(|e| Failure(describe(&e)))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|n| row.get(n).unwrap_or_default().to_owned()).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    pub async fn status(&self, server: &Server) -> Result<Status, Failure> {
        if !server.running() {
            return Err(Failure("PostgreSQL does not run".into()));
        }
        let rows = self.rows(server, include_str!("sql/status.sql")).await?;
        let text = rows.first().and_then(|row| row.first()).map(String::as_str).unwrap_or_default();
        serde_json::from_str(text).map_err(|e| Failure(format!("status: {e}")))
    }

    async fn connect(&self, server: &Server) -> Result<Client, Failure> {
        let mut config = Config::new();
        config.host_path(&server.socket).port(server.port).user("postgres").dbname("postgres");
        config.application_name(self.application).connect_timeout(Duration::from_secs(5));
        let (client, connection) = config.connect(NoTls).await.map_err(|e| Failure(describe(&e)))?;
        // Its end shows in is_closed.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }
}

/// The server's own message where there is one: tokio-postgres prints only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{}: {}", said.severity(), said.message()),
        None => std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")),
    }
}
