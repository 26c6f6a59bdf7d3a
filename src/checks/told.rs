//! What was seen, as one document to attach to a ticket (`check --facts`). No secret is in it, by two rules: of Kubernetes'
//! objects only those fields are taken in which none can stand (no environment, no argument, no annotation, no value of a
//! Secret or ConfigMap), and every text that is left is gone through once more ([`redact`]).

use super::{Looks, permissions::Missing};
use crate::{
    error::Result,
    facts::{
        list,
        redact::{self, MARK},
        text,
    },
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Fields of any kind that are told where they are there, beside name, labels, owners and images.
const FIELDS: &[&str] = &[
    "/spec/replicas",
    "/spec/suspend",
    "/spec/schedule",
    "/spec/type",
    "/spec/ports",
    "/spec/selector",
    "/spec/nodeName",
    "/spec/storageClassName",
    "/spec/volumeName",
    "/spec/accessModes",
    "/spec/resources/requests",
    "/spec/scaleTargetRef",
    "/spec/minReplicas",
    "/spec/maxReplicas",
    "/spec/hard",
    "/spec/limits",
    "/spec/podSelector",
    "/spec/policyTypes",
    "/spec/ingress",
    "/spec/egress",
    "/spec/configuration/destinationPath",
    "/spec/configuration/endpointURL",
    "/status/phase",
    "/status/podIP",
    "/status/capacity",
    "/status/used",
    "/status/replicas",
    "/status/readyReplicas",
    "/status/succeeded",
    "/status/failed",
    "/status/lastScheduleTime",
    "/status/lastSuccessfulTime",
    "/provisioner",
    "/reclaimPolicy",
    "/volumeBindingMode",
    "/allowVolumeExpansion",
];

impl Looks {
    /// Every look, by its name; `{"unknown": why}` for one that could not be made.
    pub fn told(&self) -> Value {
        let migration = &self.migration;
        let mut document = json!({
            "migration": {
                "name": migration.name, "namespace": migration.namespace, "strategy": migration.strategy.name(),
                "begun": self.begun, "prepared": self.prepared,
            },
            "permissions": told(&self.permissions, |missing| json!({"missing": refused(missing)})),
            "source": plain(&self.source),
            "cluster": plain(&self.facts),
            "sql": told(&self.sql, |asked| sql(json!(asked))),
            "leader": plain(&self.inside),
            "logins": {
                "standby": told(&self.standby, |()| json!("accepted")),
                "owner": told(&self.owner, |()| json!("accepted")),
            },
            "consumers": self.consumers,
            "kubernetes": self.kubernetes(),
            "image": self.contents.as_ref().map(plain),
        });
        // It stands beside the rest already.
        document["cluster"].as_object_mut().map(|cluster| cluster.remove("source"));
        redact::document(&mut document);
        document
    }

    fn kubernetes(&self) -> Value {
        let all = |seen: &Result<Vec<Value>>| told(seen, |all| all.iter().map(object).collect());
        let keys: Vec<Value> =
            self.connections.iter().map(|seen| told(seen, |found| json!(found.as_ref().map(keys)))).collect();
        json!({
            "workloads": told(&self.workloads, |w| {
                let kinds = [&w.deployments, &w.statefulsets, &w.cronjobs, &w.autoscalers];
                kinds.into_iter().flatten().map(object).collect()
            }),
            "pods": all(&self.pods),
            "services": all(&self.services),
            "persistentvolumeclaims": all(&self.claims),
            "jobs": all(&self.jobs),
            "resourcequotas": all(&self.quotas),
            "limitranges": all(&self.limits),
            "networkpolicies": all(&self.policies),
            "storageclasses": all(&self.classes),
            "objectstore": self.store.as_ref().map(|seen| told(seen, |found| json!(found.as_ref().map(object)))),
            "connections": keys,
        })
    }
}

fn told<T>(seen: &Result<T>, tell: impl FnOnce(&T) -> Value) -> Value {
    seen.as_ref().map_or_else(|error| json!({ "unknown": error.chain() }), tell)
}

fn plain<T: Serialize>(seen: &Result<T>) -> Value {
    told(seen, |seen| json!(seen))
}

fn refused(missing: &[Missing]) -> Vec<String> {
    missing.iter().map(|m| format!("{} {}", m.verb, m.rule.resource)).collect()
}

/// Settings are the user's own words in two places: a command with its arguments, and settings of the app's own making
/// (`app.jwt_key`), which are known by the dot.
fn sql(mut asked: Value) -> Value {
    if let Some(Value::String(command)) = asked.pointer_mut("/server/settings/archive_command")
        && let Some((program, _)) = command.split_once(' ')
    {
        *command = format!("{program} {MARK}");
    }
    for setting in asked.pointer_mut("/server/overrides").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some((name, _)) = text(setting, "/setting").split_once('=').filter(|(name, _)| name.contains('.')) {
            setting["setting"] = json!(format!("{name}={MARK}"));
        }
    }
    asked
}

fn object(object: &Value) -> Value {
    let mut told = Map::new();
    told.insert("kind".into(), object["kind"].clone());
    told.insert("name".into(), object["metadata"]["name"].clone());
    let owners = list(object, "/metadata/ownerReferences");
    let owners: Vec<String> = owners.iter().map(|o| format!("{}/{}", text(o, "/kind"), text(o, "/name"))).collect();
    let pods = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let containers = pods.iter().flat_map(|pod| list(object, &format!("{pod}/containers")));
    let images: Vec<&str> = containers.map(|container| text(container, "/image")).collect();
    for (key, value) in
        [("labels", object["metadata"]["labels"].clone()), ("owners", json!(owners)), ("images", json!(images))]
    {
        if value.as_array().is_none_or(|all| !all.is_empty()) && !value.is_null() {
            told.insert(key.into(), value);
        }
    }
    for field in FIELDS {
        if let Some(value) = object.pointer(field) {
            told.insert(field[1..].replace('/', "."), value.clone());
        }
    }
    Value::Object(told)
}

/// Of a Secret or ConfigMap no value, only which keys there are.
fn keys(object: &Value) -> Value {
    let keys: Vec<&String> = object["data"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
    json!({ "kind": object["kind"], "name": object["metadata"]["name"], "keys": keys })
}
