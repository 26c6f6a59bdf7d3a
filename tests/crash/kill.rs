//! Where the runner is lost: at a write of its journal.
use pgmigrate::lab::{api::request::RequestInfo, faults::Matching, faults::Moment};
use serde_json::Value;

#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// The intent is in the journal, the runner never learned of it: nothing of the step has been done.
    Started,
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
            Cut::Started | Cut::Undoing => Moment::After,
            Cut::Applied | Cut::Undone => Moment::Before,
        }
    }

    /// A write that brings this point's entry: one with a number above `last`.
    pub fn matching(&self, last: u64) -> Matching {
        let (step, cut) = (self.step.clone(), self.cut);
        Box::new(move |request| {
            let wanted = |entry: &Value| {
                let kind = entry["entry"].as_str().unwrap_or_default();
                let of_cut = match cut {
                    Cut::Started => matches!(kind, "started" | "found"),
                    Cut::Applied => matches!(kind, "done" | "found"),
                    Cut::Undoing => kind == "revert-started",
                    Cut::Undone => kind == "reverted",
                };
                of_cut && entry["step"] == step.as_str()
            };
            written(request).iter().any(|entry| entry["seq"].as_u64() > Some(last) && wanted(entry))
        })
    }
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
