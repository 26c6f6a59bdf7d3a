//! HTTPS on a loopback port: identity, faults, access, dispatch, and answers as the real server gives them.

use super::{
    discovery,
    rbac::{Access, User},
    request::{self, RequestInfo},
    schema,
    store::{Refusal, Store},
    verbs, watch,
    ws::{self, Body},
};
use crate::{
    error::{Context, Error, Result},
    lab::node::Node,
};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
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

struct Shared {
    store: Store,
    node: Node,
    access: Access,
    faults: Arc<dyn Interceptor>,
    counts: Mutex<BTreeMap<String, u64>>,
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
        let (ca, config) = tls()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("open the lab's API port")?;
        let port = listener.local_addr().context("read the lab's API port")?.port();
        let access = Access::default();
        access.set(User {
            name: ADMIN.into(),
            token: uuid::Uuid::new_v4().to_string(),
            admin: true,
            rules: Vec::new(),
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

fn tls() -> Result<(String, Arc<rustls::ServerConfig>)> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let make = || -> std::result::Result<_, rcgen::Error> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "pgmigrate lab CA");
        let ca = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let names = vec!["127.0.0.1".to_string(), "localhost".to_string()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok((ca.pem(), certificate.der().clone(), key.serialize_der()))
    };
    let (ca, certificate, key) = make().context("make the lab's certificates")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key).map_err(|e| Error::bug(format!("the lab's key: {e}")))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up the lab's TLS")?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .context("set up the lab's TLS")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca, Arc::new(config)))
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
                        async move { respond(&shared, request).await }
                    });
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await.ok();
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// An error here closes the connection without an answer.
async fn respond(shared: &Shared, request: Request<Incoming>) -> std::result::Result<Response<Body>, &'static str> {
    match handle(shared, request).await {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err("dropped by a fault"),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

async fn handle(shared: &Shared, request: Request<Incoming>) -> std::result::Result<Option<Response<Body>>, Refusal> {
    let user = shared.access.user(request.headers())?;
    let (path, query) = (request.uri().path().to_string(), request.uri().query().unwrap_or_default().to_string());
    if let Some(kind) = path
        .strip_prefix("/apis/authorization.k8s.io/v1/")
        .or_else(|| path.strip_prefix("/apis/authentication.k8s.io/v1/"))
    {
        let body = read(request).await?;
        return Ok(Some(review(&user, kind, body)?));
    }
    let Some((mut info, resource)) = request::parse(request.method(), &path, &query) else {
        return discovery::answer(&path, request.headers()).map(Some);
    };
    info.content_type =
        request.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_string();
    let table =
        request.headers().get("accept").and_then(|v| v.to_str().ok()).is_some_and(|accept| accept.contains("as=Table"));
    let count = format!(
        "{} {}",
        info.verb,
        info.subresource.as_deref().map_or(info.resource.clone(), |s| format!("{}/{s}", info.resource))
    );
    *shared.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(count).or_default() += 1;
    user.check(&info)?;
    let streams = matches!(info.subresource.as_deref(), Some("exec" | "portforward" | "log"));
    if streams && matches!(*request.method(), Method::GET | Method::POST) {
        if let Some(response) = fault(shared.faults.before(&info)).await {
            return Ok(response);
        }
        let (pod, subresource) = (info.name.clone().unwrap_or_default(), info.subresource.clone().unwrap_or_default());
        return ws::serve(&shared.store, &shared.node, request, &info.namespace, &pod, &subresource).await.map(Some);
    }
    if request.method() != Method::GET {
        info.body = Some(read(request).await?);
    }
    if let Some(response) = fault(shared.faults.before(&info)).await {
        return Ok(response);
    }
    if info.watch {
        return watch::answer(&shared.store, resource, &info, table).map(Some);
    }
    if let Some(body) = &info.body {
        schema::admit(resource, &info, body)?;
    }
    let (status, value) = verbs::answer(&shared.store, resource, &info, table)?;
    if let Some(response) = fault(shared.faults.after(&info, status)).await {
        return Ok(response);
    }
    Ok(Some(json_response(status, &value)))
}

/// Some: what happens instead. Some(None): the connection is closed.
async fn fault(verdict: Verdict) -> Option<Option<Response<Body>>> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Drop => Some(None),
        Verdict::Answer(code, reason, message) => Some(Some(refused(&Refusal::new(code, reason, message)))),
        Verdict::Delay(time) => {
            tokio::time::sleep(time).await;
            None
        }
    }
}

/// YAML as well as JSON: `kubectl apply --server-side` sends YAML.
async fn read(request: Request<Incoming>) -> std::result::Result<Value, Refusal> {
    let bad = |what: String| Refusal::new(400, "BadRequest", what);
    let bytes = request.into_body().collect().await.map_err(|e| bad(format!("the body was cut: {e}")))?.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).or_else(|_| {
        let text =
            std::str::from_utf8(&bytes).map_err(|_| bad("the body is not text (protobuf is not served)".into()))?;
        serde_saphyr::from_str(text).map_err(|e| bad(format!("the body is neither JSON nor YAML: {e}")))
    })
}

fn review(user: &User, kind: &str, mut body: Value) -> std::result::Result<Response<Body>, Refusal> {
    match kind {
        "selfsubjectaccessreviews" => {
            let asked = body["spec"]["resourceAttributes"].clone();
            let text = |field: &str| asked[field].as_str().unwrap_or_default();
            let sub = Some(text("subresource")).filter(|sub| !sub.is_empty());
            let allowed = user.may(text("verb"), text("group"), text("resource"), sub);
            body["status"] = json!({ "allowed": allowed });
            Ok(json_response(201, &body))
        }
        "selfsubjectreviews" => {
            body["status"] = json!({ "userInfo": { "username": user.name } });
            Ok(json_response(201, &body))
        }
        other => Err(Refusal::not_found("resource", other)),
    }
}

pub fn json_response(status: u16, value: &Value) -> Response<Body> {
    let body: Body = Full::new(Bytes::from(value.to_string())).map_err(|never: Infallible| match never {}).boxed();
    let response = Response::builder().status(status).header("Content-Type", "application/json");
    response.body(body).expect("a known status and a constant header")
}

/// metav1.Status
pub fn status(refusal: &Refusal) -> Value {
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": refusal.message, "reason": refusal.reason, "code": refusal.code,
    });
    if !refusal.causes.is_empty() {
        status["details"] = json!({ "causes": refusal.causes });
    }
    status
}

pub fn refused(refusal: &Refusal) -> Response<Body> {
    json_response(refusal.code, &status(refusal))
}
