//! Server-side apply, and what every other write does to the ownership of fields.

use super::{
    ownership::{Owner, Path, Paths, find, keys, owned, owner, owners, remove, shown, write},
    store::Refusal,
};
use serde_json::{Value, json};

/// Server-side apply onto what is there (Null: nothing).
pub fn apply(before: &Value, applied: &Value, manager: &str, force: bool) -> Result<Value, Refusal> {
    let mut wanted = owned(applied, None);
    wanted.retain(|path| find(applied, path).is_some_and(|value| !value.is_null()));
    let mut owners = owners(before);
    let is_ours = |owner: &Owner| owner.is(manager, "Apply", None);
    let differs = |path: &&Path| find(before, path) != find(applied, path);
    // An Update under the same name is another owner: manager and operation together make the identity.
    let contested: Vec<(&Owner, &Path)> = owners
        .iter()
        .filter(|owner| !is_ours(owner))
        .flat_map(|owner| owner.paths.intersection(&wanted).filter(differs).map(move |path| (owner, path)))
        .collect();
    if !contested.is_empty() && !force {
        return Err(refuse(&contested));
    }
    let mut object = if before.is_null() { json!({}) } else { before.clone() };
    let dropped: Paths =
        owners.iter().filter(|o| is_ours(o)).flat_map(|o| o.paths.difference(&wanted)).cloned().collect();
    owners.retain(|owner| !is_ours(owner));
    for path in dropped.iter().filter(|path| !is_held(&owners, path) && !is_held_by(&wanted, path)) {
        remove(&mut object, path);
    }
    let root = object.clone();
    merge(&root, &mut object, applied, "");
    for owner in owners.iter_mut().filter(|_| force) {
        owner.paths.retain(|path| !wanted.contains(path) || find(before, path) == find(applied, path));
    }
    owners.push(owner(applied, manager, "Apply", None, wanted));
    write(&mut object, &owners);
    Ok(object)
}

fn is_held(owners: &[Owner], path: &Path) -> bool {
    owners.iter().any(|owner| is_held_by(&owner.paths, path))
}

/// An item of a list is held by whoever holds anything in it.
fn is_held_by(paths: &Paths, path: &Path) -> bool {
    match path.split_last() {
        Some((last, item)) if last == "." => paths.iter().any(|held| held.starts_with(item)),
        _ => paths.contains(path),
    }
}

fn refuse(contested: &[(&Owner, &Path)]) -> Refusal {
    let cause = |(owner, path): &(&Owner, &Path)| json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {}", owner.shown()), "field": shown(path) });
    let told = match contested {
        [(owner, path)] => format!("1 conflict: conflict with {}: {}", owner.shown(), shown(path)),
        many => {
            let mut lines: Vec<String> = Vec::new();
            for (owner, path) in many {
                let title = format!("conflicts with {}:", owner.shown());
                if !lines.contains(&title) {
                    lines.push(title);
                }
                lines.push(format!("- {}", shown(path)));
            }
            format!("{} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let mut refusal = Refusal::new(409, "Conflict", format!("Apply failed with {told}"));
    refusal.causes = contested.iter().map(cause).collect();
    refusal
}

fn merge(root: &Value, into: &mut Value, from: &Value, field: &str) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from.iter().filter(|(_, value)| !value.is_null()) {
                merge(root, into.entry(key.clone()).or_insert(Value::Null), value, key);
            }
        }
        (Value::Array(into), Value::Array(from)) if keys(root, field, from).is_some() => {
            for (key, item) in keys(root, field, from).unwrap_or_default().into_iter().zip(from) {
                let there = keys(root, field, into).unwrap_or_default().iter().position(|known| *known == key);
                match there {
                    Some(at) => merge(root, &mut into[at], item, ""),
                    None => into.push(item.clone()),
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// A write that is no apply: its manager owns what it changed, and nobody else does any more.
pub fn updated(before: &Value, after: &mut Value, manager: &str, subresource: Option<&str>) {
    let mut touched = owned(after, subresource);
    touched.retain(|path| find(before, path) != find(after, path));
    let gone: Paths = owned(before, subresource).into_iter().filter(|path| find(after, path).is_none()).collect();
    if touched.is_empty() && gone.is_empty() {
        return;
    }
    let mut owners = owners(before);
    for owner in &mut owners {
        owner.paths.retain(|path| !touched.contains(path) && !gone.contains(path));
    }
    let time = super::store::now();
    match owners.iter_mut().find(|owner| owner.is(manager, "Update", subresource)) {
        Some(owner) => {
            owner.paths.extend(touched);
            owner.time = time;
        }
        None => owners.push(owner(after, manager, "Update", subresource, touched)),
    }
    write(after, &owners);
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
        updated(&first, &mut after, "editor", None);
        assert!(apply(&after, &object(json!({ "a": 1 })), "one", false).is_err());
        updated(&first.clone(), &mut after, "one", None);
        let refused = apply(&after, &object(json!({ "a": 1 })), "one", false).unwrap_err();
        assert!(
            refused.message.starts_with("Apply failed with 1 conflict: conflict with \"one\" using v1 at "),
            "{}",
            refused.message
        );
    }

    #[test]
    fn items_of_keyed_lists_have_owners_of_their_own() {
        let pod = |containers: Value| object(json!({ "containers": containers }));
        let first = apply(&Value::Null, &pod(json!([{ "name": "a", "image": "1" }])), "one", false).unwrap();
        let both = apply(&first, &pod(json!([{ "name": "b", "image": "1" }])), "two", false).unwrap();
        assert_eq!(both["spec"]["containers"].as_array().map(Vec::len), Some(2));
        let refused = apply(&both, &pod(json!([{ "name": "a", "image": "2" }])), "two", false).unwrap_err();
        assert_eq!(refused.causes[0]["field"], ".spec.containers[name=\"a\"].image");
        let less = apply(&both, &object(json!({})), "one", false).unwrap();
        assert_eq!(less["spec"]["containers"], json!([{ "name": "b", "image": "1" }]));
    }
}
