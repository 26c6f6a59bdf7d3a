//! The Zalando operator and the Spilo pods it makes, Patroni included, as seen in observed-physical.md and read in zalando.md.
//!
//! Every member is a real PostgreSQL server; the store of Patroni is the API's Endpoints, as in a real cluster. Nothing is kept
//! in this process that the real ones keep elsewhere, but a pg_hba list in memory is, because its surprises are part of the truth.
mod actions;
mod cluster;
mod conf;
mod dcs;
mod ha;
mod login;
mod manifest;
mod member;
mod objects;
mod pods;
mod rejoin;
mod rest;
mod roles;
mod rolling;
mod session;
mod slots;
mod spilo;

use crate::lab::{api::store::Store, node::Node};
use member::Member;
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const CLUSTERS: &str = "postgresqls.acid.zalan.do";

/// The operator's own periods. Patroni's are in the manifest: spec.patroni.{loop_wait, ttl}.
#[derive(Debug, Clone)]
pub struct Options {
    /// A cluster that is not Running is looked at again (real: 5 min).
    pub repair: Duration,
    /// Every cluster is (real: 30 min).
    pub resync: Duration,
    /// Between two tries to log in (real: 15 s); the fourth failure makes the status UpdateFailed.
    pub login: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { repair: Duration::from_secs(5), resync: Duration::from_secs(30), login: Duration::from_secs(3) }
    }
}

/// Namespace and name.
type Key = (String, String);

/// What all parts share. Cheap to clone.
#[derive(Clone)]
struct Context {
    store: Store,
    node: Node,
    options: Options,
    stop: CancellationToken,
    /// The operator's own pod address.
    ip: Ipv4Addr,
    members: Arc<Mutex<BTreeMap<Key, Arc<Member>>>>,
}

/// Runs until `stop`, then shuts its servers down.
pub async fn run(store: Store, node: Node, stop: CancellationToken) {
    run_with(store, node, Options::default(), stop).await;
}

/// [`run`] with other periods.
pub async fn run_with(store: Store, node: Node, options: Options, stop: CancellationToken) {
    let mut changes = store.changes();
    let ip = node.allocate_ip();
    let context = Context { store, node, options, stop: stop.clone(), ip, members: Arc::default() };
    let mut clusters: BTreeMap<Key, JoinHandle<()>> = BTreeMap::new();
    let mut pods = pods::Pods::default();
    while !stop.is_cancelled() {
        clusters.retain(|_, task| !task.is_finished());
        for object in context.store.list(CLUSTERS, None) {
            let key = (manifest::text(&object["metadata"]["namespace"]), manifest::text(&object["metadata"]["name"]));
            let run = || tokio::spawn(cluster::run(context.clone(), key.0.clone(), key.1.clone()));
            clusters.entry(key.clone()).or_insert_with(run);
        }
        pods.settle(&context).await;
        let wanted = |resource: &str| matches!(resource, CLUSTERS | "statefulsets.apps" | "pods");
        let news = async {
            loop {
                match changes.recv().await {
                    Ok(change) if !wanted(&change.resource) => {}
                    Err(RecvError::Closed) => return stop.cancelled().await,
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = news => {}
            // A missed change must not be missed for good.
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
    clusters.values().for_each(JoinHandle::abort);
    pods.end_all().await;
}
