//! What is there: read-only looks at the source, the target and the workloads between them.

pub mod apps;
pub mod carried;
pub mod cnpg;
pub mod redact;
pub mod scram;
pub mod server;
pub mod zalando;

use crate::{error::Result, kube::Kube, spec::Migration};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything a strategy makes its plan from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    pub source: zalando::Source,
    /// None: no Cluster of that name yet.
    pub target: Option<cnpg::Target>,
    pub operator: cnpg::Operator,
    /// The databases to move: those of the migration file, or every one that is not a system one.
    pub databases: Vec<server::Database>,
    pub roles: Vec<server::Role>,
    pub settings: server::Settings,
    /// Names of the extensions in the databases to move, plpgsql included.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// The settings that a standby must not have lower than its primary.
    pub standby_minimum: BTreeMap<String, String>,
    /// Login roles with an md5 hash whose password is in no operator Secret.
    pub unknown_passwords: Vec<String>,
    /// Looked at afresh when needed; not kept in the journal.
    #[serde(skip)]
    pub consumers: Vec<apps::Consumer>,
}

/// Gathers all of it. Needs the source running; a fenced one is reached through its own pod.
pub async fn gather(kube: &Kube, migration: &Migration) -> Result<Facts> {
    let source = zalando::source(kube, &migration.source).await?;
    let mut db = zalando::open_source(kube, &source, "postgres").await?;
    let databases = server::chosen(&mut db, &migration.databases).await?;
    let roles = server::roles(&mut db).await?;
    let settings = server::settings(&mut db).await?;
    let standby_minimum = server::standby_minimum(&mut db).await?;
    let extensions = extensions(kube, &source, &databases).await?;
    let unknown_passwords = unknown_passwords(kube, &migration.source, &roles).await;
    Ok(Facts {
        target: cnpg::target(kube, &migration.target.cluster).await?,
        operator: cnpg::operator(kube).await,
        consumers: apps::consumers(kube, &source.cluster).await?,
        source,
        databases,
        roles,
        settings,
        extensions,
        standby_minimum,
        unknown_passwords,
    })
}

async fn extensions(kube: &Kube, source: &zalando::Source, databases: &[server::Database]) -> Result<Vec<String>> {
    let mut all = BTreeSet::new();
    for database in databases {
        let mut db = zalando::open_source(kube, source, &database.name).await?;
        all.extend(server::extensions(&mut db).await?);
    }
    Ok(all.into_iter().collect())
}

async fn unknown_passwords(kube: &Kube, cluster: &str, roles: &[server::Role]) -> Vec<String> {
    let mut unknown = Vec::new();
    for role in roles.iter().filter(|r| r.login && !r.system() && r.verifier == server::Verifier::Md5) {
        if zalando::credentials(kube, cluster, &role.name).await.is_err() {
            unknown.push(role.name.clone());
        }
    }
    unknown
}

/// The string at a JSON pointer, "" where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The array at a JSON pointer, empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
