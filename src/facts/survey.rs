//! What a preflight asks of the server and of each database: one statement each, so that a survey is two round trips.

use super::collated::Collated;
use crate::{
    error::{Context, Result},
    postgres::Db,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole server; the session must be a superuser's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Server {
    /// As in pg_settings: numbers in the setting's own unit.
    pub settings: BTreeMap<String, String>,
    /// Settings that differ after the next restart.
    pub pending_restart: Vec<String>,
    /// PEM of what `ssl_cert_file` names; None without TLS.
    pub certificate: Option<String>,
    pub hba: Vec<Hba>,
    pub senders: Vec<Sender>,
    pub slots: Vec<Slot>,
    /// All but pg_default and pg_global.
    pub tablespaces: Vec<String>,
    pub archiver: Archiver,
    pub checksum_failures: Vec<ChecksumFailure>,
    pub collations: Vec<Collation>,
    /// ALTER ROLE/DATABASE .. SET.
    pub overrides: Vec<Override>,
    /// Clients over TLS, one of each kind.
    pub tls: Vec<TlsClient>,
    pub memberships: Vec<Membership>,
    pub subscriptions: Vec<Subscription>,
    /// Bytes of WAL since the beginning, and when that was so (seconds).
    pub wal_position: u64,
    pub clock: f64,
}

impl Server {
    /// 0 where it is not there or no number.
    pub fn number(&self, setting: &str) -> i64 {
        self.settings.get(setting).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }
}

/// One line of `pg_hba_file_rules`, in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Hba {
    /// local, host, hostssl, hostnossl ...; None for a line that could not be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub databases: Option<Vec<String>>,
    pub users: Option<Vec<String>>,
    pub address: Option<String>,
    pub netmask: Option<String>,
    pub method: Option<String>,
    pub line: i64,
    pub error: Option<String>,
}

/// A row of pg_stat_replication.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sender {
    pub name: String,
    pub state: Option<String>,
    /// Bytes not yet replayed.
    pub lag: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slot {
    pub name: String,
    /// physical or logical
    pub kind: String,
    pub plugin: Option<String>,
    pub database: Option<String>,
    pub active: bool,
    pub temporary: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Archiver {
    pub archived: i64,
    pub failed: i64,
    /// The last try failed.
    pub failing: bool,
    pub last_failed: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChecksumFailure {
    pub database: Option<String>,
    pub failures: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collation {
    /// The database.
    pub name: String,
    /// c: libc; None before PostgreSQL 15.
    pub provider: Option<String>,
    /// Version of the library that the indexes were made with; None before PostgreSQL 15, and for locale C.
    pub recorded: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Override {
    pub database: Option<String>,
    pub role: Option<String>,
    /// `search_path=x`
    pub setting: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TlsClient {
    pub user: Option<String>,
    pub address: Option<String>,
    /// TLSv1.3
    pub version: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Membership {
    pub member: String,
    pub role: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscription {
    pub name: String,
    pub enabled: bool,
}

pub async fn server(db: &mut Db) -> Result<Server> {
    db.one(include_str!("../postgres/sql/survey_server.sql"), &[]).await.context("surveying the source's server")
}

/// One database: what a copy or a dump of it may stumble on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Schema {
    pub database: String,
    pub extensions: Vec<Extension>,
    pub unlogged: Vec<String>,
    pub invalid_indexes: Vec<InvalidIndex>,
    /// `public.orders orders_total_check`
    pub not_valid: Vec<String>,
    pub large_objects: u64,
    /// Enabled ones that belong to no extension.
    pub event_triggers: Vec<EventTrigger>,
    pub foreign_servers: Vec<ForeignServer>,
    /// `public.top_queries needs pg_stat_kcache`
    pub spilo_dependants: Vec<String>,
    /// Of tables, views, sequences.
    pub owners: Vec<String>,
    pub wal_position: u64,
    pub clock: f64,
    /// Where it is asked for: a copy sorts by its own libraries.
    #[serde(default)]
    pub collated: Collated,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Extension {
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InvalidIndex {
    pub name: String,
    pub unique: bool,
    /// Quoted, if a REINDEX CONCURRENTLY that failed has left it beside the valid one.
    #[serde(default)]
    pub left_over: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventTrigger {
    pub name: String,
    pub owner: String,
    pub event: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForeignServer {
    pub name: String,
    pub wrapper: String,
}

/// Of the database that the session is in.
pub async fn schema(db: &mut Db) -> Result<Schema> {
    db.one(include_str!("../postgres/sql/survey_database.sql"), &[]).await.context("surveying a database of the source")
}

/// Jobs that pg_cron runs from its own database; 0 where there is no such table. The session is in that database.
pub async fn cron_jobs(db: &mut Db) -> Result<u64> {
    let there: bool = db.value("SELECT to_regclass('cron.job') IS NOT NULL AS there", &[]).await?;
    if !there {
        return Ok(0);
    }
    db.value("SELECT count(*) AS n FROM cron.job WHERE active", &[]).await.context("counting pg_cron's jobs")
}
