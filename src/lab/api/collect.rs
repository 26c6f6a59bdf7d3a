//! Deletion: finalizers, namespaces, and what the garbage collector does with the dependants of something gone.

use super::store::{Key, Refusal, State, Store, has_finalizers, key, now};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

impl Store {
    /// Honours finalizers (sets deletionTimestamp, else removes) and cascades to dependants by ownerReferences.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> Result<(), Refusal> {
        let mut state = self.lock();
        let before = state
            .objects
            .get(&key(resource, namespace, name))
            .cloned()
            .ok_or_else(|| Refusal::not_found(resource, name))?;
        let mut object = (*before).clone();
        if has_finalizers(&object) {
            if object["metadata"]["deletionTimestamp"].is_null() {
                object["metadata"]["deletionTimestamp"] = json!(now());
                self.put(&mut state, "MODIFIED", resource, object);
            }
            return Ok(());
        }
        let gone = self.put(&mut state, "DELETED", resource, object);
        drop(state);
        self.collect(resource, &gone);
        Ok(())
    }

    /// What goes with an object that is gone: its dependants; of a namespace, all that is in it.
    pub(super) fn collect(&self, resource: &str, gone: &Value) {
        let mut left: Vec<Key> = self.orphans_of(&gone["metadata"]["uid"]);
        if resource == "namespaces" {
            let inside = |key: &&Key| gone["metadata"]["name"] == key.1.as_str();
            left.extend(self.lock().objects.keys().filter(inside).cloned());
        }
        for (resource, namespace, name) in left {
            self.delete(&resource, &namespace, &name).ok();
        }
    }

    /// Dependants none of whose owners is left.
    fn orphans_of(&self, uid: &Value) -> Vec<Key> {
        let state = self.lock();
        let owners = |object: &Arc<Value>| -> Vec<Value> {
            let all = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
            all.iter().map(|owner| owner["uid"].clone()).collect()
        };
        let candidates: Vec<(Key, Vec<Value>)> = state
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), owners(object)))
            .filter(|(_, owners)| owners.contains(uid))
            .collect();
        if candidates.is_empty() {
            return Vec::new();
        }
        let alive: BTreeSet<&str> = state.objects.values().filter_map(|o| o["metadata"]["uid"].as_str()).collect();
        let alone = |owners: &[Value]| !owners.iter().filter_map(Value::as_str).any(|owner| alive.contains(owner));
        candidates.into_iter().filter(|(_, owners)| alone(owners)).map(|(key, _)| key).collect()
    }

    /// propagationPolicy Orphan: the dependants forget their owner, and stay.
    pub(super) fn orphan(&self, uid: &Value) {
        let of = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| &owner["uid"] == uid))
        };
        let dependants: Vec<Key> =
            self.lock().objects.iter().filter(|(_, object)| of(object)).map(|(key, _)| key.clone()).collect();
        for (resource, namespace, name) in dependants {
            let forget = |object: &mut Value| {
                if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                    owners.retain(|owner| &owner["uid"] != uid);
                }
            };
            self.update(&resource, &namespace, &name, forget).ok();
        }
    }
}

/// Whoever made it had not seen its owners go; the garbage collector has.
pub(super) fn is_orphan(state: &State, object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let owned = |one: &Arc<Value>| owners.iter().any(|owner| owner["uid"] == one["metadata"]["uid"]);
    !owners.is_empty() && !state.objects.values().any(owned)
}
