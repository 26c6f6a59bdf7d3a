//! What there is to migrate, without a migration file: a Zalando cluster, who uses it, through which keys.
//! What `list` shows, and what [`draft`] makes a migration file from.

pub mod connections;
pub mod draft;
mod namespace;

pub use namespace::{Everything, Workloads};

use crate::{
    error::{Error, Result},
    facts::{
        server, text,
        uses::{Objects, Place, User},
        zalando,
    },
    kube::{
        Kube,
        kind::{CLUSTER, OBJECT_STORE, POSTGRESQL, SERVICE},
    },
    strategy::choose::{Choice, choose},
};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::BTreeSet;

/// A Zalando cluster and what hangs on it.
pub struct Source {
    pub cluster: String,
    pub namespace: String,
    /// None: not known.
    pub major: Option<u32>,
    pub instances: u64,
    /// Kubernetes quantity.
    pub volume: String,
    /// Largest first; of the manifest where no SQL session could be had.
    pub databases: Vec<Database>,
    /// The largest database's largest tables, as SQL names them.
    pub tables: Vec<String>,
    pub users: Vec<User>,
    pub connections: Vec<connections::Connection>,
    /// Names that a new Cluster can't have.
    pub taken: BTreeSet<String>,
    pub stores: Vec<String>,
    /// What could not be looked at, for the person who reads the draft.
    pub unknown: Vec<String>,
}

pub struct Database {
    pub name: String,
    pub owner: String,
    /// Bytes; None: not asked.
    pub size: Option<u64>,
}

impl Source {
    pub fn choice(&self, wanted: Option<u32>) -> Choice {
        choose(self.major, wanted)
    }
    /// 0 where no size is known.
    pub fn bytes(&self) -> u64 {
        self.databases.iter().filter_map(|d| d.size).sum()
    }
    pub fn owner(&self) -> &str {
        self.databases.first().map_or("", |d| &d.owner)
    }
}

/// The major version in a Zalando manifest.
pub fn major(object: &Value) -> Option<u32> {
    text(object, "/spec/postgresql/version").parse().ok()
}

/// The Zalando clusters of the namespace, by name.
pub async fn clusters(kube: &Kube) -> Result<Vec<Value>> {
    let mut all = kube.list(&POSTGRESQL, "").await?;
    all.sort_by_key(|object| text(object, "/metadata/name").to_string());
    Ok(all)
}

/// Looks at everything around one cluster; `object` is its custom resource. What can't be seen is said, not an error.
pub async fn source(kube: &Kube, object: &Value) -> Result<Source> {
    let cluster = text(object, "/metadata/name").to_string();
    if object["spec"]["standby"].is_object() {
        return Err(Error::check(format!("postgresql {cluster} is a standby cluster: migrate the one it follows")));
    }
    let namespace = kube.namespace().to_string();
    let mut unknown = Vec::new();
    let workloads = Workloads::read(kube).await?;
    let objects = namespace::read(kube, workloads.names(), &mut unknown).await;
    let place = Place { cluster: &cluster, namespace: &namespace };
    let users = place.users(&workloads.0, &objects, &namespace);

    let (databases, tables) = match databases(kube, &cluster).await {
        Ok(found) => found,
        Err(error) => {
            unknown.push(format!("the databases' sizes and tables (no SQL session: {})", error.chain()));
            (from_manifest(object), Vec::new())
        }
    };
    let owner = databases.first().map_or("", |d| &d.owner);
    let credentials = zalando::credentials(kube, &cluster, owner).await;
    if let (Err(error), false) = (&credentials, owner.is_empty()) {
        unknown.push(format!("the password of {owner} ({}): keys that hold it are not recognised", error.chain()));
    }
    let password = credentials.as_ref().ok().map(|(_, password)| password.expose_secret());
    let known = connections::Known { place, owner, password };
    let theirs: BTreeSet<&String> = users.iter().flat_map(|user| &user.reads).collect();
    let read: Objects =
        objects.iter().filter(|(name, _)| theirs.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    let connections = known.connections(&read);
    let named = |objects: Vec<Value>| objects.iter().map(|o| text(o, "/metadata/name").to_string()).collect::<Vec<_>>();
    let (there, services, stores) =
        tokio::join!(kube.list(&CLUSTER, ""), kube.list(&SERVICE, ""), kube.list(&OBJECT_STORE, ""));
    let taken = [there, services].into_iter().flat_map(Result::unwrap_or_default);
    Ok(Source {
        major: major(object),
        instances: object["spec"]["numberOfInstances"].as_u64().unwrap_or(1).max(1),
        volume: text(object, "/spec/volume/size").to_string(),
        taken: named(taken.collect()).into_iter().collect(),
        stores: named(stores.unwrap_or_default()),
        cluster,
        namespace,
        databases,
        tables,
        users,
        connections,
        unknown,
    })
}

/// Those to move, largest first, and the largest one's largest tables.
async fn databases(kube: &Kube, cluster: &str) -> Result<(Vec<Database>, Vec<String>)> {
    let source = zalando::source(kube, cluster).await?;
    let mut db = zalando::open_source(kube, &source, "postgres").await?;
    let mut found = server::chosen(&mut db, &[]).await?;
    found.sort_by_key(|database| std::cmp::Reverse(database.size));
    let tables = match found.first() {
        Some(largest) => {
            let mut db = zalando::open_source(kube, &source, &largest.name).await?;
            db.rows(include_str!("../postgres/sql/largest_tables.sql"), &[]).await?
        }
        None => Vec::new(),
    };
    let tables = tables.iter().filter_map(|row| row["name"].as_str().map(String::from)).collect();
    let database = |d: server::Database| Database { name: d.name, owner: d.owner, size: Some(d.size) };
    Ok((found.into_iter().map(database).collect(), tables))
}

/// `spec.databases` and `spec.preparedDatabases`, whose owner is NAME_owner.
fn from_manifest(object: &Value) -> Vec<Database> {
    let plain = object["spec"]["databases"].as_object().into_iter().flatten();
    let prepared = object["spec"]["preparedDatabases"].as_object().into_iter().flatten();
    let plain = plain.map(|(name, owner)| (name.clone(), owner.as_str().unwrap_or_default().to_string()));
    let prepared = prepared.map(|(name, _)| (name.clone(), format!("{name}_owner")));
    plain.chain(prepared).map(|(name, owner)| Database { name, owner, size: None }).collect()
}
