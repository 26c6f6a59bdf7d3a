//! What source and target stand on: the namespace, the operators' own configuration, the Cluster's schema, free storage.
//! Most of it is outside of the migration's namespace: a Role does not let it be seen, and that is no failure.

use super::text;
use crate::{
    error::Result,
    kube::{Kind, Kube, kind},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Of the namespace.
pub async fn labels(kube: &Kube) -> Result<BTreeMap<String, String>> {
    let namespace = kube.get(&kind::NAMESPACE, kube.namespace()).await?.unwrap_or_default();
    Ok(serde_json::from_value(namespace["metadata"]["labels"].clone()).unwrap_or_default())
}

/// What of the Zalando operator's configuration a migration depends on, under the keys of its ConfigMap (zalando.md 2, 10).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// `operatorconfiguration/name` or `configmap/name`, with the namespace.
    pub object: String,
    pub settings: BTreeMap<String, String>,
}

/// None of these is a secret's place.
const SETTINGS: &[&str] = &[
    "cluster_name_label",
    "enable_cross_namespace_secret",
    "enable_finalizers",
    "enable_owner_references",
    "enable_password_rotation",
    "enable_persistent_volume_claim_deletion",
    "enable_pod_disruption_budget",
    "enable_secrets_deletion",
    "password_rotation_interval",
    "pod_role_label",
    "repair_period",
    "resync_period",
    "secret_name_template",
    "watched_namespace",
];

impl Configuration {
    pub fn get(&self, setting: &str) -> &str {
        self.settings.get(setting).map_or("", String::as_str)
    }

    /// The object's leaves: a ConfigMap's are flat, an OperatorConfiguration's are in groups.
    fn read(object: &Value, values: &Value) -> Configuration {
        let metadata = |key: &str| text(&object["metadata"], key).to_owned();
        let kind = text(object, "/kind").to_lowercase();
        let mut found = Configuration {
            object: format!("{kind}/{} in {}", metadata("/name"), metadata("/namespace")),
            ..Configuration::default()
        };
        found.take(values);
        found
    }

    fn take(&mut self, values: &Value) {
        for (key, value) in values.as_object().into_iter().flatten() {
            match value {
                Value::Object(_) => self.take(value),
                Value::String(value) if SETTINGS.contains(&key.as_str()) => {
                    self.settings.insert(key.clone(), value.clone());
                }
                Value::Bool(_) | Value::Number(_) if SETTINGS.contains(&key.as_str()) => {
                    self.settings.insert(key.clone(), value.to_string());
                }
                _ => {}
            }
        }
    }
}

/// Of the first operator that is found; None: it keeps its configuration where nobody names it.
pub async fn zalando(kube: &Kube) -> Result<Option<Configuration>> {
    let found = kube.list_all(&kind::OPERATOR_CONFIGURATION, "").await?;
    if let Some(object) = found.first() {
        return Ok(Some(Configuration::read(object, &object["configuration"])));
    }
    let operators = kube.list_all(&kind::DEPLOYMENT, "app.kubernetes.io/name=postgres-operator").await?;
    let Some((namespace, name)) = operators.iter().find_map(config_map) else { return Ok(None) };
    let map = kube.in_namespace(namespace).get(&kind::CONFIG_MAP, name).await?;
    Ok(map.map(|map| Configuration::read(&map, &map["data"])))
}

/// Namespace and name of the ConfigMap that the operator's Deployment names.
fn config_map(deployment: &Value) -> Option<(&str, &str)> {
    let env = super::list(deployment, "/spec/template/spec/containers/0/env");
    let named = env.iter().find(|variable| text(variable, "/name") == "CONFIG_MAP_NAME")?;
    Some((text(deployment, "/metadata/namespace"), text(named, "/value").rsplit('/').next()?))
}

/// Which fields a type has, as the API server publishes it to everybody who may log in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fields(pub BTreeSet<String>);

impl Fields {
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    /// `.spec.bootstrap.initdb`, every path down to what has no properties. A list's items are its own.
    fn read(document: &Value, kind: &Kind) -> Option<Fields> {
        let schemas = document["components"]["schemas"].as_object()?;
        let is = |schema: &&Value| {
            let of = super::list(schema, "/x-kubernetes-group-version-kind");
            of.iter().any(|of| of["kind"] == kind.kind && of["group"] == kind.group && of["version"] == kind.version)
        };
        let mut found = BTreeSet::new();
        walk(schemas.values().find(is)?, "", &mut found);
        Some(Fields(found))
    }
}

fn walk(schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    let item = &schema["items"];
    let properties = if item.is_object() { &item["properties"] } else { &schema["properties"] };
    for (name, inner) in properties.as_object().into_iter().flatten() {
        let path = format!("{at}.{name}");
        walk(inner, &path, found);
        found.insert(path);
    }
}

/// None: the API server does not have the type.
pub async fn fields(kube: &Kube, kind: &Kind) -> Result<Option<Fields>> {
    let document = kube.openapi(kind).await?;
    Ok(document.and_then(|document| Fields::read(&document, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_the_operators_configuration() {
        let metadata = json!({"name": "op", "namespace": "ops"});
        let kubernetes = json!({"watched_namespace": "*", "pod_environment_secret": "s", "enable_finalizers": true});
        let object = json!({"kind": "OperatorConfiguration", "metadata": metadata, "configuration":
            {"resync_period": "30m", "kubernetes": kubernetes, "users": {"enable_password_rotation": true}}});
        let read = Configuration::read(&object, &object["configuration"]);
        assert_eq!(read.object, "operatorconfiguration/op in ops");
        let settings: Vec<String> = read.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let all =
            ["enable_finalizers=true", "enable_password_rotation=true", "resync_period=30m", "watched_namespace=*"];
        assert_eq!(settings, all);
        let map =
            json!({"kind": "ConfigMap", "metadata": metadata, "data": {"watched_namespace": "*", "PASSWORD": "x"}});
        assert_eq!(Configuration::read(&map, &map["data"]).settings.len(), 1);
    }

    #[test]
    fn fields_of_a_published_schema() {
        let of = json!([{"group": "postgresql.cnpg.io", "version": "v1", "kind": "Cluster"}]);
        let plugins = json!({"type": "array", "items": {"properties": {"name": {"type": "string"}}}});
        let spec = json!({"properties": {"plugins": plugins, "instances": {"type": "integer"}}});
        let schema = json!({"x-kubernetes-group-version-kind": of, "properties": {"spec": spec}});
        let document = json!({"components": {"schemas": {"a": {"properties": {}}, "b": schema}}});
        let fields = Fields::read(&document, &kind::CLUSTER).expect("a Cluster");
        assert!(fields.has(".spec.plugins.name") && fields.has(".spec.instances") && !fields.has(".spec.replica"));
        assert_eq!(Fields::read(&document, &kind::POOLER), None);
    }
}
