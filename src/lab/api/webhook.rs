//! What CloudNativePG's admission webhook refuses, of the rules that a migration can break (cnpg.md 2).

use super::resources::Resource;
use serde_json::{Value, json};

/// Parameters that the operator keeps for itself (cnpg.md 2.2).
const FIXED: [&str; 27] = [
    "allow_system_table_mods",
    "archive_cleanup_command",
    "archive_command",
    "archive_mode",
    "bonjour",
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "event_source",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "ident_file",
    "listen_addresses",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "recovery_min_apply_delay",
    "restore_command",
    "shared_preload_libraries",
    "stats_temp_directory",
    "synchronized_standby_slots",
    "synchronous_standby_names",
    "temp_tablespaces",
];

/// Whole families of them. `log_*` are more than files, so those are named one by one.
const FIXED_FAMILIES: [&str; 4] = ["recovery_target", "ssl", "syslog_", "unix_socket_"];
const FIXED_LOGS: [&str; 7] = [
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_rotation_age",
    "log_rotation_size",
    "log_truncate_on_rotation",
];

type Check = fn(&Value, &mut Vec<Value>);

/// (the webhook's name, what it asks of a spec)
pub fn of(resource: &Resource) -> Option<(&'static str, Check)> {
    match resource.key().as_str() {
        "clusters.postgresql.cnpg.io" => Some(("vcluster.cnpg.io", cluster)),
        _ => None,
    }
}

fn refuse(causes: &mut Vec<Value>, field: &str, given: &Value, message: &str) {
    let message = format!("Invalid value: {given}: {message}");
    causes.push(json!({ "reason": "FieldValueInvalid", "field": field, "message": message }));
}

fn is_fixed(name: &str) -> bool {
    // The protocol versions are the user's to set, unlike the rest of TLS.
    let free = ["ssl_max_protocol_version", "ssl_min_protocol_version"].contains(&name);
    let family = FIXED_FAMILIES.iter().any(|family| name.starts_with(family));
    !free && (family || FIXED.contains(&name) || FIXED_LOGS.contains(&name))
}

fn cluster(spec: &Value, causes: &mut Vec<Value>) {
    for (name, value) in spec["postgresql"]["parameters"].as_object().into_iter().flatten() {
        if is_fixed(name) {
            let field = format!("spec.postgresql.parameters.{name}");
            refuse(causes, &field, value, "Can't set fixed configuration parameter");
        }
    }
    if spec["instances"].as_i64().is_some_and(|count| count < 1) {
        refuse(
            causes,
            "spec.instances",
            &spec["instances"],
            "spec.instances in body should be greater than or equal to 1",
        );
    }
    let methods: Vec<&String> = spec["bootstrap"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, method)| !method.is_null())
        .map(|(name, _)| name)
        .collect();
    if methods.len() > 1 {
        refuse(causes, "spec.bootstrap", &json!(methods), "Only one bootstrap method can be specified at a time");
    }
    import(&spec["bootstrap"]["initdb"]["import"], causes);
    external(spec, causes);
}

/// cnpg.md 2.4
fn import(import: &Value, causes: &mut Vec<Value>) {
    if import.is_null() {
        return;
    }
    let at = |field: &str| format!("spec.bootstrap.initdb.import.{field}");
    let list = |field: &str| import[field].as_array().map(Vec::as_slice).unwrap_or_default();
    let (databases, roles, after) = (list("databases"), list("roles"), list("postImportApplicationSQL"));
    let star = |all: &[Value]| all.iter().any(|name| name == "*");
    if import["type"] == "microservice" {
        if databases.len() != 1 {
            refuse(
                causes,
                &at("databases"),
                &import["databases"],
                "You need to specify a single database for the `microservice` import type",
            );
        } else if star(databases) {
            refuse(
                causes,
                &at("databases"),
                &import["databases"],
                "You cannot specify any wildcard for the `microservice` import type",
            );
        }
        if !roles.is_empty() {
            refuse(
                causes,
                &at("roles"),
                &import["roles"],
                "You cannot specify roles to import for the `microservice` import type",
            );
        }
        return;
    }
    if databases.is_empty() {
        refuse(
            causes,
            &at("databases"),
            &import["databases"],
            "You need to specify at least a database for the `monolith` import type",
        );
    }
    for (field, all) in [("databases", databases), ("roles", roles)] {
        if star(all) && all.len() > 1 {
            refuse(causes, &at(field), &import[field], "Wildcard import cannot be used along other names");
        }
    }
    if !after.is_empty() {
        let message = "postImportApplicationSQL is not allowed for the `monolith` import type";
        refuse(causes, &at("postImportApplicationSQL"), &import["postImportApplicationSQL"], message);
    }
}

/// Every external cluster that is spoken of must be there; a new replica cluster needs a copy to begin from.
fn external(spec: &Value, causes: &mut Vec<Value>) {
    let named = |source: &Value| {
        spec["externalClusters"].as_array().is_some_and(|all| all.iter().any(|known| &known["name"] == source))
    };
    let places = [
        ("spec.bootstrap.pg_basebackup.source", &spec["bootstrap"]["pg_basebackup"]["source"]),
        (
            "spec.bootstrap.initdb.import.source.externalCluster",
            &spec["bootstrap"]["initdb"]["import"]["source"]["externalCluster"],
        ),
        ("spec.replica.source", &spec["replica"]["source"]),
    ];
    for (field, source) in places.iter().filter(|(_, source)| source.is_string() && !named(source)) {
        refuse(causes, field, source, &format!("External cluster {} not found", source.as_str().unwrap_or_default()));
    }
    let replica = &spec["replica"];
    if replica["enabled"].is_boolean() && replica["primary"].is_string() {
        refuse(causes, "spec.replica", replica, "replica.enabled and replica.primary cannot be used together");
    }
    let copied = ["pg_basebackup", "recovery"].iter().any(|method| !spec["bootstrap"][method].is_null());
    if replica["enabled"] == true && !copied {
        refuse(
            causes,
            "spec.bootstrap",
            &spec["bootstrap"],
            "replica mode bootstrap is compatible only with pg_basebackup or recovery",
        );
    }
}
