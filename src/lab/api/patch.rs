//! The kinds of patch that are not apply.

use super::{resources::Resource, store::Refusal};
use serde_json::{Value, json};

/// The fields by which a list of a built-in type is keyed: such a list is merged item by item. None: it is replaced.
/// (`patchMergeKey` and `listMapKeys` of the API types; the first is the one that a strategic merge goes by.)
pub fn merge_key(object: &Value, field: &str) -> Option<&'static [&'static str]> {
    let group = object["apiVersion"].as_str().unwrap_or_default().split_once('/').map_or("", |(group, _)| group);
    if field == "ownerReferences" {
        return Some(&["uid"]);
    }
    if group.contains('.') && !group.ends_with(".k8s.io") {
        return None;
    }
    Some(match field {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ports" if object["kind"] == "Service" => &["port", "protocol"],
        "ports" => &["containerPort", "protocol"],
        "conditions" => &["type"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => return None,
    })
}

pub fn patch(resource: &Resource, content_type: &str, object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/merge-patch+json" => {
            json_patch::merge(object, patch);
            Ok(())
        }
        "application/json-patch+json" => {
            let operations: json_patch::Patch = serde_json::from_value(patch.clone())
                .map_err(|e| Refusal::new(400, "BadRequest", format!("error decoding patch: {e}")))?;
            json_patch::patch(object, &operations).map_err(|e| {
                Refusal::new(
                    422,
                    "Invalid",
                    format!("the server rejected our request due to an error in our request: {e}"),
                )
            })
        }
        "application/strategic-merge-patch+json" if !resource.custom => {
            let root = json!({ "apiVersion": resource.api_version(), "kind": resource.kind });
            strategic(&root, object, patch);
            Ok(())
        }
        other => Err(Refusal::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types do not include {other}"),
        )),
    }
}

fn strategic(root: &Value, into: &mut Value, patch: &Value) {
    let (Value::Object(map), Value::Object(changes)) = (&mut *into, patch) else {
        *into = patch.clone();
        return;
    };
    if changes.get("$patch").is_some_and(|directive| directive == "replace") {
        map.clear();
    }
    for (field, change) in changes {
        if let Some(list) = field.strip_prefix("$deleteFromPrimitiveList/") {
            if let Some(Value::Array(there)) = map.get_mut(list) {
                there.retain(|item| !change.as_array().is_some_and(|gone| gone.contains(item)));
            }
            continue;
        }
        if field.starts_with('$') {
            continue;
        }
        match (change, merge_key(root, field)) {
            (Value::Null, _) => drop(map.remove(field)),
            (Value::Array(items), Some(keys)) => {
                let there = map.entry(field.clone()).or_insert(Value::Array(Vec::new()));
                if let Value::Array(there) = there {
                    merge_list(root, there, items, keys[0]);
                }
            }
            (Value::Array(items), None) if field == "finalizers" => {
                let there = map.entry(field.clone()).or_insert(Value::Array(Vec::new()));
                if let Value::Array(there) = there {
                    let new: Vec<Value> = items.iter().filter(|item| !there.contains(item)).cloned().collect();
                    there.extend(new);
                }
            }
            (Value::Object(_), _) => {
                strategic(root, map.entry(field.clone()).or_insert(Value::Object(Default::default())), change)
            }
            _ => drop(map.insert(field.clone(), change.clone())),
        }
    }
}

fn merge_list(root: &Value, there: &mut Vec<Value>, items: &[Value], key: &str) {
    if items.iter().any(|item| item["$patch"] == "replace") {
        there.clear();
    }
    for item in items.iter().filter(|item| item["$patch"] != "replace") {
        let found = there.iter().position(|known| known[key] == item[key]);
        match (found, item["$patch"] == "delete") {
            (Some(at), true) => drop(there.remove(at)),
            (Some(at), false) => strategic(root, &mut there[at], item),
            (None, true) => {}
            (None, false) => there.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategic_merges_containers_by_name() {
        let mut pod = json!({ "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "1" }], "x": 1 });
        strategic(
            &json!({ "apiVersion": "v1", "kind": "Pod" }),
            &mut pod,
            &json!({ "containers": [{ "name": "b", "image": "2" }, { "name": "a", "$patch": "delete" }], "x": null }),
        );
        assert_eq!(pod, json!({ "containers": [{ "name": "b", "image": "2" }] }));
    }
}
