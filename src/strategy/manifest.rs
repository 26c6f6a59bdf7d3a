//! The target Cluster: the user's own manifest, or a plain one, with what the strategy needs put in.

use crate::{
    facts::{Facts, cnpg::OURS, zalando::secret_name},
    spec::Migration,
    steps::first_backup::PLUGIN,
};
use serde_json::{Map, Value, json};

/// Name of the Secret that holds the target owner's credentials.
pub fn owner_secret(migration: &Migration) -> String {
    format!("{}-owner", migration.target.cluster)
}

/// What both strategies share: name, label, size, image, parameters, hba.
pub fn base(migration: &Migration, facts: &Facts) -> Value {
    let target = &migration.target;
    let mut cluster = target.template.clone().unwrap_or_else(|| json!({ "spec": {} }));
    cluster["apiVersion"] = json!("postgresql.cnpg.io/v1");
    cluster["kind"] = json!("Cluster");
    let meta = object(&mut cluster, "metadata");
    meta.insert("name".into(), json!(target.cluster));
    object_in(meta, "labels").insert(OURS.into(), json!(migration.name));
    let spec = object(&mut cluster, "spec");
    // One instance until the end of the window: with two, the standby is rolled first at promotion.
    spec.insert("instances".into(), json!(1));
    if let Some(image) = &target.image {
        spec.insert("imageName".into(), json!(image));
    } else if !spec.contains_key("imageName") && !spec.contains_key("imageCatalogRef") {
        let major = facts.source.version_num / 10000;
        spec.insert("imageName".into(), json!(format!("ghcr.io/cloudnative-pg/postgresql:{major}")));
    }
    let storage = object_in(spec, "storage");
    let size = target.storage.clone().unwrap_or_else(|| facts.source.volume_size.clone());
    storage.entry("size").or_insert(json!(size));
    let postgresql = object_in(spec, "postgresql");
    let parameters = object_in(postgresql, "parameters");
    // Without a parameter of its own, the instance manager drops this extension, and fails for ever where Spilo's views need it.
    parameters.entry("pg_stat_statements.track").or_insert(json!("top"));
    if !facts.unknown_passwords.is_empty() {
        let hba = postgresql.entry("pg_hba").or_insert(json!([]));
        if let Some(lines) = hba.as_array_mut() {
            lines.push(json!("host all all all md5"));
        }
    }
    if let Some(backup) = &target.backup {
        let plugin = json!({
            "name": PLUGIN, "isWALArchiver": true,
            "parameters": { "barmanObjectName": backup.object_store },
        });
        spec.entry("plugins").or_insert(json!([plugin]));
    }
    cluster
}

/// The pooler of the file. In session mode an app's connection holds one of the server's, so CNPG's default of 20 in each
/// pod would let the rest of the apps wait for ever: the pods share what the target takes, less a reserve for others.
pub fn pooler(migration: &Migration, facts: &Facts) -> Option<Value> {
    let pooler = migration.target.pooler.as_ref()?;
    let server: u32 = facts.standby_minimum.get("max_connections").and_then(|text| text.parse().ok()).unwrap_or(100);
    let share = (server.saturating_sub(15) / pooler.instances).max(5);
    Some(json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Pooler",
        "metadata": { "name": pooler.name, "labels": { OURS: migration.name } },
        "spec": {
            "cluster": { "name": migration.target.cluster }, "instances": pooler.instances, "type": "rw",
            "pgbouncer": {
                "poolMode": "session",
                "parameters": { "default_pool_size": share.to_string(), "max_client_conn": "1000" },
            },
        },
    }))
}

/// The Zalando cluster as CNPG's external cluster, by its own Service: the leader, whoever that is.
pub fn external(migration: &Migration, facts: &Facts, user: &str, secret: &str) -> Value {
    json!({
        "name": "zalando",
        "connectionParameters": {
            "host": facts.source.service_host, "port": "5432", "user": user, "dbname": "postgres", "sslmode": "require",
            "application_name": format!("pgmigrate-{}", migration.target.cluster),
        },
        "password": { "name": secret, "key": "password" },
    })
}

/// A fenced replica of the source.
pub fn replica(migration: &Migration, facts: &Facts, database: &str, owner: &str) -> Value {
    let mut cluster = base(migration, facts);
    let secret = secret_name(&migration.source, "standby");
    let fence = json!(r#"["*"]"#);
    object_in(object(&mut cluster, "metadata"), "annotations").insert("cnpg.io/fencedInstances".into(), fence);
    let spec = object(&mut cluster, "spec");
    spec.insert("smartShutdownTimeout".into(), json!(1));
    spec.insert("externalClusters".into(), json!([external(migration, facts, "standby", &secret)]));
    spec.insert("replica".into(), json!({ "enabled": true, "source": "zalando" }));
    let copy = json!({ "source": "zalando", "database": database, "owner": owner, "secret": { "name": owner_secret(migration) } });
    spec.insert("bootstrap".into(), json!({ "pg_basebackup": copy }));
    let parameters = object_in(object_in(spec, "postgresql"), "parameters");
    for (name, setting) in &facts.standby_minimum {
        raise(parameters, name, setting);
    }
    parameters.entry("wal_receiver_create_temp_slot").or_insert(json!("on"));
    cluster
}

/// Keeps the larger of what is there and what the source has.
fn raise(parameters: &mut Map<String, Value>, name: &str, setting: &str) {
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let there = parameters.get(name).and_then(Value::as_str).map(number);
    // CNPG's own default for worker processes; lower would shrink it.
    let floor = if name == "max_worker_processes" { 32 } else { 0 };
    let wanted = number(setting).max(floor).max(there.unwrap_or(0));
    parameters.insert(name.into(), json!(wanted.to_string()));
}

fn object<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !value[key].is_object() {
        value[key] = json!({});
    }
    value[key].as_object_mut().expect("made an object above")
}

fn object_in<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(key).or_insert(json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made an object above")
}
