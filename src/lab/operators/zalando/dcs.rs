//! Patroni's store in Kubernetes: annotations of the Endpoints `<c>` (leader) and `<c>-config` (configuration, history, system identifier).
use crate::lab::api::store::Store;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

/// Cheap to clone.
#[derive(Clone)]
pub struct Dcs {
    store: Store,
    pub namespace: String,
    pub cluster: String,
}

const ENDPOINTS: &str = "endpoints";

impl Dcs {
    pub fn new(store: Store, namespace: &str, cluster: &str) -> Dcs {
        Dcs { store, namespace: namespace.into(), cluster: cluster.into() }
    }

    fn config_object(&self) -> String {
        format!("{}-config", self.cluster)
    }

    fn annotation(&self, object: &str, key: &str) -> Option<String> {
        let found = self.store.get(ENDPOINTS, &self.namespace, object)?;
        found["metadata"]["annotations"][key].as_str().map(str::to_owned)
    }

    fn annotate(&self, object: &str, key: &str, value: &str) {
        let change = |found: &mut Value| found["metadata"]["annotations"][key] = value.into();
        if let Err(refusal) = self.store.update(ENDPOINTS, &self.namespace, object, change) {
            tracing::debug!("endpoints {}/{object}: {}", self.namespace, refusal.message);
        }
    }

    /// The dynamic configuration; None before the cluster is bootstrapped.
    pub fn config(&self) -> Option<Value> {
        serde_json::from_str(&self.annotation(&self.config_object(), "config")?).ok()
    }

    pub fn set_config(&self, config: &Value) {
        self.annotate(&self.config_object(), "config", &config.to_string());
    }

    /// PATCH /config: null deletes, maps are merged, everything else is replaced. Returns the new configuration, None before
    /// the cluster is bootstrapped. One write: what another writer sets at the same moment is not lost.
    pub fn patch_config(&self, patch: &Value) -> Option<Value> {
        let mut patched = None;
        let change = |object: &mut Value| {
            let text = &mut object["metadata"]["annotations"]["config"];
            let Some(mut config) = text.as_str().and_then(|text| serde_json::from_str(text).ok()) else { return };
            merge(&mut config, patch);
            *text = config.to_string().into();
            patched = Some(config);
        };
        // An absent object holds no configuration.
        let _ = self.store.update(ENDPOINTS, &self.namespace, &self.config_object(), change);
        patched
    }

    pub fn paused(&self) -> bool {
        self.config().is_some_and(|config| config["pause"] == true)
    }

    /// System identifier of the cluster, once a member has been bootstrapped.
    pub fn initialize(&self) -> Option<String> {
        self.annotation(&self.config_object(), "initialize")
    }

    pub fn set_initialize(&self, identifier: &str) {
        self.annotate(&self.config_object(), "initialize", identifier);
    }

    pub fn history(&self) -> Value {
        let text = self.annotation(&self.config_object(), "history");
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!([]))
    }

    pub fn set_history(&self, history: &Value) {
        self.annotate(&self.config_object(), "history", &history.to_string());
    }

    /// The member that holds the lock, unless its time has run out.
    pub fn leader(&self) -> Option<String> {
        let object = self.store.get(ENDPOINTS, &self.namespace, &self.cluster)?;
        holder(&object["metadata"]["annotations"])
    }

    /// Takes or renews the lock: leader, times, optime and slots; the Endpoints lead to `ip`. False when somebody else holds it.
    pub fn hold(&self, member: &str, ip: Ipv4Addr, optime: u64, slots: &Map<String, Value>) -> bool {
        let ttl = self.config().and_then(|config| config["ttl"].as_u64()).unwrap_or(30);
        let mut held = false;
        let change = |object: &mut Value| {
            let annotations = &mut object["metadata"]["annotations"];
            let before = holder(annotations);
            if before.as_deref().is_some_and(|other| other != member) {
                return;
            }
            held = true;
            if before.is_none() {
                let transitions = annotations["transitions"].as_str().and_then(|n| n.parse::<u64>().ok());
                annotations["transitions"] = transitions.map_or(0, |n| n + 1).to_string().into();
                annotations["acquireTime"] = now().into();
            }
            annotations["leader"] = member.into();
            annotations["ttl"] = ttl.to_string().into();
            annotations["renewTime"] = now().into();
            annotations["optime"] = optime.to_string().into();
            if slots.is_empty() {
                remove(annotations, "slots");
            } else {
                annotations["slots"] = Value::Object(slots.clone()).to_string().into();
            }
            object["subsets"] = subsets(&self.namespace, member, ip);
        };
        if let Err(refusal) = self.store.update(ENDPOINTS, &self.namespace, &self.cluster, change) {
            tracing::debug!("endpoints {}/{}: {}", self.namespace, self.cluster, refusal.message);
        }
        held
    }

    /// Gives the lock back, and takes the address out of the Endpoints with it.
    pub fn release(&self, member: &str) {
        let change = |object: &mut Value| {
            if holder(&object["metadata"]["annotations"]).as_deref() == Some(member) {
                remove(&mut object["metadata"]["annotations"], "leader");
                object["subsets"] = json!([]);
            }
        };
        // An absent object holds no lock.
        let _ = self.store.update(ENDPOINTS, &self.namespace, &self.cluster, change);
    }
}

fn subsets(namespace: &str, member: &str, ip: Ipv4Addr) -> Value {
    let reference = json!({"kind": "Pod", "namespace": namespace, "name": member});
    let address = json!({"ip": ip.to_string(), "hostname": member, "nodeName": "lab", "targetRef": reference});
    json!([{"addresses": [address], "ports": [{"name": "postgresql", "port": 5432, "protocol": "TCP"}]}])
}

fn holder(annotations: &Value) -> Option<String> {
    let leader = annotations["leader"].as_str()?;
    let ttl: i64 = annotations["ttl"].as_str().and_then(|ttl| ttl.parse().ok()).unwrap_or(30);
    let renewed: jiff::Timestamp = annotations["renewTime"].as_str()?.parse().ok()?;
    (jiff::Timestamp::now().as_second() - renewed.as_second() <= ttl).then(|| leader.to_owned())
}

fn remove(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}

/// Microseconds and +00:00, as Patroni writes its times.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

pub fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => remove(into, key),
            Value::Object(_) => merge(&mut into[key], value),
            other => into[key] = other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_merges_maps_replaces_lists_and_deletes_nulls() {
        let mut config = json!({"pause": true, "slots": {"a": {"type": "physical"}}, "ignore_slots": [1, 2]});
        merge(&mut config, &json!({"pause": null, "slots": {"b": {"type": "logical"}}, "ignore_slots": [3]}));
        assert_eq!(
            config,
            json!({"slots": {"a": {"type": "physical"}, "b": {"type": "logical"}}, "ignore_slots": [3]})
        );
    }
}
