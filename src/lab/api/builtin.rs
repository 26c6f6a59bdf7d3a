//! Built-in types, held against the client library's own structs: what they do not carry along is unknown.

use super::{resources::Resource, store::Refusal};
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Paths of unknown fields; Err: a value of the wrong type.
pub fn unknown(resource: &Resource, body: &Value) -> Result<Vec<String>, Refusal> {
    let carried = match resource.key().as_str() {
        "pods" => carry::<core::Pod>(body),
        "secrets" => carry::<core::Secret>(body),
        "configmaps" => carry::<core::ConfigMap>(body),
        "services" => carry::<core::Service>(body),
        "endpoints" => carry::<core::Endpoints>(body),
        "persistentvolumeclaims" => carry::<core::PersistentVolumeClaim>(body),
        "resourcequotas" => carry::<core::ResourceQuota>(body),
        "limitranges" => carry::<core::LimitRange>(body),
        "namespaces" => carry::<core::Namespace>(body),
        "serviceaccounts" => carry::<core::ServiceAccount>(body),
        "deployments.apps" => carry::<apps::Deployment>(body),
        "statefulsets.apps" => carry::<apps::StatefulSet>(body),
        "jobs.batch" => carry::<batch::Job>(body),
        "cronjobs.batch" => carry::<batch::CronJob>(body),
        "leases.coordination.k8s.io" => carry::<coordination::Lease>(body),
        "horizontalpodautoscalers.autoscaling" => carry::<autoscaling::HorizontalPodAutoscaler>(body),
        "networkpolicies.networking.k8s.io" => carry::<networking::NetworkPolicy>(body),
        "poddisruptionbudgets.policy" => carry::<policy::PodDisruptionBudget>(body),
        "roles.rbac.authorization.k8s.io" => carry::<rbac::Role>(body),
        "rolebindings.rbac.authorization.k8s.io" => carry::<rbac::RoleBinding>(body),
        _ => return Ok(Vec::new()),
    };
    let (kind, version) = (resource.kind, resource.version);
    let carried = carried.map_err(|error| {
        let message = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: json: {error}");
        Refusal::new(400, "BadRequest", message)
    })?;
    let mut found = Vec::new();
    lost(body, &carried, "", &mut found);
    Ok(found)
}

fn carry<T: Serialize + DeserializeOwned>(body: &Value) -> serde_json::Result<Value> {
    // The library insists on these two; the path names the type already.
    serde_json::to_value(T::deserialize(body)?)
}

fn lost(given: &Value, carried: &Value, at: &str, found: &mut Vec<String>) {
    match (given, carried) {
        (Value::Object(given), Value::Object(carried)) => {
            for (field, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let at = if at.is_empty() { field.clone() } else { format!("{at}.{field}") };
                match carried.get(field) {
                    Some(inner) => lost(value, inner, &at, found),
                    None => found.push(at),
                }
            }
        }
        (Value::Array(given), Value::Array(carried)) => {
            for (i, (given, carried)) in given.iter().zip(carried).enumerate() {
                lost(given, carried, &format!("{at}[{i}]"), found);
            }
        }
        _ => {}
    }
}
