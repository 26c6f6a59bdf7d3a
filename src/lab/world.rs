//! The whole practice cluster: up and down.
pub mod control;
pub mod ground;
pub mod mastodon;

use super::{
    api::{
        server::{ADMIN, Server},
        store::Store,
    },
    app,
    faults::{Door, Faults},
    node::Node,
    operators::{cnpg, zalando},
    workloads::{self, image},
};
use crate::error::{Context, Error, Result};
use ground::Ground;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tasks of a lab without operators: [`workloads::run`], [`app::publish`].
const CONTROLLERS: usize = 2;

/// How a lab is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Run the stand-ins for the two operators.
    pub operators: bool,
    pub zalando: zalando::Options,
    pub cnpg: cnpg::Options,
}

impl Default for Options {
    fn default() -> Options {
        Options { operators: true, zalando: zalando::Options::default(), cnpg: cnpg::Options::default() }
    }
}

/// A running practice cluster. [`Lab::stop`] ends it; so does dropping it, more roughly.
pub struct Lab {
    pub store: Store,
    pub node: Node,
    pub faults: Arc<Faults>,
    pub server: Server,
    /// What clients connect to.
    pub door: Door,
    /// Takes hold of the CloudNativePG stand-in (pauses it).
    pub controls: cnpg::Controls,
    ground: Ground,
    /// Operators stop their servers when told so.
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Lab {
    pub async fn start(options: Options) -> Result<Lab> {
        let ground = ground::claim()?;
        let store = Store::new();
        let node = Node::new(store.clone(), ground.dir.clone(), ground.subnet);
        let faults = Faults::new(node.clone());
        let server = Server::start(store.clone(), node.clone(), faults.clone(), 0).await?;
        let door = Door::open(server.port()).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(workloads::run(store.clone(), node.clone()));
        tasks.spawn(app::publish(store.clone(), node.clone()));
        let (stop, controls) = (CancellationToken::new(), cnpg::Controls::default());
        let operators = options.operators;
        if operators {
            tasks.spawn(zalando::run_with(store.clone(), node.clone(), options.zalando, stop.clone()));
            let stop = stop.clone();
            tasks.spawn(cnpg::run_with(store.clone(), node.clone(), stop, options.cnpg, controls.clone()));
        }
        let lab = Lab { store, node, faults, server, door, controls, ground, stop, tasks: Mutex::new(tasks) };
        lab.namespace("default")?;
        lab.namespace("kube-system")?;
        let default = json!({"storageclass.kubernetes.io/is-default-class": "true"});
        lab.put(
            "storageclasses.storage.k8s.io",
            json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "rancher.io/local-path",
                "metadata": {"name": "local-path", "annotations": default},
            }),
        )?;
        if operators {
            lab.operators()?;
            lab.put("operatorconfigurations.acid.zalan.do", configuration())?;
        }
        lab.kubeconfig(ADMIN, "default", &lab.kubeconfig_path())?;
        Ok(lab)
    }

    pub fn dir(&self) -> &Path {
        &self.ground.dir
    }

    pub fn kubeconfig_path(&self) -> PathBuf {
        self.ground.dir.join("kubeconfig")
    }

    /// Writes a kubeconfig for a known user (`lab.server.access()` makes more of them), readable by its owner only.
    pub fn kubeconfig(&self, user: &str, namespace: &str, path: &Path) -> Result<()> {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};
        // Through the door, that is.
        let (inside, outside) = (format!("127.0.0.1:{}", self.server.port()), format!("127.0.0.1:{}", self.door.port));
        let text = self.server.kubeconfig(user, namespace).replace(&inside, &outside);
        let file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
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

    /// The operators' own Deployments, as their charts make them: what tells that they are there, and which release.
    fn operators(&self) -> Result<()> {
        for (namespace, name, image) in [
            ("cnpg-system", "cnpg-controller-manager", "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"),
            ("postgres-operator", "postgres-operator", "ghcr.io/zalando/postgres-operator:v1.15.1"),
        ] {
            let app = if namespace == "cnpg-system" { "cloudnative-pg" } else { "postgres-operator" };
            let labels = json!({"app.kubernetes.io/name": app});
            let pod = json!({"labels": labels, "annotations": {image::INSTEAD: "lab/idle"}});
            let spec =
                json!({"containers": [{"name": "manager", "image": image}], "terminationGracePeriodSeconds": 10});
            self.namespace(namespace)?;
            self.put(
                "deployments.apps",
                json!({
                    "apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": {"name": name, "namespace": namespace, "labels": labels},
                    "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": pod, "spec": spec}},
                }),
            )?;
        }
        Ok(())
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
        self.stop.cancel();
        // Controllers never end by themselves; what the operators have not stopped by then is stopped below.
        let operators = async { while tasks.len() > CONTROLLERS && tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(10), operators).await;
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
        self.stop.cancel();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.node.stop();
        // Another lab may get this directory; its app is not to be held to these books.
        app::ledger::Ledger::close_all(self.dir());
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

/// What the Zalando operator's chart configures, of the part that a migration looks at; the stand-in does as it says.
fn configuration() -> Value {
    let template = "{username}.{cluster}.credentials.{tprkind}.{tprgroup}";
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "OperatorConfiguration",
        "metadata": {"name": "postgres-operator", "namespace": "postgres-operator"},
        "configuration": {"kubernetes": {
            "watched_namespace": "*", "pod_role_label": "spilo-role", "cluster_name_label": "cluster-name",
            "secret_name_template": template, "enable_secrets_deletion": true,
            "enable_persistent_volume_claim_deletion": true,
        }},
    })
}
