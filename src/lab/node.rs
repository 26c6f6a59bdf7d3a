//! The kubelet's stand-in: which local processes and addresses stand behind a pod; Services as proxies on loopback addresses.
use super::api::store::Store;
use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, sync::Arc};

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

/// Cheap to clone.
#[derive(Clone)]
pub struct Node {
    _inner: Arc<()>,
}

impl Node {
    /// `subnet` is the second octet: pods live in 127.<subnet>.1.0/24.., Services in 127.<subnet>.200.0/24.
    pub fn new(_store: Store, _dir: PathBuf, _subnet: u8) -> Node {
        todo!()
    }
    pub fn allocate_ip(&self) -> Ipv4Addr {
        todo!()
    }
    /// `<dir>/pods/<namespace>/<pod>`, made if absent (kept across pod re-creation: it is the volume).
    pub fn pod_dir(&self, _namespace: &str, _pod: &str) -> PathBuf {
        todo!()
    }
    pub fn attach(&self, _namespace: &str, _pod: &str, _sandbox: Sandbox) {
        todo!()
    }
    pub fn detach(&self, _namespace: &str, _pod: &str) {
        todo!()
    }
    pub fn sandbox(&self, _namespace: &str, _pod: &str) -> Option<Sandbox> {
        todo!()
    }
    /// Address of a Service (its clusterIP), from `name`, `name.ns`, `name.ns.svc`, `name.ns.svc.cluster.local`; `namespace` for the short form. A literal IP is returned as it is.
    pub fn resolve(&self, _host: &str, _namespace: &str) -> Option<Ipv4Addr> {
        todo!()
    }
    /// (uid, gid) that PostgreSQL servers and pods' processes run under: the `postgres` user when the lab is root, else None (as we are).
    pub fn postgres_user(&self) -> Option<(u32, u32)> {
        todo!()
    }
}
