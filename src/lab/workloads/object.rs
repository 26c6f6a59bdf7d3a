//! Parts that many Kubernetes objects have in common.
use crate::lab::api::store::{Refusal, Store};
use serde_json::{Value, json};
use std::{cmp::Reverse, sync::Arc};

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

pub fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

pub fn leaving(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// metav1.Time: seconds.
pub fn now() -> String {
    rfc3339(jiff::Timestamp::now())
}

pub fn rfc3339(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub fn controller_reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }])
}

pub fn owned_by(object: &Value, owner: &Value) -> bool {
    array(&object["metadata"]["ownerReferences"])
        .iter()
        .any(|r| r["controller"] == true && r["uid"] == owner["metadata"]["uid"])
}

pub fn owned(store: &Store, resource: &str, owner: &Value) -> Vec<Arc<Value>> {
    let mut all = store.list(resource, Some(namespace(owner)));
    all.retain(|object| owned_by(object, owner));
    all
}

/// Ready is what counts as available too: the lab takes no notice of minReadySeconds.
pub fn is_ready(pod: &Value) -> bool {
    array(&pod["status"]["conditions"]).iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Neither on its way out nor ended: what controllers count.
pub fn is_active(pod: &Value) -> bool {
    !leaving(pod) && !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// Those that are better deleted first: not ready, then the youngest.
pub fn worst_first(pods: &mut [Arc<Value>]) {
    pods.sort_by_key(|pod| {
        let born = text(&pod["metadata"]["creationTimestamp"]).to_owned();
        (is_ready(pod), Reverse(born))
    });
}

/// Sets a condition; its transition time changes with its status only.
pub fn condition(status: &mut Value, kind: &str, state: bool, reason: &str, message: &str) {
    let state = if state { "True" } else { "False" };
    let before = array(&status["conditions"]).iter().find(|c| c["type"] == kind).cloned().unwrap_or_default();
    let since = if before["status"] == state { before["lastTransitionTime"].clone() } else { now().into() };
    let mut new = json!({"type": kind, "status": state, "lastTransitionTime": since});
    for (key, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            new[key] = value.into();
        }
    }
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    if let Some(all) = status["conditions"].as_array_mut() {
        match all.iter_mut().find(|c| c["type"] == kind) {
            Some(old) => *old = new,
            None => all.push(new),
        }
    }
}

/// A count as the API writes it: absent when zero (`omitempty`).
pub fn count(status: &mut Value, key: &str, number: usize) {
    match (number, status.as_object_mut()) {
        (0, Some(fields)) => drop(fields.shift_remove(key)),
        (_, Some(fields)) => drop(fields.insert(key.into(), number.into())),
        (_, None) => {}
    }
}

/// Replaces an object's status by what `change` makes of it.
pub fn set_status(store: &Store, resource: &str, object: &Value, change: impl FnOnce(&mut Value)) {
    let written = store.update(resource, namespace(object), name(object), |object| {
        if !object["status"].is_object() {
            object["status"] = json!({});
        }
        change(&mut object["status"]);
    });
    told(resource, object, written);
}

/// Logs what the store refused; an object that has just gone is no news.
pub fn told<T>(resource: &str, object: &Value, outcome: Result<T, Refusal>) -> Option<T> {
    outcome
        .inspect_err(|refusal| {
            if refusal.reason != "NotFound" {
                tracing::warn!("{resource} {}/{}: {}", namespace(object), name(object), refusal.message);
            }
        })
        .ok()
}

/// Five characters of the alphabet that Kubernetes uses for generated names.
pub fn random_suffix() -> String {
    safe(uuid::Uuid::new_v4().as_bytes(), 5)
}

/// A name for a template: the same template has the same one.
pub fn template_hash(template: &Value) -> String {
    use sha2::Digest;
    safe(&sha2::Sha256::digest(template.to_string().as_bytes()), 10)
}

fn safe(bytes: &[u8], length: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    bytes.iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}
