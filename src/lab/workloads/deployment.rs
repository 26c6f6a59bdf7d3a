//! Deployments: one ReplicaSet per template, rolled over from the old to the new.
use super::{
    object::{self, condition, count, name, namespace, owned, set_status, told},
    pod,
    replicaset::{self, HASH},
    rollout,
};
use crate::lab::api::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;

const RESOURCE: &str = "deployments.apps";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub fn settle(store: &Store) {
    for deployment in store.list(RESOURCE, None) {
        if !object::leaving(&deployment) {
            roll(store, &deployment);
        }
    }
    for set in store.list(replicaset::RESOURCE, None) {
        replicaset::settle(store, &set);
    }
    for deployment in store.list(RESOURCE, None) {
        report(store, &deployment);
    }
}

fn hash(deployment: &Value) -> String {
    object::template_hash(&deployment["spec"]["template"])
}

fn desired(deployment: &Value) -> usize {
    deployment["spec"]["replicas"].as_u64().unwrap_or(1) as usize
}

/// The ReplicaSet of the present template (if there is one yet) and the others.
fn sets(store: &Store, deployment: &Value) -> (Option<Arc<Value>>, Vec<Arc<Value>>) {
    let hash = hash(deployment);
    let (mut new, old): (Vec<_>, Vec<_>) = owned(store, replicaset::RESOURCE, deployment)
        .into_iter()
        .partition(|set| set["metadata"]["labels"][HASH] == hash.as_str());
    (new.pop(), old)
}

fn roll(store: &Store, deployment: &Value) {
    let (new, old) = sets(store, deployment);
    let old_pods = || old.iter().map(|set| owned(store, "pods", set).len()).sum();
    let step = rollout::next(
        &deployment["spec"]["strategy"],
        rollout::Sets {
            desired: desired(deployment),
            new_wanted: new.as_deref().map_or(0, replicaset::wanted),
            new_ready: new.as_deref().map_or(0, replicaset::ready),
            old_wanted: old.iter().map(|set| replicaset::wanted(set)).sum(),
            old_present: old_pods(),
        },
    );
    match &new {
        Some(set) => scale(store, set, step.new),
        None if deployment["spec"]["paused"] == true => {}
        None => create(store, deployment, &old, step.new),
    }
    let mut remove = step.remove_old;
    for set in &old {
        let here = remove.min(replicaset::wanted(set));
        remove -= here;
        scale(store, set, replicaset::wanted(set) - here);
    }
}

fn scale(store: &Store, set: &Value, replicas: usize) {
    if replicaset::wanted(set) != replicas {
        let change = |set: &mut Value| set["spec"]["replicas"] = replicas.into();
        told(replicaset::RESOURCE, set, store.update(replicaset::RESOURCE, namespace(set), name(set), change));
    }
}

fn create(store: &Store, deployment: &Value, old: &[Arc<Value>], replicas: usize) {
    let hash = hash(deployment);
    let mut template = deployment["spec"]["template"].clone();
    pod::add_label(&mut template, HASH, &hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.as_str().into();
    let number = |set: &Arc<Value>| object::text(&set["metadata"]["annotations"][REVISION]).parse::<u64>().unwrap_or(0);
    let revision = (old.iter().map(number).max().unwrap_or(0) + 1).to_string();
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"], "annotations": {REVISION: revision},
            "ownerReferences": object::controller_reference(deployment),
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0},
    });
    told(RESOURCE, deployment, store.create(replicaset::RESOURCE, set));
    let annotate = |object: &mut Value| {
        if !object["metadata"]["annotations"].is_object() {
            object["metadata"]["annotations"] = json!({});
        }
        object["metadata"]["annotations"][REVISION] = revision.as_str().into();
    };
    told(RESOURCE, deployment, store.update(RESOURCE, namespace(deployment), name(deployment), annotate));
}

fn report(store: &Store, deployment: &Value) {
    let (new, old) = sets(store, deployment);
    let sum = |key: &str, sets: &[&Arc<Value>]| -> usize {
        sets.iter().map(|set| set["status"][key].as_u64().unwrap_or(0) as usize).sum()
    };
    let all: Vec<&Arc<Value>> = new.iter().chain(&old).collect();
    let fresh: Vec<&Arc<Value>> = new.iter().collect();
    let (replicas, ready, updated) = (sum("replicas", &all), sum("readyReplicas", &all), sum("replicas", &fresh));
    let desired = desired(deployment);
    let complete = replicas == desired && updated == desired && ready == desired;
    set_status(store, RESOURCE, deployment, |status| {
        status["observedGeneration"] = deployment["metadata"]["generation"].clone();
        let unavailable = desired.saturating_sub(ready);
        for (key, number) in [
            ("replicas", replicas),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
            ("unavailableReplicas", unavailable),
        ] {
            count(status, key, number);
        }
        let enough = ready + desired / 4 >= desired;
        let (reason, message) = match enough {
            true => ("MinimumReplicasAvailable", "Deployment has minimum availability."),
            false => ("MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
        };
        condition(status, "Available", enough, reason, message);
        let reason = if complete { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" };
        condition(status, "Progressing", true, reason, "");
    });
}
