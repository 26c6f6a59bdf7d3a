//! The stand-in for CloudNativePG 1.30: an operator over `clusters.postgresql.cnpg.io` and an instance manager per pod,
//! both tasks of the lab process, that do the real work with PostgreSQL's own tools.
//!
//! What it does, in which order and with which texts was seen on a real cluster (reference: observed-physical.md,
//! observed-import-logical.md, cnpg.md). Its traps are on purpose: a replica that does not stream is "healthy",
//! `Initialized` is True while an import fails, a copied postgresql.conf does not boot.
//!
//! Layout: [`operator`] reconciles one Cluster, [`instance`] runs one pod, `jobs` bootstraps; they meet in [`Operator`].
mod backups;
mod basebackup;
mod certs;
mod cluster;
mod conf;
mod databases;
mod external;
mod import;
mod import_roles;
mod initdb;
mod instance;
mod jobs;
mod manager;
mod objects;
mod operator;
mod phase;
mod place;
mod podlog;
mod pods;
mod pooler;
mod primary;
mod process;
mod promotion;
mod secrets;
mod shutdown;
mod sql;
mod status;

use crate::lab::{api::store::Store, node::Node, servers};
use instance::Instance;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

pub(super) const CLUSTERS: &str = "clusters.postgresql.cnpg.io";
pub(super) const BACKUPS: &str = "backups.postgresql.cnpg.io";
pub(super) const POOLERS: &str = "poolers.postgresql.cnpg.io";
pub(super) const JOBS: &str = "jobs.batch";
pub(super) const LEASES: &str = "leases.coordination.k8s.io";
pub(super) const PVCS: &str = "persistentvolumeclaims";
pub(super) const PDBS: &str = "poddisruptionbudgets.policy";

const DEPLOYMENTS: &str = "deployments.apps";
const SYSTEM: &str = "cnpg-system";
const MANAGER: &str = "cnpg-controller-manager";

/// The stand-in's clocks. The defaults are the real ones, but for those that only make the machine wait.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long Ready=True comes after the restart that follows a promotion (seen: 4.7 s).
    pub ready_delay: Duration,
    /// How long the instance manager does not reconcile after a fence was lifted (2 x readiness period, 20 s).
    pub unfence_pause: Duration,
    /// From the start of a container to its fence check. A fence lifted inside it wedges the instance; zero: never.
    pub fence_window: Duration,
    /// From a server that answers to the pod's condition Ready (the readiness probe; real: up to 10 s).
    pub readiness_delay: Duration,
    /// First pause between two pods of a failed job; doubles (10 s, 20 s, 40 s ...).
    pub job_backoff: Duration,
    /// First pause of CrashLoopBackOff; doubles, up to 30 times itself (10 s .. 5 min).
    pub crash_backoff: Duration,
    /// Between two looks at a database that does not answer the bootstrap job (5 s).
    pub retry: Duration,
    /// First pause after `cannot reconcile database configurations`; doubles up to 16 times itself (10 s .. 164 s).
    pub database_backoff: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ready_delay: Duration::from_millis(4500),
            unfence_pause: Duration::from_secs(20),
            fence_window: Duration::from_millis(300),
            readiness_delay: Duration::from_millis(500),
            job_backoff: Duration::from_secs(10),
            crash_backoff: Duration::from_secs(10),
            retry: Duration::from_secs(5),
            database_backoff: Duration::from_millis(10_250),
        }
    }
}

/// Lets faults take hold of the stand-in from outside. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Controls {
    paused: Arc<AtomicBool>,
}

impl Controls {
    /// Stops the operator's half (restart after promotion, status, jobs); instance managers go on, as when its pod is killed.
    pub fn pause_operator(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    pub fn operator_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}

/// namespace, name
type Key = (String, String);

/// What the operator's tasks share.
pub(super) struct Operator {
    pub store: Store,
    pub node: Node,
    pub options: Options,
    pub controls: Controls,
    pub stop: CancellationToken,
    pub install: servers::Install,
    instances: Mutex<HashMap<Key, Arc<Instance>>>,
    /// Woken at every change of an object that may matter.
    pub news: Notify,
}

impl Operator {
    fn instances(&self) -> MutexGuard<'_, HashMap<Key, Arc<Instance>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn instance(&self, namespace: &str, pod: &str) -> Option<Arc<Instance>> {
        self.instances().get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    /// The operator itself is away: told so, or its Deployment has no ready pod.
    pub fn away(&self) -> bool {
        let down = |deployment: Arc<serde_json::Value>| {
            let status = &deployment["status"];
            // Without a status nobody runs Deployments here.
            deployment["spec"]["replicas"] == 0
                || status["replicas"].is_number() && status["readyReplicas"].as_u64().unwrap_or(0) == 0
        };
        self.controls.operator_paused() || self.store.get(DEPLOYMENTS, SYSTEM, MANAGER).is_some_and(down)
    }

    /// Sleeps until something changed, or so long.
    pub async fn nap(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.news.notified()).await;
    }
}

/// Serves every Cluster of the store until `stop`, then stops the servers.
pub async fn run(store: Store, node: Node, stop: CancellationToken) {
    run_with(store, node, stop, Options::default(), Controls::default()).await;
}

/// As [`run`], with other clocks and a hold for faults.
pub async fn run_with(store: Store, node: Node, stop: CancellationToken, options: Options, controls: Controls) {
    let Some(install) = servers::installs().into_iter().next() else {
        tracing::error!("no PostgreSQL installation was found: the CloudNativePG stand-in cannot work");
        return;
    };
    // Whoever drops this future ends its tasks too.
    let stop = stop.child_token();
    let _end = stop.clone().drop_guard();
    let mut changes = store.changes();
    let instances = Mutex::default();
    let operator = Arc::new(Operator { store, node, options, controls, stop, install, instances, news: Notify::new() });
    // uid -> the Cluster's name and its task
    let mut clusters: HashMap<String, (Key, tokio::task::JoinHandle<()>)> = HashMap::new();
    loop {
        clusters.retain(|_, (_, task)| !task.is_finished());
        for cluster in operator.store.list(CLUSTERS, None).iter().map(cluster::Cluster::of) {
            let key = (cluster.namespace.clone(), cluster.name.clone());
            // One of the same name that is being taken down still has the volumes.
            if !clusters.contains_key(&cluster.uid) && clusters.values().all(|(other, _)| *other != key) {
                let (uid, task) = (cluster.uid.clone(), operator::serve(operator.clone(), cluster));
                clusters.insert(uid, (key, tokio::spawn(task)));
            }
        }
        tokio::select! {
            () = operator.stop.cancelled() => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            change = changes.recv() => match change {
                Ok(_) | Err(RecvError::Lagged(_)) => operator.news.notify_waiters(),
                Err(RecvError::Closed) => break,
            },
        }
    }
    for (_, (_, task)) in clusters {
        let _ = task.await;
    }
}
