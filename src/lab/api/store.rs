//! Objects, resource versions, watches: what etcd and the registry layer are to a real cluster.
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;

#[derive(Debug, Clone)]
pub struct Change {
    /** ADDED, MODIFIED or DELETED */
    pub kind: &'static str,
    pub resource: String,
    pub object: Arc<Value>,
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

/// Cheap to clone. `resource` is `plural` for the core group, else `plural.group` ("clusters.postgresql.cnpg.io").
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

impl Store {
    pub fn new() -> Store {
        todo!()
    }
    /// `namespace` is "" for cluster-scoped.
    pub fn get(&self, _resource: &str, _namespace: &str, _name: &str) -> Option<Arc<Value>> {
        todo!()
    }
    /// `namespace` None: all.
    pub fn list(&self, _resource: &str, _namespace: Option<&str>) -> Vec<Arc<Value>> {
        todo!()
    }
    /// Objects that carry all these labels.
    pub fn list_labelled(&self, _resource: &str, _namespace: &str, _labels: &[(&str, &str)]) -> Vec<Arc<Value>> {
        todo!()
    }
    /// Fills uid, creationTimestamp, resourceVersion, generation, apiVersion and kind; AlreadyExists if it is there.
    pub fn create(&self, _resource: &str, _object: Value) -> Result<Arc<Value>, Refusal> {
        todo!()
    }
    /// Reads, changes and writes back in one go (bumps generation when spec changed; no write, no event when nothing changed). NotFound if it is not there.
    pub fn update(
        &self,
        _resource: &str,
        _namespace: &str,
        _name: &str,
        _change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Refusal> {
        todo!()
    }
    /// create, or update by merging `object` over what is there (controllers' own "ensure").
    pub fn ensure(&self, _resource: &str, _object: Value) -> Arc<Value> {
        todo!()
    }
    /// Honours finalizers (sets deletionTimestamp, else removes) and cascades to dependants by ownerReferences.
    pub fn delete(&self, _resource: &str, _namespace: &str, _name: &str) -> Result<(), Refusal> {
        todo!()
    }
    /// Every change from now on, of all resources.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        todo!()
    }
    /// Writes a core/v1 Event about an object.
    pub fn event(&self, _about: &Value, _type: &str, _reason: &str, _message: &str) {
        todo!()
    }
}
