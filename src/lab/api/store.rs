//! Objects, resource versions, watches: what etcd and the registry layer are to a real cluster.

use super::{collect::is_orphan, resources};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

#[derive(Debug, Clone)]
pub struct Change {
    /// ADDED, MODIFIED or DELETED
    pub kind: &'static str,
    pub resource: String,
    pub object: Arc<Value>,
    /// What it was before; None for a new object. A watch with a selector tells by it who entered and who left.
    pub previous: Option<Arc<Value>>,
    pub resource_version: u64,
}

/// An API error: code, reason ("NotFound", "AlreadyExists", "Conflict", "Invalid"...), message.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub causes: Vec<Value>,
}

impl Refusal {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { code, reason, message: message.into(), causes: Vec::new() }
    }
    pub fn not_found(resource: &str, name: &str) -> Refusal {
        Refusal::new(404, "NotFound", format!("{resource} \"{name}\" not found"))
    }
}

/// resource, namespace ("" for cluster-scoped), name
pub(super) type Key = (String, String, String);

/// Changes kept for watches that begin at an older version; older still is 410 Gone.
const HISTORY: usize = 4000;

#[derive(Default)]
pub(super) struct State {
    version: u64,
    pub(super) objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
}

/// Cheap to clone. `resource` is `plural` for the core group, else `plural.group` ("clusters.postgresql.cnpg.io").
#[derive(Clone)]
pub struct Store {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Change>,
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl Store {
    pub fn new() -> Store {
        Store { state: Arc::default(), changes: broadcast::channel(8192).0 }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the newest change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// `namespace` is "" for cluster-scoped.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.lock().objects.get(&key(resource, namespace, name)).cloned()
    }

    /// `namespace` None: all.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.snapshot(resource, namespace).1
    }

    /// The list, and the version at which it was so: a watch from there on misses nothing and repeats nothing.
    pub fn snapshot(&self, resource: &str, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let from = key(resource, namespace.unwrap_or_default(), "");
        let state = self.lock();
        let inside = |k: &Key| k.0 == resource && namespace.is_none_or(|wanted| k.1 == wanted);
        let objects = state.objects.range(from..).take_while(|(k, _)| inside(k)).map(|(_, o)| o.clone()).collect();
        (state.version, objects)
    }

    /// Objects that carry all these labels.
    pub fn list_labelled(&self, resource: &str, namespace: &str, labels: &[(&str, &str)]) -> Vec<Arc<Value>> {
        let carries =
            |object: &Arc<Value>| labels.iter().all(|(key, value)| object["metadata"]["labels"][*key] == *value);
        self.list(resource, Some(namespace)).into_iter().filter(carries).collect()
    }

    /// Every object of every resource: for scans of what was left behind.
    pub fn everything(&self) -> Vec<(String, Arc<Value>)> {
        self.lock().objects.iter().map(|(key, object)| (key.0.clone(), object.clone())).collect()
    }

    /// Fills uid, creationTimestamp, resourceVersion, generation, apiVersion and kind; AlreadyExists if it is there.
    /// What none of whose owners is left is gone again by then.
    pub fn create(&self, resource: &str, mut object: Value) -> Result<Arc<Value>, Refusal> {
        let (namespace, name) = place(&object);
        if name.is_empty() {
            return Err(Refusal::new(
                422,
                "Invalid",
                format!("{resource}: metadata.name: Required value: name or generateName is required"),
            ));
        }
        let mut state = self.lock();
        if state.objects.contains_key(&key(resource, &namespace, &name)) {
            return Err(Refusal::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists")));
        }
        born(resource, &mut object);
        let made = self.put(&mut state, "ADDED", resource, object);
        let orphan = is_orphan(&state, &made);
        drop(state);
        if orphan {
            self.delete(resource, &namespace, &name).ok();
        }
        Ok(made)
    }

    /// Reads, changes and writes back in one go (bumps generation when spec changed; no write, no event when nothing
    /// changed). NotFound if it is not there.
    pub fn update(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Refusal> {
        self.try_update(resource, namespace, name, |object| {
            change(object);
            Ok(())
        })
    }

    /// As update, for a change that can be refused.
    pub fn try_update(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
    ) -> Result<Arc<Value>, Refusal> {
        let mut state = self.lock();
        let before = state
            .objects
            .get(&key(resource, namespace, name))
            .cloned()
            .ok_or_else(|| Refusal::not_found(resource, name))?;
        let mut object = (*before).clone();
        change(&mut object)?;
        if object == *before {
            return Ok(before);
        }
        if object["spec"] != before["spec"] {
            object["metadata"]["generation"] = json!(before["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
        }
        let released = object["metadata"]["deletionTimestamp"].is_string() && !has_finalizers(&object);
        if released && !before["metadata"]["finalizers"].is_null() {
            let gone = self.put(&mut state, "DELETED", resource, object);
            drop(state);
            self.collect(resource, &gone);
            return Ok(gone);
        }
        Ok(self.put(&mut state, "MODIFIED", resource, object))
    }

    /// create, or update by merging `object` over what is there (controllers' own "ensure").
    pub fn ensure(&self, resource: &str, object: Value) -> Arc<Value> {
        let (namespace, name) = place(&object);
        loop {
            match self.create(resource, object.clone()) {
                Ok(made) => return made,
                Err(refusal) if refusal.reason != "AlreadyExists" => return Arc::new(object),
                Err(_) => {}
            }
            // Deleted between the two calls: create it after all.
            if let Ok(merged) = self.update(resource, &namespace, &name, |there| json_patch::merge(there, &object)) {
                return merged;
            }
        }
    }

    pub(super) fn put(&self, state: &mut State, kind: &'static str, resource: &str, mut object: Value) -> Arc<Value> {
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let (namespace, name) = place(&object);
        let object = Arc::new(object);
        let previous = if kind == "DELETED" {
            state.objects.remove(&key(resource, &namespace, &name))
        } else {
            state.objects.insert(key(resource, &namespace, &name), object.clone())
        };
        let (resource, resource_version) = (resource.to_owned(), state.version);
        let change = Change { kind, resource, object: object.clone(), previous, resource_version };
        state.history.push_back(change.clone());
        if state.history.len() > HISTORY {
            state.history.pop_front();
        }
        self.changes.send(change).ok();
        object
    }

    /// Every change from now on, of all resources.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Changes after a version, and the receiver of all later ones; None when that version is too old to know.
    pub fn changes_since(&self, version: u64) -> Option<(Vec<Change>, broadcast::Receiver<Change>)> {
        let state = self.lock();
        let oldest = state.history.front().map_or(state.version, |change| change.resource_version - 1);
        if version < oldest {
            return None;
        }
        let since = state.history.iter().filter(|change| change.resource_version > version).cloned().collect();
        Some((since, self.changes.subscribe()))
    }

    /// Writes a core/v1 Event about an object.
    pub fn event(&self, about: &Value, kind: &str, reason: &str, message: &str) {
        let (namespace, name) = place(about);
        let now = Timestamp::now();
        // Of what has no namespace, they are in `default`.
        let home = if namespace.is_empty() { "default" } else { &namespace };
        let event = json!({
            "metadata": { "name": format!("{name}.{:x}", now.as_nanosecond()), "namespace": home },
            "involvedObject": {
                "apiVersion": about["apiVersion"], "kind": about["kind"], "name": name, "namespace": namespace, "uid": about["metadata"]["uid"],
            },
            "type": kind, "reason": reason, "message": message, "count": 1,
            "firstTimestamp": now.to_string(), "lastTimestamp": now.to_string(), "source": { "component": "lab" },
        });
        self.create("events", event).ok();
    }
}

pub(super) fn key(resource: &str, namespace: &str, name: &str) -> Key {
    (resource.into(), namespace.into(), name.into())
}

/// What the server gives a new object: identity, age, and its type's own names.
pub(super) fn born(resource: &str, object: &mut Value) {
    if let Some(known) = resources::by_key(resource) {
        object["apiVersion"] = json!(known.api_version());
        object["kind"] = json!(known.kind);
    }
    let meta = &mut object["metadata"];
    meta["uid"] = json!(uuid::Uuid::new_v4().to_string());
    meta["creationTimestamp"] = json!(now());
    meta["generation"] = json!(1);
}

/// metav1.Time: whole seconds.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// (namespace, name)
fn place(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_string();
    (text("namespace"), text("name"))
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}
