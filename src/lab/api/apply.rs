//! Field ownership: who set which field, by `metadata.managedFields` (Kubernetes docs, "Server-Side Apply").
//!
//! Lists are atomic here: nothing that the product applies merges lists.

use super::store::Refusal;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Path = Vec<String>;

/// Fields of the object that nobody owns.
fn ignored(path: &[String]) -> bool {
    match path.first().map(String::as_str) {
        Some("apiVersion" | "kind" | "status") => true,
        Some("metadata") => !matches!(
            path.get(1).map(String::as_str),
            Some("labels" | "annotations" | "ownerReferences" | "finalizers")
        ),
        _ => false,
    }
}

fn leaves(value: &Value, at: &mut Path, into: &mut BTreeSet<Path>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                at.push(key.clone());
                leaves(value, at, into);
                at.pop();
            }
        }
        _ if !at.is_empty() && !ignored(at) => drop(into.insert(at.clone())),
        _ => {}
    }
}

fn owned(object: &Value) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    leaves(object, &mut Vec::new(), &mut paths);
    paths
}

fn find<'a>(object: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(object, |at, part| &at[part.as_str()])
}

fn remove(object: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(object, |at, part| at.get_mut(part.as_str()));
    if let Some(Value::Object(map)) = parent {
        map.remove(last);
    }
}

/// `{"f:spec": {"f:replica": {"f:enabled": {}}}}`
fn to_fields(paths: &BTreeSet<Path>) -> Value {
    let mut fields = json!({});
    for path in paths {
        path.iter().fold(&mut fields, |at, part| &mut at[format!("f:{part}")]);
    }
    fn close(value: &mut Value) {
        match value {
            Value::Object(map) => map.values_mut().for_each(close),
            other => *other = json!({}),
        }
    }
    close(&mut fields);
    fields
}

fn from_fields(fields: &Value) -> BTreeSet<Path> {
    fn walk(map: &Map<String, Value>, at: &mut Path, into: &mut BTreeSet<Path>) {
        for (key, value) in map {
            at.push(key.trim_start_matches("f:").to_string());
            match value.as_object().filter(|inner| !inner.is_empty()) {
                Some(inner) => walk(inner, at, into),
                None => drop(into.insert(at.clone())),
            }
            at.pop();
        }
    }
    let mut paths = BTreeSet::new();
    if let Some(map) = fields.as_object() {
        walk(map, &mut Vec::new(), &mut paths);
    }
    paths
}

struct Owner {
    manager: String,
    operation: String,
    paths: BTreeSet<Path>,
}

fn owners(object: &Value) -> Vec<Owner> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_string();
    let owner = |e: &Value| Owner {
        manager: text(e, "manager"),
        operation: text(e, "operation"),
        paths: from_fields(&e["fieldsV1"]),
    };
    entries.iter().map(owner).collect()
}

fn write(object: &mut Value, owners: Vec<Owner>) {
    let version = object["apiVersion"].clone();
    let entry = |owner: &Owner| {
        json!({
            "manager": owner.manager, "operation": owner.operation, "apiVersion": version, "fieldsType": "FieldsV1",
            "time": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "fieldsV1": to_fields(&owner.paths),
        })
    };
    let entries: Vec<Value> = owners.iter().filter(|owner| !owner.paths.is_empty()).map(entry).collect();
    object["metadata"]["managedFields"] = Value::Array(entries);
}

/// Server-side apply onto what is there (Null: nothing).
pub fn apply(before: &Value, applied: &Value, manager: &str, force: bool) -> Result<Value, Refusal> {
    let wanted = owned(applied);
    let mut owners = owners(before);
    let is_ours = |owner: &Owner| owner.manager == manager && owner.operation == "Apply";
    let mut causes = Vec::new();
    for owner in owners.iter().filter(|owner| !is_ours(owner) && owner.manager != manager) {
        for path in owner.paths.intersection(&wanted).filter(|path| find(before, path) != find(applied, path)) {
            let message = format!("conflict with \"{}\"", owner.manager);
            causes.push(json!({ "reason": "FieldManagerConflict", "message": message, "field": format!(".{}", path.join(".")) }));
        }
    }
    if !causes.is_empty() && !force {
        let mut refusal = Refusal::new(409, "Conflict", format!("Apply failed with {} conflicts", causes.len()));
        refusal.causes = causes;
        return Err(refusal);
    }
    let mut object = if before.is_null() { json!({}) } else { before.clone() };
    let dropped: BTreeSet<Path> = owners
        .iter()
        .filter(|o| is_ours(o))
        .flat_map(|o| o.paths.iter())
        .filter(|p| !wanted.contains(*p))
        .cloned()
        .collect();
    owners.retain(|owner| !is_ours(owner));
    for path in dropped {
        if !owners.iter().any(|owner| owner.paths.contains(&path)) {
            remove(&mut object, &path);
        }
    }
    merge(&mut object, applied);
    for owner in owners.iter_mut().filter(|_| force) {
        owner.paths.retain(|path| !wanted.contains(path) || find(before, path) == find(applied, path));
    }
    owners.push(Owner { manager: manager.into(), operation: "Apply".into(), paths: wanted });
    write(&mut object, owners);
    Ok(object)
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A write that is no apply: its manager owns what it changed, and nobody else does any more.
pub fn updated(before: &Value, after: &mut Value, manager: &str) {
    let mut touched = owned(after);
    touched.retain(|path| find(before, path) != find(after, path));
    let gone: BTreeSet<Path> = owned(before).into_iter().filter(|path| find(after, path).is_null()).collect();
    if touched.is_empty() && gone.is_empty() {
        return;
    }
    let mut owners = owners(before);
    for owner in &mut owners {
        owner.paths.retain(|path| !touched.contains(path) && !gone.contains(path));
    }
    match owners.iter_mut().find(|owner| owner.manager == manager && owner.operation == "Update") {
        Some(owner) => owner.paths.extend(touched),
        None => owners.push(Owner { manager: manager.into(), operation: "Update".into(), paths: touched }),
    }
    write(after, owners);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "X", "metadata": { "name": "x" }, "spec": spec })
    }

    #[test]
    fn a_second_manager_conflicts_only_where_it_differs() {
        let first = apply(&Value::Null, &object(json!({ "a": 1, "b": 2 })), "one", false).unwrap();
        assert!(apply(&first, &object(json!({ "a": 1 })), "two", false).is_ok());
        let refused = apply(&first, &object(json!({ "a": 9 })), "two", false).unwrap_err();
        assert_eq!((refused.code, refused.causes[0]["field"].as_str()), (409, Some(".spec.a")));
        assert_eq!(apply(&first, &object(json!({ "a": 9 })), "two", true).unwrap()["spec"], json!({ "a": 9, "b": 2 }));
    }

    #[test]
    fn what_is_not_applied_any_more_goes_unless_another_owns_it() {
        let first = apply(&Value::Null, &object(json!({ "a": 1, "b": 2 })), "one", false).unwrap();
        let shared = apply(&first, &object(json!({ "b": 2 })), "two", false).unwrap();
        let less = apply(&shared, &object(json!({})), "one", false).unwrap();
        assert_eq!(less["spec"], json!({ "b": 2 }));
    }

    #[test]
    fn an_update_takes_the_field_over() {
        let first = apply(&Value::Null, &object(json!({ "a": 1 })), "one", false).unwrap();
        let mut after = first.clone();
        after["spec"]["a"] = json!(2);
        updated(&first, &mut after, "editor");
        assert!(apply(&after, &object(json!({ "a": 1 })), "one", false).is_err());
    }
}
