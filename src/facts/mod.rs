//! What is there: read-only looks at the source, the target and the workloads between them.

pub mod apps;
pub mod carried;
pub mod cnpg;
pub mod collated;
pub mod member;
pub mod redact;
pub mod scram;
pub mod server;
pub mod survey;
pub mod uses;
pub mod zalando;

use crate::{
    error::{Error, Result},
    kube::Kube,
    postgres::Db,
    spec::Migration,
};
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
}

/// Gathers all of it. Needs the source running; a fenced one is reached through its own pod.
pub async fn gather(kube: &Kube, migration: &Migration) -> Result<Facts> {
    let source = zalando::source(kube, &migration.source).await?;
    Ok(through_sessions(kube, migration, source).await?.0)
}

/// Sessions on the source that a look has opened: `postgres` first, then one for each database to move.
pub type Opened = Vec<Db>;

/// The same without the workloads, and the sessions left open for further questions.
pub async fn through_sessions(kube: &Kube, migration: &Migration, source: zalando::Source) -> Result<(Facts, Opened)> {
    let mut db = zalando::open_source(kube, &source, "postgres").await?;
    let databases = server::chosen(&mut db, &migration.databases).await?;
    let roles = server::roles(&mut db).await?;
    let settings = server::settings(&mut db).await?;
    let standby_minimum = server::standby_minimum(&mut db).await?;
    let mut opened = vec![db];
    let mut extensions = BTreeSet::new();
    for database in &databases {
        let mut db = zalando::open_source(kube, &source, &database.name).await?;
        extensions.extend(server::extensions(&mut db).await?);
        opened.push(db);
    }
    let (unknown_passwords, target, operator) = tokio::join!(
        unknown_passwords(kube, &migration.source, &roles),
        cnpg::target(kube, &migration.target.cluster),
        cnpg::operator(kube)
    );
    let facts = Facts {
        target: target?,
        operator,
        source,
        databases,
        roles,
        settings,
        extensions: extensions.into_iter().collect(),
        standby_minimum,
        unknown_passwords,
    };
    Ok((facts, opened))
}

/// The database whose owner CNPG looks after: the first one named in the file, else the largest.
pub fn main_database<'a>(migration: &Migration, facts: &'a Facts) -> Result<&'a server::Database> {
    let named = migration.databases.first().and_then(|name| facts.databases.iter().find(|d| &d.name == name));
    let main = named.or_else(|| facts.databases.iter().max_by_key(|d| d.size));
    main.ok_or_else(|| Error::check(format!("Zalando cluster {} has no database besides postgres", migration.source)))
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
