//! Everything that is asked of the Kubernetes API, on plain JSON values.

pub mod exec;
pub mod flags;
pub mod forward;
pub mod kind;
pub mod lease;
pub mod wait;

use crate::error::Result;
pub use kind::Kind;
use serde_json::Value;
use std::time::Duration;
pub use wait::Probe;

/// A client bound to one namespace. Cheap to clone. Every call has a deadline.
#[derive(Clone)]
pub struct Kube {
    pub(crate) client: ::kube::Client,
    pub(crate) namespace: String,
    pub(crate) deadline: Duration,
}

impl Kube {
    pub async fn connect(_flags: &flags::Flags) -> Result<Kube> {
        todo!()
    }
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
    pub fn in_namespace(&self, _namespace: &str) -> Kube {
        todo!()
    }
    /// None: not found.
    pub async fn get(&self, _kind: &Kind, _name: &str) -> Result<Option<Value>> {
        todo!()
    }
    /// `labels`: a label selector, "" for all.
    pub async fn list(&self, _kind: &Kind, _labels: &str) -> Result<Vec<Value>> {
        todo!()
    }
    pub async fn list_all(&self, _kind: &Kind, _labels: &str) -> Result<Vec<Value>> {
        todo!()
    }
    /// Server-side apply: dry run first, strict, field manager `kubectl-pgmigrate`, no force.
    pub async fn apply(&self, _kind: &Kind, _object: &Value) -> Result<Value> {
        todo!()
    }
    pub async fn create(&self, _kind: &Kind, _object: &Value) -> Result<Value> {
        todo!()
    }
    /// Guarded by the object's metadata.resourceVersion; Err(conflict) is told by [`is_conflict`].
    pub async fn replace(&self, _kind: &Kind, _object: &Value) -> Result<Value> {
        todo!()
    }
    /// Merge patch, strict.
    pub async fn merge(&self, _kind: &Kind, _name: &str, _patch: &Value) -> Result<Value> {
        todo!()
    }
    /// False: it was not there. Background propagation.
    pub async fn delete(&self, _kind: &Kind, _name: &str) -> Result<bool> {
        todo!()
    }
    /// `pods/log`, whole, of one container.
    pub async fn logs(&self, _pod: &str, _container: &str, _since_seconds: Option<i64>) -> Result<String> {
        todo!()
    }
    /// SelfSubjectAccessReview in this namespace. `resource` may be `pods/exec`.
    pub async fn can_i(&self, _verb: &str, _group: &str, _resource: &str, _name: Option<&str>) -> Result<bool> {
        todo!()
    }
}

/// True when the API server answered 409 because the resourceVersion or a field manager differed.
pub fn is_conflict(_error: &crate::error::Error) -> bool {
    todo!()
}
