//! StatefulSets: pods with numbers, one after the other. Those of the Zalando operator are Patroni's and are left alone.
use super::{
    object::{self, count, is_ready, name, namespace, owned, set_status, text, told},
    pod,
};
use crate::lab::api::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;

const RESOURCE: &str = "statefulsets.apps";
const REVISION: &str = "controller-revision-hash";

pub fn settle(store: &Store) {
    for set in store.list(RESOURCE, None) {
        if set["metadata"]["labels"]["application"] != "spilo" && !object::leaving(&set) {
            order(store, &set);
            report(store, &set);
        }
    }
}

fn revision(set: &Value) -> String {
    format!("{}-{}", name(set), object::template_hash(&set["spec"]["template"]))
}

fn wanted(set: &Value) -> usize {
    set["spec"]["replicas"].as_u64().unwrap_or(1) as usize
}

/// Pods by their number.
fn pods(store: &Store, set: &Value) -> Vec<(usize, Arc<Value>)> {
    let prefix = format!("{}-", name(set));
    let number = |pod: &Arc<Value>| name(pod).strip_prefix(&prefix)?.parse().ok();
    let mut all: Vec<_> = owned(store, "pods", set).into_iter().filter_map(|pod| Some((number(&pod)?, pod))).collect();
    all.sort_by_key(|(number, _)| *number);
    all
}

/// One change at a time: the next comes when all that should run are ready and none is leaving.
fn order(store: &Store, set: &Value) {
    let (pods, wanted) = (pods(store, set), wanted(set));
    let parallel = set["spec"]["podManagementPolicy"] == "Parallel";
    for number in (0..wanted).filter(|number| !pods.iter().any(|(n, _)| n == number)) {
        let lower_ready = pods.iter().filter(|(n, pod)| *n < number && is_ready(pod)).count() == number;
        if parallel || lower_ready {
            create(store, set, number);
        }
        if !parallel {
            return;
        }
    }
    if pods.iter().any(|(_, pod)| object::leaving(pod)) {
        return;
    }
    if let Some((_, last)) = pods.iter().rev().find(|(number, _)| *number >= wanted) {
        return pod::delete(store, last);
    }
    let on_delete = set["spec"]["updateStrategy"]["type"] == "OnDelete";
    let revision = revision(set);
    let outdated = pods.iter().rev().find(|(_, pod)| pod["metadata"]["labels"][REVISION] != revision.as_str());
    if let (false, Some((number, pod))) = (on_delete, outdated)
        && pods.iter().all(|(n, other)| n == number || is_ready(other))
    {
        pod::delete(store, pod);
    }
}

fn create(store: &Store, set: &Value, number: usize) {
    let pod = format!("{}-{number}", name(set));
    for claim in object::array(&set["spec"]["volumeClaimTemplates"]) {
        let mut claim = claim.clone();
        claim["metadata"]["name"] = format!("{}-{pod}", text(&claim["metadata"]["name"])).into();
        claim["metadata"]["namespace"] = namespace(set).into();
        claim["status"] = json!({"phase": "Bound", "capacity": claim["spec"]["resources"]["requests"]});
        if store.get("persistentvolumeclaims", namespace(set), name(&claim)).is_none() {
            told(RESOURCE, set, store.create("persistentvolumeclaims", claim));
        }
    }
    let revision = revision(set);
    let labels = [(REVISION, revision.as_str()), ("statefulset.kubernetes.io/pod-name", pod.as_str())];
    pod::create(store, set, &set["spec"]["template"], &pod, &labels);
}

fn report(store: &Store, set: &Value) {
    let (pods, revision) = (pods(store, set), revision(set));
    let ready = pods.iter().filter(|(_, pod)| is_ready(pod)).count();
    let updated = pods.iter().filter(|(_, pod)| pod["metadata"]["labels"][REVISION] == revision.as_str()).count();
    set_status(store, RESOURCE, set, |status| {
        status["observedGeneration"] = set["metadata"]["generation"].clone();
        status["replicas"] = pods.len().into();
        for (key, number) in [("readyReplicas", ready), ("currentReplicas", updated), ("updatedReplicas", updated)] {
            count(status, key, number);
        }
        status["availableReplicas"] = ready.into();
        status["updateRevision"] = revision.as_str().into();
        if updated == pods.len() || status["currentRevision"].is_null() {
            status["currentRevision"] = revision.as_str().into();
        }
    });
}
