//! Where the runner is lost: at a write of its journal.
use pgmigrate::lab::{api::request::RequestInfo, faults::Matching, faults::Moment};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// The intent is in the journal, the runner never learned of it: nothing of the step has been done.
    Started,
    /// The step has made this many changing calls of the API, and no more; or it is done, where it makes
    /// fewer.
    Inside(u32),
    /// A changing call of a script: its intent is in the journal, nothing has been done.
    Called,
    /// That call is done, the journal does not know it.
    Made,
    /// The step is done, the journal does not know it.
    Applied,
    /// On the way back: as `Started`.
    Undoing,
    /// On the way back: as `Applied`.
    Undone,
}

#[derive(Debug, Clone)]
pub struct Point {
    pub step: String,
    pub cut: Cut,
}

impl Point {
    pub fn moment(&self) -> Moment {
        match self.cut {
            Cut::Started | Cut::Inside(_) | Cut::Called | Cut::Undoing => Moment::After,
            Cut::Made | Cut::Applied | Cut::Undone => Moment::Before,
        }
    }

    /// A write that brings this point's entry: one with a number above `last`.
    pub fn matching(&self, last: u64) -> Matching {
        let step = self.step.clone();
        let writes = move |request: &RequestInfo, kinds: &[&str]| {
            let new = |entry: &Value| entry["seq"].as_u64() > Some(last) && entry["step"] == step.as_str();
            let wanted = |entry: &Value| kinds.contains(&entry["entry"].as_str().unwrap_or_default());
            written(request).iter().any(|entry| new(entry) && wanted(entry))
        };
        match self.cut {
            Cut::Started => Box::new(move |request| writes(request, &["started", "found"])),
            Cut::Called => Box::new(move |request| writes(request, &["script-intent"])),
            Cut::Made => Box::new(move |request| writes(request, &["script-done"])),
            Cut::Applied => Box::new(move |request| writes(request, &["done", "found"])),
            Cut::Undoing => Box::new(move |request| writes(request, &["revert-started"])),
            Cut::Undone => Box::new(move |request| writes(request, &["reverted"])),
            Cut::Inside(calls) => {
                let (begun, made) = (AtomicBool::new(false), AtomicU32::new(0));
                Box::new(move |request| {
                    let ended = writes(request, &["done", "found"]);
                    begun.fetch_or(writes(request, &["started"]), SeqCst);
                    let counts = begun.load(SeqCst) && changes(request);
                    ended || counts && made.fetch_add(1, SeqCst) + 1 == calls
                })
            }
        }
    }
}

/// Changes something that is not the runner's own: neither its journal nor its lock.
fn changes(request: &RequestInfo) -> bool {
    matches!(request.verb, "create" | "update" | "patch" | "delete")
        && request.resource != "leases"
        && request.group != "authorization.k8s.io"
        && written(request).is_empty()
}

/// The journal as a request would leave it; empty when it writes none.
fn written(request: &RequestInfo) -> Vec<Value> {
    match &request.body {
        Some(body) if matches!(request.verb, "create" | "update") && request.resource == "configmaps" => entries(body),
        _ => Vec::new(),
    }
}

/// The entries in one of the journal's ConfigMaps.
pub fn entries(object: &Value) -> Vec<Value> {
    if object["metadata"]["labels"]["pgmigrate.dev/journal"].is_null() {
        return Vec::new();
    }
    let text = object["data"]["entries"].as_str().unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
