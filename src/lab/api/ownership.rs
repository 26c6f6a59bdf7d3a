//! `metadata.managedFields`: which manager owns which field (Kubernetes docs, "Server-Side Apply").
//!
//! A path is kept as FieldsV1 writes it: `f:NAME` a field, `k:{"name":"web"}` an item of a keyed list, `.` that item itself.

use super::{patch::merge_key, store};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub type Path = Vec<String>;
pub type Paths = BTreeSet<Path>;

/// One entry of managedFields.
pub struct Owner {
    pub manager: String,
    /// Apply or Update
    pub operation: String,
    pub subresource: Option<String>,
    pub version: String,
    pub time: String,
    pub paths: Paths,
}

impl Owner {
    pub fn is(&self, manager: &str, operation: &str, subresource: Option<&str>) -> bool {
        self.manager == manager && self.operation == operation && self.subresource.as_deref() == subresource
    }

    /// As a conflict names it.
    pub fn shown(&self) -> String {
        let sub = self.subresource.as_ref().map(|sub| format!(" with subresource \"{sub}\"")).unwrap_or_default();
        let when = if self.operation == "Update" {
            format!(" using {} at {}", self.version, self.time)
        } else {
            String::new()
        };
        format!("\"{}\"{sub}{when}", self.manager)
    }
}

/// Fields that nobody owns, in a write through this subresource.
fn ignored(path: &[String], subresource: Option<&str>) -> bool {
    let part = |at: usize| path.get(at).map(String::as_str);
    let status = part(0) == Some("f:status");
    match part(0) {
        _ if subresource == Some("status") => !status,
        Some("f:apiVersion" | "f:kind" | "f:status") => true,
        Some("f:metadata") => {
            !matches!(part(1), Some("f:labels" | "f:annotations" | "f:ownerReferences" | "f:finalizers"))
        }
        _ => false,
    }
}

/// Every leaf of the object that can be owned.
pub fn owned(object: &Value, subresource: Option<&str>) -> Paths {
    let mut walk = Walk { object, into: Paths::new() };
    walk.value(object, "", &mut Vec::new());
    walk.into.retain(|path| !ignored(path, subresource));
    walk.into
}

struct Walk<'a> {
    object: &'a Value,
    into: Paths,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, field: &str, at: &mut Path) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    at.push(format!("f:{key}"));
                    self.value(value, key, at);
                    at.pop();
                }
            }
            Value::Array(items) => match keys(self.object, field, items) {
                Some(keys) => {
                    for (key, item) in keys.into_iter().zip(items) {
                        at.push(key);
                        at.push(".".into());
                        self.into.insert(at.clone());
                        at.pop();
                        self.value(item, "", at);
                        at.pop();
                    }
                }
                None => drop(self.into.insert(at.clone())),
            },
            _ => drop(self.into.insert(at.clone())),
        }
    }
}

/// `k:{...}` of every item, when all of the list have the fields that the list is keyed by.
pub fn keys(object: &Value, field: &str, items: &[Value]) -> Option<Vec<String>> {
    let fields = merge_key(object, field)?;
    items
        .iter()
        .map(|item| {
            let mut key = Map::new();
            for field in fields {
                let value = &item[*field];
                match (value.is_null(), *field) {
                    (true, "protocol") => drop(key.insert("protocol".into(), json!("TCP"))),
                    (true, _) => return None,
                    _ => drop(key.insert((*field).into(), value.clone())),
                }
            }
            Some(format!("k:{}", Value::Object(key)))
        })
        .collect()
}

fn position(items: &[Value], part: &str) -> Option<usize> {
    let key: Map<String, Value> = serde_json::from_str(part.strip_prefix("k:")?).ok()?;
    let fits = |item: &Value| {
        key.iter().all(|(field, value)| {
            &item[field.as_str()] == value || (field == "protocol" && item[field.as_str()].is_null() && value == "TCP")
        })
    };
    items.iter().position(fits)
}

pub fn find<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    static THERE: Value = Value::Bool(true);
    let mut at = object;
    for part in path {
        at = match part.strip_prefix("f:") {
            Some(field) => at.get(field)?,
            None if part == "." => &THERE,
            None => at.as_array().and_then(|items| items.get(position(items, part)?))?,
        };
    }
    Some(at)
}

/// Takes a path away, and the maps that are empty without it.
pub fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match (object, first.strip_prefix("f:")) {
        (Value::Object(map), Some(field)) => {
            if let Some(inner) = map.get_mut(field) {
                remove(inner, rest);
                let empty = matches!(inner, Value::Object(map) if map.is_empty());
                if rest.is_empty() || empty || matches!(inner, Value::Array(items) if items.is_empty()) {
                    map.remove(field);
                }
            }
        }
        (Value::Array(items), None) => match position(items, first) {
            Some(at) if rest == ["."] => drop(items.remove(at)),
            Some(at) => remove(&mut items[at], rest),
            None => {}
        },
        _ => {}
    }
}

/// `.spec.containers[name="web"].image`
pub fn shown(path: &[String]) -> String {
    let part = |part: &String| match part.strip_prefix("f:") {
        Some(field) => format!(".{field}"),
        None if part == "." => String::new(),
        None => {
            let key: Map<String, Value> =
                part.strip_prefix("k:").and_then(|key| serde_json::from_str(key).ok()).unwrap_or_default();
            let pairs: Vec<String> = key.iter().map(|(field, value)| format!("{field}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
    };
    path.iter().map(part).collect()
}

fn to_fields(paths: &Paths) -> Value {
    let mut fields = json!({});
    for path in paths {
        let leaf = path.iter().fold(&mut fields, |at, part| &mut at[part.as_str()]);
        if leaf.is_null() {
            *leaf = json!({});
        }
    }
    fields
}

fn from_fields(fields: &Value, at: &mut Path, into: &mut Paths) {
    let Some(map) = fields.as_object().filter(|map| !map.is_empty()) else {
        if !at.is_empty() {
            into.insert(at.clone());
        }
        return;
    };
    for (part, inner) in map {
        // Of a map, "." says nothing that its fields do not say.
        if part == "." && !at.last().is_some_and(|last| last.starts_with("k:")) {
            continue;
        }
        at.push(part.clone());
        from_fields(inner, at, into);
        at.pop();
    }
}

pub fn owners(object: &Value) -> Vec<Owner> {
    let entries = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let owner = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_string();
        let mut paths = Paths::new();
        from_fields(&entry["fieldsV1"], &mut Vec::new(), &mut paths);
        Owner {
            manager: text("manager"),
            operation: text("operation"),
            subresource: entry["subresource"].as_str().map(str::to_owned),
            version: text("apiVersion"),
            time: text("time"),
            paths,
        }
    };
    entries.iter().map(owner).collect()
}

/// An owner that is about to be written.
pub fn owner(object: &Value, manager: &str, operation: &str, subresource: Option<&str>, paths: Paths) -> Owner {
    Owner {
        manager: manager.into(),
        operation: operation.into(),
        subresource: subresource.map(str::to_owned),
        version: object["apiVersion"].as_str().unwrap_or_default().into(),
        time: store::now(),
        paths,
    }
}

pub fn write(object: &mut Value, owners: &[Owner]) {
    let entry = |owner: &Owner| {
        let mut entry = json!({
            "manager": owner.manager, "operation": owner.operation, "apiVersion": owner.version, "time": owner.time,
            "fieldsType": "FieldsV1", "fieldsV1": to_fields(&owner.paths),
        });
        if let Some(sub) = &owner.subresource {
            entry["subresource"] = json!(sub);
        }
        entry
    };
    let entries: Vec<Value> = owners.iter().filter(|owner| !owner.paths.is_empty()).map(entry).collect();
    object["metadata"]["managedFields"] = Value::Array(entries);
}
