//! What is refused for its form: unknown fields and wrong types, of the fields that a migration touches.
//!
//! CRDs in the lab's own words, `schemas.json`: `field: type`, an object's fields nested, `field!` a required one, `*` any
//! name, `a|b` the values allowed, `any` a subtree that is not looked at. Built-in types by the client library's own.

use super::{builtin, request::RequestInfo, resources::Resource, store::Refusal, webhook};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schemas.json")).expect("the lab's own schemas are JSON, or no test passes")
});

fn known<'a>(schema: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    schema.get(field).or_else(|| schema.get(&format!("{field}!"))).or_else(|| schema.get("*"))
}

/// Looks at what a create, an update or an apply brings: unknown fields, with the real server's different answers.
pub fn admit(resource: &Resource, info: &RequestInfo, body: &Value) -> Result<(), Refusal> {
    if !matches!(info.verb, "create" | "update" | "patch") || info.subresource.is_some() {
        return Ok(());
    }
    let applies = info.content_type.starts_with("application/apply-patch");
    if info.verb == "patch" && !applies {
        return Ok(());
    }
    let unknown = unknown(resource, body)?;
    if let Some(field) = unknown.first().filter(|_| applies) {
        let (name, kind) = (info.name.as_deref().unwrap_or_default(), resource.kind);
        let what = format!("{}/{name}; {}, Kind={kind}", info.namespace, resource.api_version());
        let message = format!("failed to create typed patch object ({what}): .{field}: field not declared in schema");
        return Err(Refusal::new(500, "", message));
    }
    if unknown.is_empty() || !info.strict() {
        return Ok(());
    }
    let (kind, version) = (resource.kind, resource.version);
    let message = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {}", strict_error(&unknown));
    Err(Refusal::new(400, "BadRequest", message))
}

fn strict_error(unknown: &[String]) -> String {
    let fields: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    format!("strict decoding error: {}", fields.join(", "))
}

/// A patch is looked at when it is made: 422, and the object is repeated (kubernetes apiserver handlers/patch.go).
pub fn patched(resource: &Resource, info: &RequestInfo, before: &Value, after: &Value) -> Result<(), Refusal> {
    if !info.strict() || info.subresource.is_some() {
        return Ok(());
    }
    let old = unknown(resource, before).unwrap_or_default();
    let new: Vec<String> = unknown(resource, after)?.into_iter().filter(|field| !old.contains(field)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let told = format!("Invalid value: {:?}: {}", after.to_string(), strict_error(&new));
    let mut refusal = Refusal::new(422, "Invalid", format!(" \"\" is invalid: patch: {told}"));
    refusal.causes = vec![json!({ "reason": "FieldValueInvalid", "field": "patch", "message": told })];
    Err(refusal)
}

fn unknown(resource: &Resource, body: &Value) -> Result<Vec<String>, Refusal> {
    if !resource.custom {
        return builtin::unknown(resource, body);
    }
    let mut found = Vec::new();
    let top = ["apiVersion", "kind", "metadata", "spec", "status"];
    let fields = body.as_object().into_iter().flatten().map(|(field, _)| field);
    found.extend(fields.filter(|field| !top.contains(&field.as_str())).cloned());
    if let Some(schema) = SCHEMAS.get(resource.key()) {
        unknown_fields(schema, &body["spec"], "spec", &mut found);
    }
    Ok(found)
}

fn unknown_fields(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    match (schema, value) {
        (Value::Object(fields), Value::Object(map)) => {
            for (key, value) in map {
                match known(fields, key) {
                    None => found.push(format!("{at}.{key}")),
                    Some(inner) => unknown_fields(inner, value, &format!("{at}.{key}"), found),
                }
            }
        }
        (Value::Array(item), Value::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                unknown_fields(item.first().unwrap_or(&Value::Null), value, &format!("{at}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// Drops what the schema does not know, as the real server does silently when validation is not strict.
pub fn prune(resource: &Resource, object: &mut Value) {
    fn walk(schema: &Value, value: &mut Value) {
        match (schema, value) {
            (Value::Object(fields), Value::Object(map)) => {
                map.retain(|key, _| known(fields, key).is_some());
                for (key, value) in map {
                    walk(known(fields, key).unwrap_or(&Value::Null), value);
                }
            }
            (Value::Array(item), Value::Array(items)) => {
                items.iter_mut().for_each(|value| walk(item.first().unwrap_or(&Value::Null), value));
            }
            _ => {}
        }
    }
    if let (Some(schema), Some(spec)) = (SCHEMAS.get(resource.key()), object.get_mut("spec")) {
        walk(schema, spec);
    }
}

/// A custom type as OpenAPI has it; None: the lab does not know its fields.
pub fn published(resource: &Resource) -> Option<Value> {
    fn walk(schema: &Value) -> Value {
        match schema {
            Value::Object(fields) => {
                let named = |(name, inner): (&String, &Value)| (name.trim_end_matches('!').to_owned(), walk(inner));
                json!({ "type": "object", "properties": fields.iter().map(named).collect::<Map<_, _>>() })
            }
            Value::Array(item) => json!({ "type": "array", "items": walk(item.first().unwrap_or(&Value::Null)) }),
            _ => json!({}),
        }
    }
    let spec = walk(SCHEMAS.get(resource.key())?);
    Some(json!({ "type": "object", "properties": { "spec": spec } }))
}

/// Looks at the whole object that would be stored. What was wrong before may stay so (CRD ratcheting).
pub fn validate(resource: &Resource, before: Option<&Value>, object: &Value) -> Result<(), Refusal> {
    let Some(schema) = SCHEMAS.get(resource.key()) else { return Ok(()) };
    let wrong = |check: &dyn Fn(&Value, &mut Vec<Value>)| {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        before.inspect(|before| check(&before["spec"], &mut old));
        check(&object["spec"], &mut new);
        new.retain(|cause| !old.contains(cause));
        new
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |by: &str, causes: Vec<Value>| {
        let told: Vec<String> = causes
            .iter()
            .map(|c| {
                format!("{}: {}", c["field"].as_str().unwrap_or_default(), c["message"].as_str().unwrap_or_default())
            })
            .collect();
        let told = if told.len() > 1 { format!("[{}]", told.join(", ")) } else { told.concat() };
        let message = format!("{by}{}.{} \"{name}\" is invalid: {told}", resource.kind, resource.group);
        let mut refusal = Refusal::new(422, "Invalid", message);
        refusal.causes = causes;
        refusal
    };
    let causes = wrong(&|spec, causes| types(schema, spec, "spec", causes));
    if !causes.is_empty() {
        return Err(refuse("", causes));
    }
    if let Some((webhook, check)) = webhook::of(resource) {
        let causes = wrong(&check);
        if !causes.is_empty() {
            return Err(refuse(&format!("admission webhook \"{webhook}\" denied the request: "), causes));
        }
    }
    Ok(())
}

fn types(schema: &Value, value: &Value, at: &str, causes: &mut Vec<Value>) {
    let sort = match value {
        Value::Null => return,
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut bad = |wanted: &str| {
        let message = format!("Invalid value: \"{sort}\": {at} in body must be of type {wanted}: \"{sort}\"");
        causes.push(json!({ "reason": "FieldValueTypeInvalid", "field": at, "message": message }));
    };
    match (schema, value) {
        (Value::Object(fields), Value::Object(map)) => {
            for field in fields.keys().filter_map(|field| field.strip_suffix('!')) {
                if map.get(field).is_none_or(Value::is_null) {
                    let field = format!("{at}.{field}");
                    causes.push(json!({ "reason": "FieldValueRequired", "field": field, "message": "Required value" }));
                }
            }
            for (key, value) in map {
                if let Some(inner) = known(fields, key) {
                    types(inner, value, &format!("{at}.{key}"), causes);
                }
            }
        }
        (Value::Object(_), _) => bad("object"),
        (Value::Array(item), Value::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                types(item.first().unwrap_or(&Value::Null), value, &format!("{at}[{i}]"), causes);
            }
        }
        (Value::Array(_), _) => bad("array"),
        (Value::String(kind), _) if kind == "any" => {}
        (Value::String(values), Value::String(given)) if values.split('|').any(|value| value == given) => {}
        (Value::String(values), Value::String(given)) if values.contains('|') => {
            let listed: Vec<String> = values.split('|').map(|value| format!("{value:?}")).collect();
            let message = format!("Unsupported value: {given:?}: supported values: {}", listed.join(", "));
            causes.push(json!({ "reason": "FieldValueNotSupported", "field": at, "message": message }));
        }
        (Value::String(kind), _) if kind.contains('|') => bad("string"),
        (Value::String(kind), _) if kind != sort => bad(kind),
        _ => {}
    }
}

/// RFC 1123 subdomains, as nearly every type has to be named.
pub fn name(key: &str, object: &Value) -> Result<(), Refusal> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| part.starts_with(word) && part.ends_with(word) && part.chars().all(|c| word(c) || c == '-');
    // RBAC names may hold anything that fits in a path; `system:...` is usual.
    if name.is_empty() || key.ends_with("rbac.authorization.k8s.io") {
        return Ok(());
    }
    if name.len() <= 253 && name.split('.').all(part) {
        return Ok(());
    }
    let message = format!(
        "{key} \"{name}\" is invalid: metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    );
    Err(Refusal::new(422, "Invalid", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources;

    #[test]
    fn unknown_fields_are_named_and_pruned() {
        let cluster = resources::by_key("clusters.postgresql.cnpg.io").unwrap();
        let mut object = json!({ "specs": 1, "spec": { "instances": "2", "tolerations": [], "bootstrap": { "initdb": { "databse": "x" } } } });
        let found = unknown(cluster, &object).unwrap();
        assert_eq!(found, ["specs", "spec.tolerations", "spec.bootstrap.initdb.databse"]);
        let refused = validate(cluster, None, &object).unwrap_err();
        assert!(refused.message.contains("spec.instances in body must be of type integer"), "{}", refused.message);
        prune(cluster, &mut object);
        assert_eq!(object["spec"], json!({ "instances": "2", "bootstrap": { "initdb": {} } }));
    }

    #[test]
    fn built_in_types_are_known_too() {
        let deployment = resources::by_key("deployments.apps").unwrap();
        let pod = json!({ "containers": [{ "name": "a", "imagee": "b", "resources": { "limits": { "cpu": 1 } } }] });
        let object = json!({ "kind": "Deployment", "apiVersion": "apps/v1", "metadata": { "name": "a" }, "spec": { "replicas": 1, "template": { "spec": pod } } });
        assert_eq!(unknown(deployment, &object).unwrap(), ["spec.template.spec.containers[0].imagee"]);
        assert!(unknown(deployment, &json!({ "spec": { "replicas": "one" } })).is_err());
    }
}
