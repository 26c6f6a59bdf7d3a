//! What the API server adds to an object that leaves it out, as far as somebody looks at it.

use super::resources::Resource;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A Secret's `stringData` becomes `data` on every write.
pub fn encode_strings(resource: &Resource, object: &mut Value) {
    if resource.key() != "secrets" {
        return;
    }
    if let Some(Value::Object(texts)) = object.as_object_mut().and_then(|map| map.remove("stringData")) {
        for (key, text) in texts {
            object["data"][key] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
        }
    }
}

pub fn fill(resource: &Resource, object: &mut Value) {
    match resource.key().as_str() {
        "secrets" => default(object, "type", json!("Opaque")),
        "namespaces" => {
            let name = object["metadata"]["name"].clone();
            default(&mut object["metadata"]["labels"], "kubernetes.io/metadata.name", name);
            default(object, "spec", json!({ "finalizers": ["kubernetes"] }));
            default(object, "status", json!({ "phase": "Active" }));
        }
        "deployments.apps" | "statefulsets.apps" | "replicasets.apps" => {
            default(&mut object["spec"], "replicas", json!(1));
            protocols(object, "/spec/template/spec/containers");
        }
        "services" => {
            default(&mut object["spec"], "type", json!("ClusterIP"));
            for port in object.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten() {
                default(port, "protocol", json!("TCP"));
            }
        }
        "cronjobs.batch" => {
            default(&mut object["spec"], "suspend", json!(false));
            default(&mut object["spec"], "concurrencyPolicy", json!("Allow"));
        }
        "pods" => {
            default(object, "status", json!({ "phase": "Pending" }));
            protocols(object, "/spec/containers");
        }
        "poolers.postgresql.cnpg.io" => {
            default(&mut object["spec"], "instances", json!(1));
            default(&mut object["spec"], "type", json!("rw"));
        }
        _ => {}
    }
}

/// TCP, where a port names no protocol. `holders`: the list of what has ports, by JSON pointer.
fn protocols(object: &mut Value, holders: &str) {
    let Some(Value::Array(holders)) = object.pointer_mut(holders) else { return };
    for port in holders.iter_mut().filter_map(|holder| holder.get_mut("ports")?.as_array_mut()).flatten() {
        default(port, "protocol", json!("TCP"));
    }
}

fn default(object: &mut Value, field: &str, value: Value) {
    if object.is_null() {
        *object = json!({});
    }
    if let Some(map) = object.as_object_mut() {
        let there = map.entry(field.to_owned()).or_insert(Value::Null);
        if there.is_null() {
            *there = value;
        }
    }
}
