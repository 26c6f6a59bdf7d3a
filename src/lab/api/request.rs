//! A path and its query, understood: who wants to do what to which object.

use super::resources::{self, Resource};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a fault or an access rule decides by, and what the handlers go by.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// get, list, watch, create, update, patch, delete, deletecollection
    pub verb: &'static str,
    pub group: String,
    pub resource: String,
    pub subresource: Option<String>,
    /// "" where there is none.
    pub namespace: String,
    pub name: Option<String>,
    /// Of a port-forward whose answer may be lost: the text that was sent to the port.
    pub body: Option<Value>,
    pub watch: bool,
    pub query: BTreeMap<String, String>,
    pub content_type: String,
    /// What stands behind `/proxy/` in the path.
    pub rest: String,
    /// First word of User-Agent, up to the slash: the field manager of who names none.
    pub agent: String,
}

impl RequestInfo {
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query.get(name).map(String::as_str), Some("true" | "1"))
    }
    pub fn dry_run(&self) -> bool {
        self.query.get("dryRun").is_some_and(|v| v == "All")
    }
    pub fn strict(&self) -> bool {
        self.query.get("fieldValidation").is_some_and(|v| v == "Strict")
    }
    pub fn manager(&self) -> &str {
        self.query.get("fieldManager").map(String::as_str).filter(|name| !name.is_empty()).unwrap_or(&self.agent)
    }
    /// `pods/exec`, as rules name it.
    pub fn target(&self) -> String {
        self.subresource.as_ref().map_or_else(|| self.resource.clone(), |sub| format!("{}/{sub}", self.resource))
    }
    /// The store's name of the type: `clusters.postgresql.cnpg.io`.
    pub fn key(&self) -> String {
        if self.group.is_empty() { self.resource.clone() } else { format!("{}.{}", self.resource, self.group) }
    }
    /// `fieldSelector=metadata.name=X`: the X.
    pub fn selected_name(&self) -> Option<&str> {
        self.query.get("fieldSelector").and_then(|fields| fields.strip_prefix("metadata.name="))
    }
    pub fn header(&mut self, headers: &http::HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.content_type = text("content-type").to_owned();
        let agent = text("user-agent").split(['/', ' ']).next().unwrap_or_default();
        self.agent = if agent.is_empty() { "unknown".into() } else { agent.into() };
    }
}

/// Splits `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUB`; None: not a resource path.
pub fn parse(method: &http::Method, path: &str, query: &str) -> Option<(RequestInfo, &'static Resource)> {
    let mut parts = path.trim_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    let rest: Vec<&str> = parts.collect();
    // `/namespaces/NAME` alone, and its status, are about the Namespace itself.
    let (namespace, rest) = match rest.as_slice() {
        ["namespaces", namespace, plural, tail @ ..] if !matches!(*plural, "status" | "finalize") => {
            (*namespace, [&[*plural], tail].concat())
        }
        _ => ("", rest),
    };
    let resource = resources::by_path(group, version, rest.first()?)?;
    let (name, subresource) = (rest.get(1).map(|s| s.to_string()), rest.get(2).map(|s| s.to_string()));
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let watch = matches!(query.get("watch").map(String::as_str), Some("true" | "1"));
    let verb = match (method.as_str(), &name) {
        ("GET", _) if watch && subresource.is_none() => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", None) => "deletecollection",
        ("DELETE", Some(_)) => "delete",
        _ => return None,
    };
    let info = RequestInfo {
        verb,
        group: group.into(),
        resource: resource.plural.into(),
        subresource,
        namespace: namespace.into(),
        name,
        body: None,
        watch: verb == "watch",
        query,
        content_type: String::new(),
        rest: rest.get(3..).unwrap_or_default().join("/"),
        agent: String::new(),
    };
    Some((info, resource))
}
