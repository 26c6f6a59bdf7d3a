//! The JSON schema of the migration file, for editors. Its keys are those [`super::parse`] takes: a test holds them together.

use super::{Strategy, parse, template::VARIABLES};
use serde_json::{Value, json};

/// JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kubectl-pgmigrate migration",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": parse::API_VERSION},
            "kind": {"const": parse::KIND},
            "metadata": object(&["name"], json!({
                "name": name("The migration's name: on the command line, and in the names of what it leaves in the cluster."),
                "namespace": name("Default: --namespace, then the kubeconfig's.")
            })),
            "spec": spec(),
        },
        "$defs": {
            "duration": {
                "type": "string",
                "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
                "examples": ["90s", "5m", "1h30m"]
            },
            "size": {
                "type": ["string", "integer"],
                "minimum": 0,
                "pattern": "^[0-9]+ *([KMGT]iB|[kMGT]?B)?$",
                "examples": ["16MiB"]
            }
        }
    })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}
fn name(description: &str) -> Value {
    let pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    json!({"type": "string", "maxLength": parse::NAME_MOST, "pattern": pattern, "description": description})
}
fn text(description: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": description})
}
fn at_least(least: u32, description: &str) -> Value {
    json!({"type": "integer", "minimum": least, "description": description})
}
fn unit(definition: &str, default: &str, description: &str) -> Value {
    json!({"$ref": format!("#/$defs/{definition}"), "default": default, "description": description})
}

fn spec() -> Value {
    let zalando = object(&["cluster"], json!({"cluster": name("The postgresql object's name.")}));
    object(
        &["strategy", "target"],
        json!({
            "strategy": {"enum": Strategy::ALL.map(Strategy::name), "description": "How the data moves."},
            "source": object(&["zalando"], json!({"zalando": zalando})),
            "target": object(&["cnpg"], json!({"cnpg": cnpg()})),
            "databases": {
                "type": "array", "uniqueItems": true, "items": text("A database's name."),
                "description": "Default: every non-system database."
            },
            "apps": {
                "type": "array",
                "description": "Stopped last to first, started first to last. Default: found by discovery.",
                "items": object(&["workload"], json!({
                    "workload": {"type": "string", "pattern": "^(deployment|statefulset|cronjob)/[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
                    "startAfter": {"const": "ready", "description": "The next app starts when this one is ready."}
                }))
            },
            "connections": {"type": "array", "items": connection()},
            "guardrails": guardrails(),
            "script": text("A Rhai script, relative to this file."),
        }),
    )
}

fn cnpg() -> Value {
    object(
        &["cluster"],
        json!({
            "cluster": name("The CloudNativePG Cluster's name: another than the source's."),
            "template": text("Your Cluster manifest, relative to this file."),
            "instances": at_least(1, "Wanted number, reached after the cutover. Default 1."),
            "image": text("Default: the operator's, of the source's major version."),
            "storage": text("A Kubernetes quantity. Default: the source's volume size."),
            "pooler": object(&["name"], json!({
                "name": name("The Pooler's name, and so its Service's."),
                "instances": at_least(1, "Default 2.")
            })),
            "backup": object(&["objectStore"], json!({
                "objectStore": name("The ObjectStore's name."),
                "schedule": text("Six cron fields, seconds first: \"0 0 3 * * *\".")
            })),
        }),
    )
}

fn connection() -> Value {
    let variables = VARIABLES.map(|v| format!("${{{v}}}")).join(" ");
    let mut value = object(
        &["set"],
        json!({
            "secret": text("The Secret's name."),
            "configMap": text("The ConfigMap's name."),
            "set": {
                "type": "object", "minProperties": 1, "additionalProperties": text("A text with variables."),
                "description": format!("Key -> text with variables: {variables}")
            }
        }),
    );
    value["oneOf"] = json!([{"required": ["secret"]}, {"required": ["configMap"]}]);
    value
}

fn guardrails() -> Value {
    object(
        &[],
        json!({
            "stopApps": unit("duration", "2m", "For every app to have no pod left."),
            "quiet": unit("duration", "5s", "How long the fenced source must be seen without a transaction."),
            "lagBefore": unit("size", "16MiB", "WAL the target may lack when the window opens."),
            "catchUp": unit("duration", "30s", "For the target to replay the source's last position."),
            "downtimeBudget": unit("duration", "5m", "The whole window; then the app is brought back on the source."),
            "longestTransaction": unit("duration", "10s", "A transaction older than this keeps the window shut."),
            "preparedTransactions": at_least(0, "Prepared transactions that may exist. Default 0."),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_the_keys_that_the_parser_takes() {
        let schema = schema();
        let at = "/properties/spec/properties";
        for (pointer, keys) in [
            ("", parse::ROOT),
            ("/properties/metadata", parse::METADATA),
            ("/properties/spec", parse::SPEC),
            (&format!("{at}/source"), parse::SOURCE),
            (&format!("{at}/source/properties/zalando"), parse::ZALANDO),
            (&format!("{at}/target"), parse::TARGET),
            (&format!("{at}/target/properties/cnpg"), parse::CNPG),
            (&format!("{at}/target/properties/cnpg/properties/pooler"), parse::POOLER),
            (&format!("{at}/target/properties/cnpg/properties/backup"), parse::BACKUP),
            (&format!("{at}/apps/items"), parse::APP),
            (&format!("{at}/connections/items"), parse::CONNECTION),
            (&format!("{at}/guardrails"), parse::GUARDRAILS),
        ] {
            let object = schema.pointer(pointer).and_then(Value::as_object);
            let object = object.unwrap_or_else(|| panic!("no {pointer}"));
            assert_eq!(object["additionalProperties"], false, "{pointer}");
            let found: Vec<&str> =
                object["properties"].as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
            assert_eq!(found, keys, "{pointer}");
        }
    }
}
