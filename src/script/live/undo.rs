//! Taking a script's changes back, from their receipts alone.

use super::objects;
use crate::{
    error::{Context, Error, Result},
    kube::{Kube, kind},
    spec::Workload,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What undo needs; journaled, so never a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub(super) enum Receipt {
    /// Back to that number of pods.
    Scale { workload: String, replicas: i64 },
    /// The merge patch that restores what another one touched.
    Patch { object: String, inverse: Value },
    /// Delete it.
    Job { name: String },
    /// Keep it: a backup harms nobody. The name makes a second run find the first one's.
    Backup { name: String },
    /// A restart, a statement: nothing brings the time before back.
    Nothing,
}
impl From<Receipt> for Value {
    fn from(receipt: Receipt) -> Value {
        json!(receipt)
    }
}

/// Undoes one journaled call of a script. Idempotent; also right when the call never came to its effect.
pub async fn undo(kube: &Kube, receipt: &Value) -> Result<()> {
    let receipt =
        Receipt::deserialize(receipt).map_err(|e| Error::bug("a script's receipt cannot be read").cause(e))?;
    match receipt {
        Receipt::Nothing | Receipt::Backup { .. } => Ok(()),
        Receipt::Scale { workload, replicas } => {
            let workload: Workload = workload.parse().map_err(Error::bug)?;
            restore(kube, &workload.to_string(), &json!({"spec": {"replicas": replicas}})).await
        }
        Receipt::Patch { object, inverse } => restore(kube, &object, &inverse).await,
        Receipt::Job { name } => {
            let gone = kube.delete(&kind::JOB, &name).await;
            gone.map(|_| ()).with_context(|| format!("cannot delete the script's job/{name}"))
        }
    }
}

/// What is gone needs no restoring.
async fn restore(kube: &Kube, object: &str, patch: &Value) -> Result<()> {
    let (kind, name) = objects::object(object)?;
    if kube.get(kind, name).await?.is_none() {
        return Ok(());
    }
    kube.merge(kind, name, patch).await.map(|_| ()).with_context(|| format!("cannot restore {object}"))
}

/// The merge patch (RFC 7396) that takes an object changed by `patch` back to `before`, as far as `patch` reaches.
pub(super) fn inverse(before: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return before.clone() };
    let Value::Object(old) = before else { return before.clone() };
    let mut undo = Map::new();
    for (key, change) in changes {
        undo.insert(
            key.clone(),
            match old.get(key) {
                None => Value::Null,
                Some(value @ Value::Object(_)) if change.is_object() => inverse(value, change),
                // A merge patch cannot say "this map and nothing besides": what took its place is a scalar or gone,
                // and giving the map back whole is right for both.
                Some(value) => value.clone(),
            },
        );
    }
    Value::Object(undo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Objects as Kubernetes keeps them: no nulls.
    fn object(null: bool) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..9i64).prop_map(Value::from),
            Just(json!([1, 2])),
            Just(if null { Value::Null } else { json!("x") })
        ];
        let keys = || prop::sample::select(vec!["a", "b", "c"]).prop_map(String::from);
        let tree = leaf.prop_recursive(3, 12, 3, move |inner| {
            prop::collection::btree_map(keys(), inner, 0..3).prop_map(|m| Value::Object(m.into_iter().collect()))
        });
        prop::collection::btree_map(keys(), tree, 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_patch_and_its_inverse_leave_the_object_as_it_was(before in object(false), patch in object(true)) {
            let mut now = before.clone();
            json_patch::merge(&mut now, &patch);
            json_patch::merge(&mut now, &inverse(&before, &patch));
            prop_assert_eq!(sorted(now), sorted(before));
        }
    }

    /// Key order is no part of an object.
    fn sorted(value: Value) -> String {
        match value {
            Value::Object(map) => {
                let parts: std::collections::BTreeMap<String, String> =
                    map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
                format!("{parts:?}")
            }
            other => other.to_string(),
        }
    }
}
