//! The kinds of patch that are not apply.

use super::{resources::Resource, store::Refusal};
use serde_json::Value;

/// Lists of the built-in kinds that a strategic merge merges by key instead of replacing.
const KEYED: [(&str, &str); 7] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("ports", "containerPort"),
    ("ownerReferences", "uid"),
];

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
            strategic(object, patch);
            Ok(())
        }
        other => Err(Refusal::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types do not include {other}"),
        )),
    }
}

fn strategic(into: &mut Value, patch: &Value) {
    let (Value::Object(map), Value::Object(changes)) = (&mut *into, patch) else {
        *into = patch.clone();
        return;
    };
    for (field, change) in changes.iter().filter(|(field, _)| !field.starts_with('$')) {
        let key = KEYED.iter().find(|(list, _)| list == field).map(|(_, key)| *key);
        match (change, key) {
            (Value::Null, _) => drop(map.remove(field)),
            (Value::Array(items), Some(key)) => {
                let there = map.entry(field.clone()).or_insert(Value::Array(Vec::new()));
                if let Value::Array(there) = there {
                    merge_list(there, items, key);
                }
            }
            (Value::Object(_), _) => {
                strategic(map.entry(field.clone()).or_insert(Value::Object(Default::default())), change)
            }
            _ => drop(map.insert(field.clone(), change.clone())),
        }
    }
}

fn merge_list(there: &mut Vec<Value>, items: &[Value], key: &str) {
    for item in items {
        let found = there.iter().position(|known| known[key] == item[key]);
        match (found, item["$patch"] == "delete") {
            (Some(at), true) => drop(there.remove(at)),
            (Some(at), false) => strategic(&mut there[at], item),
            (None, true) => {}
            (None, false) => there.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strategic_merges_containers_by_name() {
        let mut pod = json!({ "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "1" }], "x": 1 });
        strategic(
            &mut pod,
            &json!({ "containers": [{ "name": "b", "image": "2" }, { "name": "a", "$patch": "delete" }], "x": null }),
        );
        assert_eq!(pod, json!({ "containers": [{ "name": "b", "image": "2" }] }));
    }
}
