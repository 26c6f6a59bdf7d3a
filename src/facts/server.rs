//! What a server says about itself: databases, roles, who is connected, what is in the way.

use super::text;
use crate::{
    error::{Context, Error, Result},
    kube::{Kube, kind},
    postgres::Db,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Database {
    pub name: String,
    pub owner: String,
    /// As in initdb --encoding: UTF8.
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// -1: no limit.
    pub connection_limit: i32,
    /// Bytes.
    pub size: u64,
}

/// How a role's password is stored; never the verifier itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verifier {
    None,
    /// Refused by CNPG's own last hba line, which asks for scram-sha-256.
    Md5,
    Scram,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub superuser: bool,
    pub inherit: bool,
    pub createrole: bool,
    pub createdb: bool,
    pub login: bool,
    pub replication: bool,
    pub bypassrls: bool,
    pub connection_limit: i32,
    pub verifier: Verifier,
}

impl Role {
    /// Made by PostgreSQL, Spilo, Patroni, either operator or this program: not the application's.
    pub fn system(&self) -> bool {
        system_role(&self.name)
    }
}

/// See [`Role::system`] (zalando.md 3 and 4, cnpg.md 2.5).
pub fn system_role(name: &str) -> bool {
    matches!(
        name,
        "postgres" | "standby" | "admin" | "cron_admin" | "zalandos" | "robot_zmon" | "pooler" | "streaming_replica"
    ) || name.starts_with("cnpg_")
        || name.starts_with("pg_")
        || name.starts_with("pgmigrate")
}

/// The databases to move: the ones asked for, each of which must be there, or all that are not `postgres` or a template.
pub async fn chosen(db: &mut Db, wanted: &[String]) -> Result<Vec<Database>> {
    let all = databases(db).await?;
    if wanted.is_empty() {
        return Ok(all.into_iter().filter(|d| d.name != "postgres").collect());
    }
    let there: Vec<String> = all.iter().map(|d| d.name.clone()).collect();
    if let Some(missing) = wanted.iter().find(|w| !there.contains(w)) {
        return Err(Error::check(format!("the source has no database {missing}; it has {}", there.join(", ")))
            .hint("name one of them under spec.databases"));
    }
    Ok(all.into_iter().filter(|d| wanted.contains(&d.name)).collect())
}

/// Every database that takes connections and is no template, `postgres` included.
pub async fn databases(db: &mut Db) -> Result<Vec<Database>> {
    many(db, include_str!("../postgres/sql/databases.sql"), &[], "databases").await
}

/// Every role but PostgreSQL's predefined ones. Needs superuser (pg_authid).
pub async fn roles(db: &mut Db) -> Result<Vec<Role>> {
    many(db, include_str!("../postgres/sql/roles.sql"), &[], "roles").await
}

/// Settings a move depends on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub version_num: u32,
    pub wal_level: String,
    pub data_checksums: bool,
    pub max_connections: u32,
    pub password_encryption: String,
    pub archiving: bool,
    /// Client sessions open now.
    pub connections: u32,
}

pub async fn settings(db: &mut Db) -> Result<Settings> {
    db.one(include_str!("../postgres/sql/server_settings.sql"), &[]).await.context("reading settings")
}

/// `hot_standby` refuses to start, or stops replay, where one of these is lower than on the primary (PostgreSQL docs, 26.4.3).
pub async fn standby_minimum(db: &mut Db) -> Result<BTreeMap<String, String>> {
    let rows = db.rows(include_str!("../postgres/sql/standby_minimum.sql"), &[]).await.context("reading settings")?;
    Ok(rows
        .iter()
        .map(|row| {
            (row["name"].as_str().unwrap_or_default().into(), row["setting"].as_str().unwrap_or_default().into())
        })
        .collect())
}

/// A transaction that has been open for a while, or a prepared one, which may commit at any time later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transaction {
    /// transaction or prepared
    pub kind: String,
    /// Process id, or the global id of a prepared transaction.
    pub id: String,
    pub user: Option<String>,
    pub database: Option<String>,
    pub application: Option<String>,
    pub seconds: f64,
}

/// Open transactions of clients (not ours), oldest first.
pub async fn transactions(db: &mut Db) -> Result<Vec<Transaction>> {
    many(db, include_str!("../postgres/sql/transactions.sql"), &[], "open transactions").await
}

/// A schema or extension that Spilo or the operator put into the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// schema or extension
    pub kind: String,
    pub name: String,
}

/// Of the database the session is in.
pub async fn leftovers(db: &mut Db) -> Result<Vec<Leftover>> {
    many(db, include_str!("../postgres/sql/leftovers.sql"), &[], "Spilo's objects").await
}

/// Names of the extensions of the database the session is in.
pub async fn extensions(db: &mut Db) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Extension {
        name: String,
    }
    let all =
        many::<Extension>(db, "SELECT extname AS name FROM pg_catalog.pg_extension ORDER BY 1", &[], "extensions");
    Ok(all.await?.into_iter().map(|e| e.name).collect())
}

/// A session of somebody else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub pid: i32,
    pub user: Option<String>,
    pub database: Option<String>,
    pub application: Option<String>,
    /// None: through the local socket.
    pub address: Option<String>,
    pub state: Option<String>,
    pub connected_seconds: f64,
    /// Pod of this namespace with that address.
    #[serde(default)]
    pub pod: Option<String>,
    /// `deployment/web`: what owns that pod.
    #[serde(default)]
    pub workload: Option<String>,
}

/// Who is connected now, each mapped to its pod and workload where its address is a pod's.
pub async fn clients(kube: &Kube, db: &mut Db, pods: &[Value]) -> Result<Vec<Client>> {
    let mut clients: Vec<Client> =
        many(db, include_str!("../postgres/sql/clients.sql"), &[], "client sessions").await?;
    for client in &mut clients {
        let Some(address) = client.address.as_deref() else { continue };
        if let Some(pod) = pods.iter().find(|p| text(p, "/status/podIP") == address) {
            client.pod = Some(text(pod, "/metadata/name").to_owned());
            client.workload = owner(kube, pod).await;
        }
    }
    Ok(clients)
}

/// `kind/name` of the workload behind a pod. A ReplicaSet carries its Deployment's name before the template hash, so it
/// need not be read; a Job is asked for its CronJob.
pub async fn owner(kube: &Kube, pod: &Value) -> Option<String> {
    let owner = controller(pod)?;
    let name = text(owner, "/name");
    match text(owner, "/kind") {
        "ReplicaSet" => {
            let hash = text(pod, "/metadata/labels/pod-template-hash");
            let deployment = name.strip_suffix(hash).and_then(|n| n.strip_suffix('-')).filter(|_| !hash.is_empty());
            Some(deployment.map_or_else(|| format!("replicaset/{name}"), |d| format!("deployment/{d}")))
        }
        "Job" => {
            let job = kube.get(&kind::JOB, name).await.ok().flatten();
            let cron = job.as_ref().and_then(controller).filter(|o| text(o, "/kind") == "CronJob");
            Some(cron.map_or_else(|| format!("job/{name}"), |c| format!("cronjob/{}", text(c, "/name"))))
        }
        other => Some(format!("{}/{name}", other.to_lowercase())),
    }
}

fn controller(object: &Value) -> Option<&Value> {
    let owners = super::list(object, "/metadata/ownerReferences");
    owners.iter().find(|o| o.get("controller").and_then(Value::as_bool) == Some(true)).or(owners.first())
}

/// Rows of a query as values of a type.
pub(crate) async fn many<T: DeserializeOwned>(db: &mut Db, query: &str, args: &[&str], what: &str) -> Result<Vec<T>> {
    let rows = db.rows(query, args).await.with_context(|| format!("reading {what}"))?;
    rows.into_iter()
        .map(|row| serde_json::from_value(Value::Object(row)).with_context(|| format!("reading {what}")))
        .collect()
}
