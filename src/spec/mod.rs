//! The migration file -> [`Migration`], valid by construction.
//!
//! [`find`] is the way in: it looks the file up, reads it ([`yaml`]), and refuses everything that could
//! not work ([`parse`]) with file, line, column and the nearest valid word. Nobody downstream checks again.

mod builtin;
mod find;
mod parse;
mod schema;
mod strict;
mod target;
pub mod template;
pub mod units;
mod words;
mod yaml;

pub use builtin::{builtin, builtin_names};
pub use find::{find, names};
pub use schema::schema;
pub use words::nearest;

use serde_json::Value;
use std::{fmt, path::PathBuf, time::Duration};

/// On every object of ours, with the migration's name as its value.
pub const LABEL: &str = "pgmigrate.dev/migration";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Replica,
    Dump,
    Logical,
    Switch,
    BackupStore,
}
impl Strategy {
    pub const ALL: [Strategy; 5] =
        [Strategy::Replica, Strategy::Dump, Strategy::Logical, Strategy::Switch, Strategy::BackupStore];
    /// As written in the file: `backup-store`.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Replica => "replica",
            Strategy::Dump => "dump",
            Strategy::Logical => "logical",
            Strategy::Switch => "switch",
            Strategy::BackupStore => "backup-store",
        }
    }
}
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone)]
pub struct Migration {
    pub name: String,
    pub namespace: String,
    pub strategy: Strategy,
    /// The Zalando cluster's name (`spec.source.zalando.cluster`).
    pub source: String,
    pub target: Target,
    /// Empty: every database that is not a system one.
    pub databases: Vec<String>,
    pub apps: Vec<App>,
    pub connections: Vec<Connection>,
    pub guardrails: Guardrails,
    pub script: Option<Script>,
    /// Where it was read from; None for a built-in.
    pub path: Option<PathBuf>,
    /// `sha256:<hex>` of the file's bytes (and the template's).
    pub digest: String,
}
impl Migration {
    /// What the name of every object of ours begins with, and the journal's and the Lease's whole name.
    pub fn object_prefix(&self) -> String {
        format!("pgmigrate-{}", self.name)
    }
    /// The label on every object of ours.
    pub fn label(&self) -> (&'static str, &str) {
        (LABEL, &self.name)
    }
    /// `pgmigrate.dev/migration=<name>`
    pub fn selector(&self) -> String {
        format!("{LABEL}={}", self.name)
    }
}

#[derive(Debug, Clone)]
pub struct Target {
    pub cluster: String,
    /// The user's own Cluster manifest, if given.
    pub template: Option<Value>,
    pub instances: u32,
    pub image: Option<String>,
    /// A Kubernetes quantity; default: the source's volume size.
    pub storage: Option<String>,
    pub pooler: Option<Pooler>,
    pub backup: Option<Backup>,
}
#[derive(Debug, Clone)]
pub struct Pooler {
    pub name: String,
    pub instances: u32,
}
#[derive(Debug, Clone)]
pub struct Backup {
    pub object_store: String,
    pub schedule: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    CronJob,
}
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Workload {
    pub kind: WorkloadKind,
    pub name: String,
}
impl WorkloadKind {
    pub const ALL: [WorkloadKind; 3] = [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::CronJob];
    /// Lower case and singular, as kubectl accepts it: `deployment`.
    pub fn name(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
            WorkloadKind::CronJob => "cronjob",
        }
    }
}
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}
/// `deployment/web`. The error is a lower-case fragment with the nearest kind.
impl std::str::FromStr for Workload {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let kinds = WorkloadKind::ALL.map(WorkloadKind::name);
        let Some((kind, name)) = text.split_once('/') else {
            return Err(format!("{text:?} is not a workload; write kind/name, such as \"deployment/{text}\""));
        };
        let Some(kind) = WorkloadKind::ALL.into_iter().find(|k| k.name() == kind) else {
            return Err(format!("unknown workload kind {kind:?} in {text:?}{}", words::suggest(kind, &kinds)));
        };
        words::dns_name(name, 63)?;
        Ok(Workload { kind, name: name.into() })
    }
}
#[derive(Debug, Clone)]
pub struct App {
    pub workload: Workload,
    /// `startAfter: ready`: the next app starts only when this one is ready.
    pub wait_ready: bool,
}
#[derive(Debug, Clone)]
pub struct Connection {
    pub object: ConnectionObject,
    /// Key -> template such as `${target.host}`, checked by [`template`].
    pub set: Vec<(String, String)>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionObject {
    Secret(String),
    ConfigMap(String),
}

impl ConnectionObject {
    pub fn name(&self) -> &str {
        match self {
            ConnectionObject::Secret(name) | ConnectionObject::ConfigMap(name) => name,
        }
    }
}
/// `secret/mastodon-db-url`
impl fmt::Display for ConnectionObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionObject::Secret(name) => write!(f, "secret/{name}"),
            ConnectionObject::ConfigMap(name) => write!(f, "configmap/{name}"),
        }
    }
}

/// The limits a cutover lives in (PRODUCT.md, section 6, where the defaults come from).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardrails {
    /// For every app to have no pod left.
    pub stop_apps: Duration,
    /// How long the fenced source must be seen without a transaction.
    pub quiet: Duration,
    /// WAL bytes the target may lack when the window opens; inside it, none.
    pub lag_before: u64,
    /// For the target to replay the source's last position.
    pub catch_up: Duration,
    /// From the first app stopped to the last one ready; then the automatic restore.
    pub downtime_budget: Duration,
    /// A transaction older than this keeps the window shut.
    pub longest_transaction: Duration,
    pub prepared_transactions: u32,
}
impl Default for Guardrails {
    fn default() -> Self {
        Guardrails {
            stop_apps: Duration::from_secs(120),
            quiet: Duration::from_secs(5),
            lag_before: 16 << 20,
            catch_up: Duration::from_secs(30),
            downtime_budget: Duration::from_secs(300),
            longest_transaction: Duration::from_secs(10),
            prepared_transactions: 0,
        }
    }
}
#[derive(Debug, Clone)]
pub struct Script {
    /** file name shown in errors */
    pub name: String,
    pub text: String,
    /** `sha256:<hex>` */
    pub digest: String,
}
