//! What the CRDs' schemas refuse: unknown fields and wrong types, of the fields that a migration touches.
//!
//! In the lab's own words: `field: type`, an object's fields nested, `any` for a subtree that is not checked.

use super::{request::RequestInfo, resources::Resource, store::Refusal};
use serde_json::{Value, json};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schemas.json")).expect("the lab's own schemas are JSON, or no test passes")
});

/// Parameters that CNPG's webhook refuses (cnpg.md 2.2).
const FORBIDDEN: [&str; 16] = [
    "archive_mode",
    "archive_command",
    "cluster_name",
    "config_file",
    "data_directory",
    "hba_file",
    "ident_file",
    "hot_standby",
    "listen_addresses",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "restore_command",
    "shared_preload_libraries",
    "ssl",
    "synchronous_standby_names",
];

/// Looks at a request's body: unknown fields under Strict, with the real server's two different answers.
pub fn admit(resource: &Resource, info: &RequestInfo, body: &Value) -> Result<(), Refusal> {
    if !resource.custom || !matches!(info.verb, "create" | "update" | "patch") || info.subresource.is_some() {
        return Ok(());
    }
    let Some(schema) = SCHEMAS.get(resource.key()) else { return Ok(()) };
    let unknown = unknown_field(schema, &body["spec"], "spec");
    match unknown {
        Some(field) if info.content_type.starts_with("application/apply-patch") => Err(Refusal::new(
            500,
            "InternalError",
            format!(
                "failed to create typed patch object ({}; {}): .{field}: field not declared in schema",
                info.namespace,
                resource.key()
            ),
        )),
        Some(field) if info.strict() => Err(Refusal::new(
            400,
            "BadRequest",
            format!(
                "{} in version \"{}\" cannot be handled as a {}: strict decoding error: unknown field \"{field}\"",
                resource.kind, resource.version, resource.kind
            ),
        )),
        _ => Ok(()),
    }
}

/// Looks at the whole object that would be stored.
pub fn validate(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    let Some(schema) = SCHEMAS.get(resource.key()) else { return Ok(()) };
    let mut causes = Vec::new();
    types(schema, &object["spec"], "spec", &mut causes);
    if resource.key() == "clusters.postgresql.cnpg.io" {
        webhook(&object["spec"], &mut causes);
    }
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let told: Vec<&str> = causes.iter().filter_map(|c| c["message"].as_str()).collect();
    let mut refusal = Refusal::new(
        422,
        "Invalid",
        format!("{}.{} \"{name}\" is invalid: {}", resource.kind, resource.group, told.join(", ")),
    );
    refusal.causes = causes;
    Err(refusal)
}

fn unknown_field(schema: &Value, value: &Value, at: &str) -> Option<String> {
    match (schema, value) {
        (Value::Object(known), Value::Object(map)) => {
            map.iter().find_map(|(key, value)| match known.get(key).or(known.get("*")) {
                None => Some(format!("{at}.{key}")),
                Some(inner) => unknown_field(inner, value, &format!("{at}.{key}")),
            })
        }
        (Value::Array(item), Value::Array(items)) => {
            items.iter().enumerate().find_map(|(i, value)| unknown_field(item.first()?, value, &format!("{at}[{i}]")))
        }
        _ => None,
    }
}

fn types(schema: &Value, value: &Value, at: &str, causes: &mut Vec<Value>) {
    let bad = |wanted: &str| json!({ "reason": "FieldValueTypeInvalid", "field": at, "message": format!("{at}: Invalid value: must be of type {wanted}") });
    match (schema, value) {
        (_, Value::Null) => {}
        (Value::Object(known), Value::Object(map)) => {
            for (key, value) in map {
                if let Some(inner) = known.get(key).or(known.get("*")) {
                    types(inner, value, &format!("{at}.{key}"), causes);
                }
            }
        }
        (Value::Object(_), _) => causes.push(bad("object")),
        (Value::Array(item), Value::Array(items)) => {
            for (i, value) in items.iter().enumerate() {
                types(item.first().unwrap_or(&Value::Null), value, &format!("{at}[{i}]"), causes);
            }
        }
        (Value::Array(_), _) => causes.push(bad("array")),
        (Value::String(kind), value) => {
            let fits = match kind.as_str() {
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "boolean" => value.is_boolean(),
                _ => true,
            };
            if !fits {
                causes.push(bad(kind));
            }
        }
        _ => {}
    }
}

fn webhook(spec: &Value, causes: &mut Vec<Value>) {
    let mut refuse = |field: String, message: &str| {
        causes.push(json!({ "reason": "FieldValueInvalid", "field": field, "message": format!("{field}: {message}") }));
    };
    if let Some(parameters) = spec["postgresql"]["parameters"].as_object() {
        for name in
            parameters.keys().filter(|name| FORBIDDEN.contains(&name.as_str()) || name.starts_with("recovery_target"))
        {
            refuse(format!("spec.postgresql.parameters.{name}"), "Can't set fixed configuration parameter");
        }
    }
    let methods = spec["bootstrap"].as_object().map_or(0, |map| map.values().filter(|v| !v.is_null()).count());
    if methods > 1 {
        refuse("spec.bootstrap".into(), "Too many bootstrap types specified");
    }
    let import = &spec["bootstrap"]["initdb"]["import"];
    let count = |field: &str| import[field].as_array().map_or(0, Vec::len);
    if import["type"] == "microservice" && (count("databases") != 1 || count("roles") > 0) {
        refuse("spec.bootstrap.initdb.import".into(), "microservice imports exactly one database and no roles");
    }
    if spec["replica"]["enabled"] == true {
        let source = &spec["replica"]["source"];
        let known = spec["externalClusters"].as_array().is_some_and(|all| all.iter().any(|c| &c["name"] == source));
        if !known {
            refuse("spec.replica.source".into(), "External cluster not found");
        }
    }
}
