//! HTTPS on a loopback port, who may use it, and where a test steps in between.

use super::{
    dispatch,
    rbac::{Access, User},
    request::RequestInfo,
    store::Store,
    tls,
};
use crate::{
    error::{Context, Result},
    lab::node::Node,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

/// What a fault does to a request.
#[derive(Debug, Clone)]
pub enum Verdict {
    Pass,
    /// Answered so, with this status, reason and message.
    Answer(u16, &'static str, String),
    /// The connection is closed without an answer.
    Drop,
    Delay(Duration),
}

/// Sees every request: before it is handled, and after its change is committed but before its answer is sent.
pub trait Interceptor: Send + Sync {
    fn before(&self, request: &RequestInfo) -> Verdict;
    fn after(&self, request: &RequestInfo, status: u16) -> Verdict;
}

pub struct NoFaults;

impl Interceptor for NoFaults {
    fn before(&self, _: &RequestInfo) -> Verdict {
        Verdict::Pass
    }
    fn after(&self, _: &RequestInfo, _: u16) -> Verdict {
        Verdict::Pass
    }
}

pub(super) struct Shared {
    pub store: Store,
    pub node: Node,
    pub access: Access,
    pub faults: Arc<dyn Interceptor>,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Shared {
    pub fn count(&self, info: &RequestInfo) {
        let what = format!("{} {}", info.verb, info.target());
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }
}

/// A running API server; ends when dropped.
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    /// The lab's own CA, PEM.
    ca: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub const ADMIN: &str = "lab-admin";
const NAME: &str = "pgmigrate-lab";

impl Server {
    /// `port` 0: any free one.
    pub async fn start(store: Store, node: Node, faults: Arc<dyn Interceptor>, port: u16) -> Result<Server> {
        let (ca, config) = tls::make()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("open the lab's API port")?;
        let port = listener.local_addr().context("read the lab's API port")?.port();
        let access = Access::default();
        access.set(User {
            name: ADMIN.into(),
            token: uuid::Uuid::new_v4().to_string(),
            admin: true,
            ..User::default()
        });
        let shared = Arc::new(Shared { store, node, access, faults, counts: Mutex::default() });
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(config), shared.clone()));
        Ok(Server { shared, port, ca, task })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn access(&self) -> &Access {
        &self.shared.access
    }

    /// Requests handled so far, by `verb resource`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A kubeconfig for a known user, with `namespace` in its context.
    pub fn kubeconfig(&self, user: &str, namespace: &str) -> String {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": NAME,
            "clusters": [{ "name": NAME, "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port), "certificate-authority-data": STANDARD.encode(&self.ca),
            } }],
            "users": [{ "name": user, "user": { "token": self.shared.access.token(user).unwrap_or_default() } }],
            "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": user, "namespace": namespace } }],
        });
        // JSON is YAML, and readable by every kubeconfig reader.
        serde_json::to_string_pretty(&config).unwrap_or_default()
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    // Dropped with this task: no connection outlives the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                stream.set_nodelay(true).ok();
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request| {
                        let shared = shared.clone();
                        async move { dispatch::respond(&shared, request).await }
                    });
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await.ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
