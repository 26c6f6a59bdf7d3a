//! HorizontalPodAutoscalers: without metrics there is only the floor to hold. At 0 replicas a real one does nothing
//! either ("scaling is disabled since the replica count of the target is zero").
use super::object::{condition, name, namespace, set_status, text, told};
use crate::lab::api::store::Store;
use serde_json::Value;

const RESOURCE: &str = "horizontalpodautoscalers.autoscaling";

pub fn settle(store: &Store) {
    for hpa in store.list(RESOURCE, None) {
        let target = &hpa["spec"]["scaleTargetRef"];
        if target["kind"] == "Deployment" {
            hold(store, &hpa, text(&target["name"]));
        }
    }
}

fn hold(store: &Store, hpa: &Value, target: &str) {
    let Some(deployment) = store.get("deployments.apps", namespace(hpa), target) else { return };
    let current = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let floor = hpa["spec"]["minReplicas"].as_u64().unwrap_or(1);
    let ceiling = hpa["spec"]["maxReplicas"].as_u64().unwrap_or(u64::MAX);
    let desired = if current == 0 { 0 } else { current.max(floor).min(ceiling) };
    if desired != current {
        let scale = |deployment: &mut Value| deployment["spec"]["replicas"] = desired.into();
        told(RESOURCE, hpa, store.update("deployments.apps", namespace(&deployment), name(&deployment), scale));
    }
    set_status(store, RESOURCE, hpa, |status| {
        status["currentReplicas"] = deployment["status"]["replicas"].as_u64().unwrap_or(0).into();
        status["desiredReplicas"] = desired.into();
        let (reason, message) = match current {
            0 => ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero"),
            _ => ("ValidMetricFound", ""),
        };
        condition(status, "AbleToScale", true, "ReadyForNewScale", "");
        condition(status, "ScalingActive", current != 0, reason, message);
    });
}
