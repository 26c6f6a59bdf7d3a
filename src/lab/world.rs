//! The whole practice cluster: up and down.
pub mod control;
pub mod ground;
pub mod mastodon;

use super::{api::store::Store, app, faults::Faults, node::Node, workloads};
use crate::error::{Error, Result};
use ground::Ground;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How a lab is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Run the stand-ins for the two operators.
    pub operators: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { operators: true }
    }
}

/// A running practice cluster. [`Lab::stop`] ends it; so does dropping it, more roughly.
pub struct Lab {
    pub store: Store,
    pub node: Node,
    pub faults: Arc<Faults>,
    ground: Ground,
    tasks: Mutex<JoinSet<()>>,
}

impl Lab {
    pub async fn start(options: Options) -> Result<Lab> {
        let ground = ground::claim()?;
        let store = Store::new();
        let node = Node::new(store.clone(), ground.dir.clone(), ground.subnet);
        let faults = Faults::new(node.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(workloads::run(store.clone(), node.clone()));
        tasks.spawn(app::publish(store.clone(), node.clone()));
        if options.operators {
            // OPERATORS
        }
        let lab = Lab { store, node, faults, ground, tasks: Mutex::new(tasks) };
        lab.namespace("default")?;
        lab.namespace("kube-system")?;
        Ok(lab)
    }

    pub fn dir(&self) -> &Path {
        &self.ground.dir
    }

    pub fn kubeconfig_path(&self) -> PathBuf {
        self.ground.dir.join("kubeconfig")
    }

    /// Creates a namespace if it is not there.
    pub fn namespace(&self, name: &str) -> Result<()> {
        let labels = json!({"kubernetes.io/metadata.name": name});
        self.put(
            "namespaces",
            json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
            }),
        )
    }

    /// Creates an object; one that is there already is left as it is.
    pub fn put(&self, resource: &str, object: Value) -> Result<()> {
        match self.store.create(resource, object) {
            Err(refusal) if refusal.reason != "AlreadyExists" => {
                Err(Error::failed(format!("the lab's store refused to create one of {resource}: {}", refusal.message)))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the objects are as wanted; looks again at every change.
    pub async fn until(&self, what: &str, deadline: Duration, probe: impl Fn(&Store) -> bool) -> Result<()> {
        let mut changes = self.store.changes();
        let end = Instant::now() + deadline;
        while !probe(&self.store) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::failed(format!("not within {} s: {what}", deadline.as_secs())));
            }
            let _ = tokio::time::timeout(left.min(Duration::from_millis(200)), changes.recv()).await;
        }
        Ok(())
    }

    /// Ends everything that the lab started and removes its directory.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.node.stop();
        app::ledger::Ledger::close_all(self.dir());
        let dir = self.dir().to_owned();
        let cleared = tokio::task::spawn_blocking(move || ground::clear(&dir)).await;
        if let Ok(Err(error)) = cleared {
            tracing::warn!("{}", error.chain());
        }
    }
}

impl Drop for Lab {
    /// A test that fails must not leave servers behind.
    fn drop(&mut self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.node.stop();
        if let Err(error) = ground::clear(self.dir()) {
            tracing::warn!("{}", error.chain());
        }
    }
}

/// Tries until it succeeds or the deadline has passed; then the last error.
async fn patiently<T, F: Future<Output = Result<T, String>>>(
    deadline: Duration,
    attempt: impl Fn() -> F,
) -> Result<T, String> {
    let end = Instant::now() + deadline;
    loop {
        match attempt().await {
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            Ok(done) => return Ok(done),
        }
    }
}
