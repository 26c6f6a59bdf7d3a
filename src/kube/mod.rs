//! Everything that is asked of the Kubernetes API, on plain JSON values.

mod ask;
mod config;
pub mod dialogue;
pub mod exec;
pub mod flags;
pub mod forward;
pub mod kind;
pub mod lease;
mod machine;
mod proxy;
mod refusal;
pub mod review;
pub mod wait;

use crate::error::{Context, Error, Result};
use ask::{Ask, escape};
pub use kind::Kind;
pub use machine::{Used, used};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
pub use wait::Probe;

/// The field manager of everything this program writes.
pub const FIELD_MANAGER: &str = "kubectl-pgmigrate";
/// The longest one call may take when --request-timeout does not say.
const DEADLINE: Duration = Duration::from_secs(30);
/// `--request-timeout 0`: no limit that anybody will live to see.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);
/// Objects per page of a list, client-go's own number.
const PAGE: usize = 500;

/// A client bound to one namespace. Cheap to clone. Every call has a deadline.
///
/// Reads are repeated (at most 5 times, inside the deadline) on 429, 5xx and lost connections; a write only when the
/// server did not begin it: 429, or no connection. [`is_uncertain`] tells a write that may have been done all the same.
#[derive(Clone)]
pub struct Kube {
    pub(crate) client: ::kube::Client,
    pub(crate) namespace: String,
    pub(crate) deadline: Duration,
    pub(crate) server: Arc<str>,
    pub(crate) calls: Arc<AtomicU64>,
}

impl Kube {
    /// Reads the kubeconfig; asks nothing of the server yet.
    pub async fn connect(flags: &flags::Flags) -> Result<Kube> {
        // The one TLS provider of the process; an error only says that it is installed already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = config::load(flags).await?;
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').into();
        let client = ::kube::Client::try_from(config)
            .with_context(|| format!("cannot make a client for the API server {server}"))?;
        let deadline = match flags.request_timeout {
            None => DEADLINE,
            Some(Duration::ZERO) => UNLIMITED,
            Some(wanted) => wanted,
        };
        Ok(Kube { client, namespace, deadline, server, calls: Arc::default() })
    }
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }
    /// Requests sent so far by this client and all its clones, repeats and streams included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
    pub fn in_namespace(&self, namespace: &str) -> Kube {
        Kube { namespace: namespace.to_string(), ..self.clone() }
    }
    /// None: not found; also when the cluster does not know the kind.
    pub async fn get(&self, kind: &Kind, name: &str) -> Result<Option<Value>> {
        let ask = Ask::get("get", self.path(kind, false, Some(named(kind, name)?)), one(kind, name));
        match self.ask(&ask).await {
            Ok(text) => parse(&text, &ask).map(Some),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
    /// `labels`: a label selector, "" for all. Empty also when the cluster does not know the kind (a CRD not installed).
    pub async fn list(&self, kind: &Kind, labels: &str) -> Result<Vec<Value>> {
        let query = format!("labelSelector={}", escape(labels));
        Ok(self.pages(kind, false, &query).await?.unwrap_or_default().0)
    }
    /// The same in every namespace.
    pub async fn list_all(&self, kind: &Kind, labels: &str) -> Result<Vec<Value>> {
        let query = format!("labelSelector={}", escape(labels));
        Ok(self.pages(kind, true, &query).await?.unwrap_or_default().0)
    }
    /// All pages and the resourceVersion a watch can go on from; None when the cluster does not know the kind.
    pub(crate) async fn pages(
        &self,
        kind: &Kind,
        everywhere: bool,
        query: &str,
    ) -> Result<Option<(Vec<Value>, String)>> {
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("{}?limit={PAGE}&continue={}&{query}", self.path(kind, everywhere, None), escape(&next));
            let ask = Ask::get("list", path, kind.resource());
            let page: Value = match self.ask(&ask).await {
                Ok(text) => parse(&text, &ask)?,
                Err(error) if is_not_found(&error) => return Ok(None),
                // The pages' snapshot is gone: begin again.
                Err(error) if refusal::of(&error).is_some_and(|r| r.code == 410) && !next.is_empty() => {
                    (items, next) = (Vec::new(), String::new());
                    continue;
                }
                Err(error) => return Err(error),
            };
            for item in page["items"].as_array().into_iter().flatten() {
                items.push(typed(kind, item));
            }
            next = page["metadata"]["continue"].as_str().unwrap_or_default().to_string();
            if next.is_empty() {
                return Ok(Some((items, page["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_string())));
            }
        }
    }
    /// Server-side apply: dry run first, strict, field manager `kubectl-pgmigrate`, no force.
    pub async fn apply(&self, kind: &Kind, object: &Value) -> Result<Value> {
        let name = named(kind, object["metadata"]["name"].as_str().unwrap_or_default())?;
        let object = typed(kind, object);
        let path = self.path(kind, false, Some(name));
        let query = format!("fieldManager={FIELD_MANAGER}&force=false&fieldValidation=Strict");
        let mut ask = Ask {
            method: http::Method::PATCH,
            path: format!("{path}?{query}&dryRun=All"),
            content_type: "application/apply-patch+yaml",
            body: object.to_string().into_bytes(),
            verb: "patch",
            resource: one(kind, name),
            repeatable: true,
        };
        self.ask(&ask).await?;
        ask.path = format!("{path}?{query}");
        ask.repeatable = false;
        parse(&self.ask(&ask).await?, &ask)
    }
    /// Strict. [`is_already_exists`] tells an object of that name.
    pub async fn create(&self, kind: &Kind, object: &Value) -> Result<Value> {
        let name = object["metadata"]["name"].as_str().unwrap_or("with a generated name").to_string();
        let ask = self.write(
            http::Method::POST,
            "create",
            self.path(kind, false, None),
            one(kind, &name),
            &typed(kind, object),
        );
        parse(&self.ask(&ask).await?, &ask)
    }
    /// Guarded by the object's metadata.resourceVersion; Err(conflict) is told by [`is_conflict`].
    pub async fn replace(&self, kind: &Kind, object: &Value) -> Result<Value> {
        let name = named(kind, object["metadata"]["name"].as_str().unwrap_or_default())?;
        if object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
            return Err(Error::bug(format!("{} would be replaced without a resourceVersion", one(kind, name))));
        }
        let path = self.path(kind, false, Some(name));
        let ask = self.write(http::Method::PUT, "update", path, one(kind, name), &typed(kind, object));
        parse(&self.ask(&ask).await?, &ask)
    }
    /// Merge patch, strict. A `metadata.resourceVersion` in the patch guards it; without one it sets values, so that
    /// sending it twice is the same as once, and an answer that was lost is asked for again.
    pub async fn merge(&self, kind: &Kind, name: &str, patch: &Value) -> Result<Value> {
        let path = self.path(kind, false, Some(named(kind, name)?));
        let mut ask = self.write(http::Method::PATCH, "patch", path, one(kind, name), patch);
        ask.content_type = "application/merge-patch+json";
        ask.repeatable = patch["metadata"]["resourceVersion"].is_null();
        parse(&self.ask(&ask).await?, &ask)
    }
    /// False: it was not there. Background propagation.
    pub async fn delete(&self, kind: &Kind, name: &str) -> Result<bool> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        let path = self.path(kind, false, Some(named(kind, name)?));
        let mut ask = self.write(http::Method::DELETE, "delete", path.clone(), one(kind, name), &options);
        // Field validation is for bodies that hold an object.
        ask.path = path;
        match self.ask(&ask).await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
    /// `pods/log`, whole, of one container.
    pub async fn logs(&self, pod: &str, container: &str, since_seconds: Option<i64>) -> Result<String> {
        let mut path = format!(
            "{}/log?container={}",
            self.path(&kind::POD, false, Some(named(&kind::POD, pod)?)),
            escape(container)
        );
        if let Some(seconds) = since_seconds {
            path.push_str(&format!("&sinceSeconds={seconds}"));
        }
        self.ask(&Ask::get("get", path, format!("pods/log of {pod}"))).await
    }
    /// OpenAPI v3 of the kind's group and version, which everybody who may log in can read; None: it is not served.
    pub async fn openapi(&self, kind: &Kind) -> Result<Option<Value>> {
        let path = format!("/openapi/v3/apis/{}", kind.api_version());
        let ask = Ask::get("get", path.clone(), path);
        match self.ask(&ask).await {
            Ok(text) => parse(&text, &ask).map(Some),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
    fn write(&self, method: http::Method, verb: &'static str, path: String, resource: String, body: &Value) -> Ask {
        Ask {
            method,
            path: format!("{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"),
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            verb,
            resource,
            repeatable: false,
        }
    }
}

/// `pods/mastodon-postgresql-0`
fn one(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.resource())
}

/// An empty name would turn a get into a list, and a delete into the deletion of all.
fn named<'a>(kind: &Kind, name: &'a str) -> Result<&'a str> {
    match name {
        "" => Err(Error::bug(format!("{} without a name", kind.kind))),
        name => Ok(name),
    }
}

/// The object with its apiVersion and kind, which items of a list lack.
fn typed(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| kind.api_version().into());
        map.entry("kind").or_insert_with(|| kind.kind.into());
    }
    object
}

fn parse(text: &str, ask: &Ask) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("cannot {} {}: the answer is not JSON", ask.verb, ask.resource))
}

/// True when the API server answered 409 because the resourceVersion or a field manager differed.
pub fn is_conflict(error: &Error) -> bool {
    refusal::of(error).is_some_and(|r| r.code == 409 && r.reason != "AlreadyExists")
}

/// True when create found an object of that name.
pub fn is_already_exists(error: &Error) -> bool {
    refusal::of(error).is_some_and(|r| r.code == 409 && r.reason == "AlreadyExists")
}

/// True when RBAC does not allow it.
pub fn is_forbidden(error: &Error) -> bool {
    refusal::of(error).is_some_and(|r| r.code == 403)
}

pub(crate) fn is_not_found(error: &Error) -> bool {
    refusal::of(error).is_some_and(|r| r.code == 404)
}

/// True when a write may have been carried out although it failed: look before doing it again.
pub fn is_uncertain(error: &Error) -> bool {
    if let Some(refusal) = refusal::of(error) {
        return refusal.code >= 500;
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if current.is::<ask::TimedOut>() || current.is::<::kube::Error>() {
            return true;
        }
        next = current.source();
    }
    false
}
