//! ReplicaSets: as many active pods as asked for.
use super::{
    object::{self, count, is_active, is_ready, name, owned, set_status},
    pod,
};
use crate::lab::api::store::Store;
use serde_json::Value;
use std::sync::Arc;

pub const RESOURCE: &str = "replicasets.apps";
pub const HASH: &str = "pod-template-hash";

pub fn wanted(set: &Value) -> usize {
    set["spec"]["replicas"].as_u64().unwrap_or(1) as usize
}

pub fn ready(set: &Value) -> usize {
    set["status"]["readyReplicas"].as_u64().unwrap_or(0) as usize
}

pub fn settle(store: &Store, set: &Value) {
    let pods = owned(store, "pods", set);
    // Pods on their way out are not counted: status.replicas may be 0 while processes still run, as on a real cluster.
    let mut active: Vec<Arc<Value>> = pods.into_iter().filter(|pod| is_active(pod)).collect();
    let wanted = if object::leaving(set) { 0 } else { wanted(set) };
    for _ in active.len()..wanted {
        let pod = format!("{}-{}", name(set), object::random_suffix());
        pod::create(store, set, &set["spec"]["template"], &pod, &[]);
    }
    object::worst_first(&mut active);
    for pod in active.iter().take(active.len().saturating_sub(wanted)) {
        pod::delete(store, pod);
    }
    let active: Vec<_> = owned(store, "pods", set).into_iter().filter(|pod| is_active(pod)).collect();
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    set_status(store, RESOURCE, set, |status| {
        status["replicas"] = active.len().into();
        for (key, number) in
            [("fullyLabeledReplicas", active.len()), ("readyReplicas", ready), ("availableReplicas", ready)]
        {
            count(status, key, number);
        }
        status["observedGeneration"] = set["metadata"]["generation"].clone();
    });
}
