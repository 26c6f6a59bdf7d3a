//! Watches: a stream of lines, from a version on.

use super::{
    request::RequestInfo,
    resources::Resource,
    selector::Selector,
    server,
    store::{Change, Refusal, Store},
    table,
    ws::Body,
};
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tokio::sync::mpsc;

/// What a watcher has seen of an object: an object that leaves its selector is told as DELETED.
struct Watcher {
    key: String,
    namespace: String,
    selector: Selector,
    known: std::collections::HashSet<String>,
    resource: &'static Resource,
    table: bool,
}

impl Watcher {
    fn line(&mut self, change: &Change) -> Option<Value> {
        let object = &change.object;
        let inside = change.resource == self.key
            && (self.namespace.is_empty() || object["metadata"]["namespace"] == self.namespace.as_str());
        if !inside {
            return None;
        }
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_string();
        let kind = match (self.selector.matches(object) && change.kind != "DELETED", self.known.contains(&uid)) {
            (true, false) => {
                self.known.insert(uid);
                if change.kind == "MODIFIED" { "MODIFIED" } else { "ADDED" }
            }
            (true, true) => "MODIFIED",
            (false, true) => {
                self.known.remove(&uid);
                "DELETED"
            }
            // Deleted before this watcher ever saw it: it was there in the list it began from.
            (false, false) if change.kind == "DELETED" && self.selector.matches(object) => "DELETED",
            (false, false) => return None,
        };
        Some(self.event(kind, object))
    }

    fn event(&self, kind: &str, object: &Value) -> Value {
        let object = if self.table {
            table::of(self.resource, std::slice::from_ref(object), &json!({}))
        } else {
            object.clone()
        };
        json!({ "type": kind, "object": object })
    }
}

pub fn answer(
    store: &Store,
    resource: &'static Resource,
    info: &RequestInfo,
    table: bool,
) -> Result<Response<Body>, Refusal> {
    let query = |name: &str| info.query.get(name).map(String::as_str);
    let mut fields = query("fieldSelector").unwrap_or_default().to_string();
    if let Some(name) = &info.name {
        fields = format!("metadata.name={name}");
    }
    let selector = Selector::parse(query("labelSelector"), Some(&fields))?;
    let mut watcher = Watcher {
        key: resource.key(),
        namespace: info.namespace.clone(),
        selector,
        known: Default::default(),
        resource,
        table,
    };
    let version = query("resourceVersion").and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    let mut first = Vec::new();
    let from = if version == 0 {
        // Without a version a watch begins with what is there.
        let now = store.version();
        let namespace = Some(info.namespace.as_str()).filter(|n| !n.is_empty());
        for object in store.list(&watcher.key, namespace) {
            let change = Change { kind: "ADDED", resource: watcher.key.clone(), object, resource_version: now };
            first.extend(watcher.line(&change));
        }
        if info.flag("sendInitialEvents") {
            first.push(bookmark(resource, now, true));
        }
        now
    } else {
        version
    };
    let Some((since, mut later)) = store.changes_since(from) else {
        return Err(Refusal::new(410, "Expired", format!("too old resource version: {from}")));
    };
    let (lines, receiver) = mpsc::channel::<Value>(256);
    let seconds = query("timeoutSeconds").and_then(|s| s.parse().ok()).unwrap_or(1800);
    let bookmarks = info.flag("allowWatchBookmarks");
    tokio::spawn(async move {
        let run = async {
            for line in first {
                lines.send(line).await.ok()?;
            }
            let mut seen = from;
            for change in since {
                seen = change.resource_version;
                if let Some(line) = watcher.line(&change) {
                    lines.send(line).await.ok()?;
                }
            }
            loop {
                match tokio::time::timeout(Duration::from_secs(20), later.recv()).await {
                    Ok(Ok(change)) if change.resource_version <= seen => {}
                    Ok(Ok(change)) => {
                        seen = change.resource_version;
                        if let Some(line) = watcher.line(&change) {
                            lines.send(line).await.ok()?;
                        }
                    }
                    // Too slow to follow: the client lists anew.
                    Ok(Err(_)) => {
                        let gone = server::status(&Refusal::new(410, "Expired", "too old resource version"));
                        lines.send(json!({ "type": "ERROR", "object": gone })).await.ok()?;
                        return None::<()>;
                    }
                    Err(_) if bookmarks => lines.send(bookmark(resource, seen, false)).await.ok()?,
                    Err(_) if lines.is_closed() => return None,
                    Err(_) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(seconds), run).await.ok();
    });
    let mut receiver = receiver;
    let stream = futures::stream::poll_fn(move |cx| {
        receiver
            .poll_recv(cx)
            .map(|line| line.map(|line| Ok::<_, Infallible>(Frame::data(Bytes::from(format!("{line}\n"))))))
    });
    let body = BodyExt::boxed(StreamBody::new(stream));
    let response = Response::builder().header("Content-Type", "application/json");
    Ok(response.body(body).expect("a constant header"))
}

fn bookmark(resource: &Resource, version: u64, initial: bool) -> Value {
    let mut object = json!({ "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": { "resourceVersion": version.to_string() } });
    if initial {
        object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    json!({ "type": "BOOKMARK", "object": object })
}
