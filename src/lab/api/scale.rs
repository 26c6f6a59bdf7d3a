//! The `scale` subresource: an autoscaling/v1 Scale as a view of one number.

use super::resources::Resource;
use serde_json::{Value, json};

/// The field of the spec behind `spec.replicas`.
pub fn field(resource: &Resource) -> &'static str {
    if resource.custom { "instances" } else { "replicas" }
}

pub fn of(object: &Value) -> Value {
    let meta = &object["metadata"];
    let spec = object["spec"]["replicas"].as_i64().or(object["spec"]["instances"].as_i64()).unwrap_or(1);
    let status = object["status"]["replicas"].as_i64().or(object["status"]["instances"].as_i64()).unwrap_or(0);
    let labels = object["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let selector: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {
            "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": { "replicas": spec }, "status": { "replicas": status, "selector": selector.join(",") },
    })
}
