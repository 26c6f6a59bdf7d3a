//! The `postgresql` custom resource as the operator reads it, and the names it derives from it (operator 1.15's defaults).
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a stand-in needs of the manifest; fields left out take the operator's defaults.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub namespace: String,
    pub name: String,
    pub team: String,
    pub instances: u64,
    pub version: String,
    pub parameters: BTreeMap<String, String>,
    /// user -> flags (superuser, createdb, nologin ...)
    pub users: BTreeMap<String, Vec<String>>,
    /// database -> owner
    pub databases: BTreeMap<String, String>,
    /// spec.patroni as it stands
    pub patroni: Value,
    pub volume: String,
    pub generation: u64,
    /// Annotation acid.zalan.do/controller names another controller: hands off, deletion included.
    pub detached: bool,
}

/// The operator's own CONTROLLER_ID in the lab, as in most installations.
const CONTROLLER_ID: &str = "";
/// Parameters that Spilo takes from its environment: a change re-creates pods instead of a PATCH to Patroni.
const LOCAL: [&str; 9] = [
    "archive_command",
    "shared_buffers",
    "logging_collector",
    "log_destination",
    "log_directory",
    "log_filename",
    "log_file_mode",
    "log_rotation_age",
    "shared_preload_libraries",
];

impl Manifest {
    pub fn read(object: &Value) -> Manifest {
        let (metadata, spec) = (&object["metadata"], &object["spec"]);
        let flags = |flags: &Value| {
            flags.as_array().into_iter().flatten().filter_map(|f| f.as_str().map(str::to_lowercase)).collect()
        };
        let controller = metadata["annotations"]["acid.zalan.do/controller"].as_str().unwrap_or(CONTROLLER_ID);
        Manifest {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            team: text(&spec["teamId"]),
            instances: spec["numberOfInstances"].as_u64().unwrap_or(1),
            version: text(&spec["postgresql"]["version"]),
            parameters: fields(&spec["postgresql"]["parameters"])
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            users: fields(&spec["users"]).map(|(name, value)| (name.clone(), flags(value))).collect(),
            databases: fields(&spec["databases"]).map(|(name, owner)| (name.clone(), text(owner))).collect(),
            patroni: spec["patroni"].clone(),
            volume: spec["volume"]["size"].as_str().unwrap_or("1Gi").into(),
            generation: metadata["generation"].as_u64().unwrap_or(0),
            detached: controller != CONTROLLER_ID,
        }
    }

    pub fn labels(&self) -> Value {
        json!({"application": "spilo", "cluster-name": self.name, "team": self.team})
    }

    pub fn secret(&self, user: &str) -> String {
        secret(&self.name, user)
    }

    /// Parameters that the operator sends to Patroni's /config, and those that Spilo keeps to itself.
    pub fn split_parameters(&self) -> (Map<String, Value>, Map<String, Value>) {
        let (mut shared, mut local) = (Map::new(), Map::new());
        for (name, value) in &self.parameters {
            let own = LOCAL.contains(&name.as_str()) || name.starts_with("ssl");
            if own { &mut local } else { &mut shared }.insert(name.clone(), value.as_str().into());
        }
        (shared, local)
    }

    /// Users that log in: each has a Secret. `postgres` and `standby` are the operator's own.
    pub fn login_users(&self) -> impl Iterator<Item = &str> {
        let named = self.users.iter().filter(|(_, flags)| !flags.iter().any(|f| f == "nologin"));
        ["postgres", "standby"].into_iter().chain(named.map(|(name, _)| name.as_str()))
    }
}

/// `<user>.<cluster>.credentials.postgresql.acid.zalan.do`; '_' is no character of a name.
pub fn secret(cluster: &str, user: &str) -> String {
    format!("{}.{cluster}.credentials.postgresql.acid.zalan.do", user.replace('_', "-"))
}

pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_controller_detaches_and_an_empty_one_does_not() {
        let with = |id: Value| Manifest::read(&json!({"metadata": {"annotations": {"acid.zalan.do/controller": id}}}));
        assert!(with("kubectl-pgmigrate".into()).detached);
        assert!(!with("".into()).detached && !Manifest::read(&json!({})).detached);
    }

    #[test]
    fn underscores_become_dashes_in_secret_names() {
        assert_eq!(secret("c", "app_rw"), "app-rw.c.credentials.postgresql.acid.zalan.do");
    }
}
