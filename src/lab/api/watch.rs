//! Watches: a stream of lines, from a version on.

use super::{
    answer,
    request::RequestInfo,
    resources::Resource,
    selector::Selector,
    store::{Change, Refusal, Store},
    table::{self, Include},
    ws::Body,
};
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tokio::sync::{broadcast, mpsc};

/// How often a watch that wants bookmarks is told how far it has come.
const BOOKMARK: Duration = Duration::from_secs(20);

/// Once the watch is over. The real server picks a time between half an hour and an hour.
const LONGEST: u64 = 1800;

struct Watcher {
    key: String,
    namespace: String,
    selector: Selector,
    resource: &'static Resource,
    /// Some: rows of a Table.
    table: Option<Include>,
    bookmarks: bool,
}

impl Watcher {
    /// An object that comes to fit the selector is told as ADDED, one that does so no longer as DELETED.
    fn line(&self, change: &Change) -> Option<Value> {
        let object = &change.object;
        let inside = change.resource == self.key
            && (self.namespace.is_empty() || object["metadata"]["namespace"] == self.namespace.as_str());
        if !inside {
            return None;
        }
        let now = change.kind != "DELETED" && self.selector.matches(object);
        let before = change.previous.as_ref().is_some_and(|previous| self.selector.matches(previous));
        let kind = match (before, now) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some(self.event(kind, object))
    }

    fn event(&self, kind: &str, object: &Value) -> Value {
        let object = match self.table {
            Some(include) => table::of(self.resource, std::slice::from_ref(object), &json!({}), include),
            None => object.clone(),
        };
        json!({ "type": kind, "object": object })
    }

    fn bookmark(&self, version: u64, initial: bool) -> Value {
        let mut object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": { "resourceVersion": version.to_string() },
        });
        if initial {
            object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        if let Some(include) = self.table {
            object = table::of(self.resource, &[object], &json!({ "resourceVersion": version.to_string() }), include);
        }
        json!({ "type": "BOOKMARK", "object": object })
    }

    /// What is there, for a watch that begins without a version; and the version it is from.
    fn initial(&self, store: &Store, with_end: bool) -> (u64, Vec<Value>) {
        let (version, objects) = store.snapshot(&self.key, Some(self.namespace.as_str()).filter(|n| !n.is_empty()));
        let fits = objects.iter().filter(|object| self.selector.matches(object));
        let mut lines: Vec<Value> = fits.map(|object| self.event("ADDED", object)).collect();
        if with_end && self.bookmarks {
            lines.push(self.bookmark(version, true));
        }
        (version, lines)
    }

    /// None: nobody listens any more, or the watch fell too far behind.
    async fn run(self, start: Start, lines: mpsc::Sender<Value>) -> Option<()> {
        let Start { first, since, mut later, from } = start;
        for line in first.into_iter().chain(since.iter().filter_map(|change| self.line(change))) {
            lines.send(line).await.ok()?;
        }
        let mut seen = since.last().map_or(from, |change| change.resource_version);
        let mut due = tokio::time::interval_at(tokio::time::Instant::now() + BOOKMARK, BOOKMARK);
        loop {
            tokio::select! {
                change = later.recv() => match change {
                    Ok(change) if change.resource_version <= seen => {}
                    Ok(change) => {
                        seen = change.resource_version;
                        if let Some(line) = self.line(&change) {
                            lines.send(line).await.ok()?;
                        }
                    }
                    // Too slow to follow: the client lists anew.
                    Err(_) => {
                        let gone = answer::status(&expired("too old resource version"), None);
                        return lines.send(json!({ "type": "ERROR", "object": gone })).await.ok();
                    }
                },
                _ = due.tick() => if self.bookmarks {
                    lines.send(self.bookmark(seen, false)).await.ok()?;
                },
                () = lines.closed() => return None,
            }
        }
    }
}

struct Start {
    first: Vec<Value>,
    since: Vec<Change>,
    later: broadcast::Receiver<Change>,
    from: u64,
}

fn expired(message: &str) -> Refusal {
    Refusal::new(410, "Expired", message)
}

pub fn answer(
    store: &Store,
    resource: &'static Resource,
    info: &RequestInfo,
    table: bool,
) -> Result<Response<Body>, Refusal> {
    let query = |name: &str| info.query.get(name).map(String::as_str);
    let watcher = Watcher {
        key: resource.key(),
        namespace: info.namespace.clone(),
        selector: Selector::of(resource, info)?,
        resource,
        table: table.then(|| Include::asked(info)),
        bookmarks: info.flag("allowWatchBookmarks"),
    };
    let asked = query("resourceVersion").unwrap_or_default();
    let invalid = || Refusal::new(400, "BadRequest", format!("invalid resource version {asked:?}"));
    let version = if asked.is_empty() { 0 } else { asked.parse::<u64>().map_err(|_| invalid())? };
    // Without a version a watch begins with what is there; `sendInitialEvents` decides it outright.
    let from_list = query("sendInitialEvents").map_or(version == 0, |_| info.flag("sendInitialEvents"));
    let (from, first) = match (from_list, version) {
        (true, _) => watcher.initial(store, info.flag("sendInitialEvents")),
        (false, 0) => (store.version(), Vec::new()),
        (false, version) => (version, Vec::new()),
    };
    let Some((since, later)) = store.changes_since(from) else {
        return Err(expired(&format!("too old resource version: {from} ({})", store.version())));
    };
    let (lines, mut receiver) = mpsc::channel::<Value>(256);
    let time = Duration::from_secs(query("timeoutSeconds").and_then(|s| s.parse().ok()).unwrap_or(LONGEST));
    tokio::spawn(tokio::time::timeout(time, watcher.run(Start { first, since, later, from }, lines)));
    let frame = |line: Value| Ok::<_, Infallible>(Frame::data(Bytes::from(format!("{line}\n"))));
    let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|line| line.map(frame)));
    let body: Body = BodyExt::boxed(StreamBody::new(stream));
    let mut response = Response::new(body);
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}
