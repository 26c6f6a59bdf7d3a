//! The migration file -> [`Migration`], valid by construction.

use serde_json::Value;
use std::{fmt, path::PathBuf, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Replica,
    Dump,
    Logical,
    Switch,
    BackupStore,
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
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
            WorkloadKind::CronJob => "cronjob",
        };
        write!(f, "{kind}/{}", self.name)
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
    /** key -> template such as `${target.host}` */
    pub set: Vec<(String, String)>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionObject {
    Secret(String),
    ConfigMap(String),
}

#[derive(Debug, Clone)]
pub struct Guardrails {
    pub stop_apps: Duration,
    pub quiet: Duration,
    pub lag_before: u64,
    pub catch_up: Duration,
    pub downtime_budget: Duration,
    pub longest_transaction: Duration,
    pub prepared_transactions: u32,
}
#[derive(Debug, Clone)]
pub struct Script {
    /** file name shown in errors */
    pub name: String,
    pub text: String,
    /** `sha256:<hex>` */
    pub digest: String,
}
