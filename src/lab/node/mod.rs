//! The kubelet's and kube-proxy's stand-in: which local processes and addresses stand behind a pod; Services as proxies on
//! loopback addresses.
//!
//! Linux answers on all of 127.0.0.0/8, so every pod gets an address of its own and every server can have its usual port.
mod address;
mod proxy;

pub use proxy::is_ready;

use super::api::store::Store;
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{sync::broadcast, task::AbortHandle};

/// What exec, log and port-forward need of a pod. Its address is a loopback address of its own, so every pod can listen on 5432.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub ip: Ipv4Addr,
    /// The pod's own directory: working directory of exec, holds data, sockets and logs.
    pub dir: PathBuf,
    /// Environment of the container (PGDATA, PGHOST, PATH with PostgreSQL's bin first ...): what exec gives its processes.
    pub env: BTreeMap<String, String>,
    /// container name -> log file, served by pods/log and followed.
    pub logs: BTreeMap<String, PathBuf>,
    /// uid:gid of the processes when the lab runs as root.
    pub user: Option<(u32, u32)>,
}

/// namespace, pod
pub(crate) type PodKey = (String, String);

#[derive(Clone)]
struct Cut {
    key: PodKey,
    /// Streams that it has ended.
    struck: Arc<AtomicU32>,
}

struct Inner {
    store: Store,
    dir: PathBuf,
    addresses: address::Pool,
    sandboxes: Mutex<BTreeMap<PodKey, Sandbox>>,
    cuts: broadcast::Sender<Cut>,
    /// One Service at a time is given its address.
    assigning: Mutex<()>,
    proxy: Mutex<Option<AbortHandle>>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// A panic elsewhere must not turn every later look at the node into another one.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// `subnet` is the second octet: pods live in 127.<subnet>.1.0/24.., Services in 127.<subnet>.200.0/24.
    /// Inside a tokio runtime the Service proxy starts at once; it ends with [`Node::stop`] or with the runtime.
    pub fn new(store: Store, dir: PathBuf, subnet: u8) -> Node {
        let inner = Inner {
            store,
            dir,
            addresses: address::Pool::new(subnet),
            sandboxes: Mutex::default(),
            cuts: broadcast::channel(64).0,
            assigning: Mutex::default(),
            proxy: Mutex::default(),
        };
        let node = Node { inner: Arc::new(inner) };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let changes = node.inner.store.changes();
            let task = runtime.spawn(proxy::run(node.clone(), changes));
            *hold(&node.inner.proxy) = Some(task.abort_handle());
        }
        node
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Ends the Service proxy and every stream into a pod. The processes behind pods belong to whoever started them.
    pub fn stop(&self) {
        if let Some(task) = hold(&self.inner.proxy).take() {
            task.abort();
        }
        let pods: Vec<PodKey> = hold(&self.inner.sandboxes).keys().cloned().collect();
        for (namespace, pod) in pods {
            self.cut(&namespace, &pod);
        }
    }

    /// Every call gives another address.
    pub fn allocate_ip(&self) -> Ipv4Addr {
        self.inner.addresses.pod()
    }

    /// `<dir>/pods/<namespace>/<pod>`, made if absent (kept across pod re-creation: it is the volume).
    pub fn pod_dir(&self, namespace: &str, pod: &str) -> PathBuf {
        let dir = self.inner.dir.join("pods").join(namespace).join(pod);
        if let Err(error) = std::fs::create_dir_all(&dir) {
            tracing::warn!("cannot make the directory of pod {namespace}/{pod}: {error}");
        }
        if let Some((uid, gid)) = self.postgres_user()
            && let Err(error) = std::os::unix::fs::chown(&dir, Some(uid), Some(gid))
        {
            tracing::warn!("cannot give the directory of pod {namespace}/{pod} to its user: {error}");
        }
        dir
    }

    pub fn attach(&self, namespace: &str, pod: &str, sandbox: Sandbox) {
        hold(&self.inner.sandboxes).insert((namespace.into(), pod.into()), sandbox);
    }

    /// The pod is gone: streams into it end.
    pub fn detach(&self, namespace: &str, pod: &str) {
        hold(&self.inner.sandboxes).remove(&(namespace.into(), pod.into()));
        self.cut(namespace, pod);
    }

    pub fn sandbox(&self, namespace: &str, pod: &str) -> Option<Sandbox> {
        hold(&self.inner.sandboxes).get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    /// Address of a Service (its clusterIP), from `name`, `name.ns`, `name.ns.svc`, `name.ns.svc.cluster.local`; `namespace` for the short form. A literal IP is returned as it is.
    /// `pod.service.ns...` is the pod's own address when the Service is headless (StatefulSets' stable names).
    pub fn resolve(&self, host: &str, namespace: &str) -> Option<Ipv4Addr> {
        if let Ok(literal) = host.parse() {
            return Some(literal);
        }
        address::readings(host, namespace).find_map(|(pod, service, namespace)| match pod {
            None => self.cluster_ip(service, namespace),
            Some(pod) => self.sandbox(namespace, pod).map(|sandbox| sandbox.ip),
        })
    }

    /// (uid, gid) that PostgreSQL servers and pods' processes run under: the `postgres` user when the lab is root, else None (as we are).
    pub fn postgres_user(&self) -> Option<(u32, u32)> {
        address::postgres_user()
    }

    /// Cuts every exec and port-forward stream into the pod; the pod itself goes on. Returns how many it has cut by now.
    pub fn cut(&self, namespace: &str, pod: &str) -> Arc<AtomicU32> {
        let struck = Arc::new(AtomicU32::new(0));
        // An error says that nobody has a stream open.
        let _ = self.inner.cuts.send(Cut { key: (namespace.into(), pod.into()), struck: struck.clone() });
        struck
    }

    /// Returns when [`Node::cut`] is called for the pod after this call.
    pub fn cut_signal(&self, namespace: &str, pod: &str) -> impl Future<Output = ()> + Send + use<> {
        let mut cuts = self.inner.cuts.subscribe();
        let key = (namespace.to_owned(), pod.to_owned());
        async move {
            loop {
                match cuts.recv().await {
                    Ok(cut) if cut.key == key => {
                        cut.struck.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    Ok(_) => {}
                    // What was missed may have been ours; a stream cut too often is a fault like any other.
                    Err(_) => return,
                }
            }
        }
    }

    /// A Service's clusterIP, given to it now if it has none; None for a headless or absent one.
    pub(crate) fn cluster_ip(&self, service: &str, namespace: &str) -> Option<Ipv4Addr> {
        let _one = hold(&self.inner.assigning);
        let object = self.inner.store.get("services", namespace, service)?;
        if let Some(given) = object["spec"]["clusterIP"].as_str().filter(|ip| !ip.is_empty()) {
            return given.parse().ok();
        }
        if object["spec"]["type"] == "ExternalName" {
            return None;
        }
        let ip = self.inner.addresses.service();
        let set = |object: &mut serde_json::Value| {
            object["spec"]["clusterIP"] = ip.to_string().into();
            object["spec"]["clusterIPs"] = serde_json::json!([ip.to_string()]);
            if object["spec"]["type"].is_null() {
                object["spec"]["type"] = "ClusterIP".into();
            }
        };
        self.inner.store.update("services", namespace, service, set).ok().map(|_| ip)
    }
}
