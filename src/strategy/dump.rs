//! `dump`: CNPG imports the fenced source; any version step, and an outage as long as dump, restore and comparison.

use super::{
    manifest,
    replica::{create_pooler, first_backup, prove_pooler, switch, template_shutdown},
};
use crate::{
    error::Result,
    facts::{
        Facts, cnpg, main_database,
        server::{Role, Verifier},
    },
    plan::Plan,
    postgres::Ident,
    spec::Migration,
    step::{Hazard, Step},
    steps::{
        detach_operator::DetachOperator,
        dump::{
            hba_fence::HbaFence, import::Import, migration_role::MigrationRole, quiet::Quiet, rehearse::Rehearse,
            repair::RepairImport, role_name, role_secret, verify_gate::VerifyGate,
        },
        gate::Gate,
        hook,
        prove_login::ProveLogin,
        replica::{grow_target::GrowTarget, owner_secret::OwnerSecret},
        retire_source::RetireSource,
        start_apps::StartApps,
        stop_apps::StopApps,
        switch_connections,
        tidy::Tidy,
    },
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Bytes per second that dump and restore together make at the very least; slower is taken for stuck.
const IMPORT_RATE: u64 = 2 * 1024 * 1024;
/// The same for reading every row on both sides.
const READ_RATE: u64 = 8 * 1024 * 1024;
/// Parallel jobs of pg_dump and pg_restore.
const JOBS: &str = "--jobs=4";
/// Spilo's schemas and extensions, which need what CNPG's images have not (zalando.md 3).
const LEFT_SCHEMAS: [&str; 3] = ["metric_helpers", "user_management", "pooler"];
const LEFT_EXTENSIONS: [&str; 6] = ["set_user", "pg_stat_kcache", "pg_auth_mon", "bg_mon", "pg_mon", "pgextwlist"];
/// Spilo's roles that grants in a dump name, on catalogue objects too: without them a restore fails.
const SPILO_ROLES: [&str; 5] = ["admin", "cron_admin", "zalandos", "robot_zmon", "pooler"];

pub fn plan(migration: &Migration, facts: &Facts) -> Result<Plan> {
    let main = main_database(migration, facts)?;
    let apps: Vec<String> = migration.apps.iter().map(|app| app.workload.to_string()).collect();
    let owner_secret = manifest::owner_secret(migration);
    let script = |name, hazard| hook::step(migration, name, hazard);

    let mut steps: Vec<Arc<dyn Step>> =
        vec![Arc::new(OwnerSecret { name: owner_secret.clone(), owner: main.owner.clone() })];
    steps.extend(prepare(migration, facts));

    let mut cutover: Vec<Arc<dyn Step>> = vec![Arc::new(Gate)];
    cutover.extend(script("before_cutover", Hazard::Disruptive)?);
    cutover.push(Arc::new(DetachOperator { source: migration.source.clone() }));
    cutover.push(Arc::new(StopApps {
        apps: apps.clone(),
        limit: migration.guardrails.stop_apps,
        strategy: migration.strategy,
    }));
    cutover.extend(script("stop_apps", Hazard::Disruptive)?);
    cutover.extend(before_switch(migration, facts));
    let login =
        ProveLogin { owner: main.owner.clone(), owner_secret: owner_secret.clone(), database: main.name.clone() };
    cutover.push(Arc::new(login.clone()));
    cutover.extend(create_pooler(migration, facts));
    cutover.extend(prove_pooler(migration, &login));
    // The source is fenced and still readable: the script compares both sides before anybody is sent across.
    cutover.extend(script("verify", Hazard::ReadOnly)?);
    cutover.extend(script("before_promote", Hazard::Disruptive)?);
    cutover.extend(script("after_promote", Hazard::Disruptive)?);
    cutover.push(Arc::new(switch(migration, &owner_secret, &main.name)));
    cutover.push(Arc::new(StartApps { apps, hazard: Hazard::OneWay }));
    cutover.extend(script("start_apps", Hazard::Disruptive)?);
    cutover.extend(script("health", Hazard::ReadOnly)?);
    cutover.extend(first_backup(migration, facts));
    cutover.push(Arc::new(GrowTarget {
        target: migration.target.cluster.clone(),
        instances: migration.target.instances,
        smart_shutdown: template_shutdown(migration),
    }));

    let mut finalize: Vec<Arc<dyn Step>> = Vec::new();
    finalize.extend(script("finalize", Hazard::Disruptive)?);
    finalize.push(Arc::new(RetireSource { source: migration.source.clone() }));
    let secrets = vec![switch_connections::saved_name(&migration.name), role_secret(migration)];
    finalize.push(Arc::new(Tidy { secrets }));
    Plan::new(steps, cutover, finalize)
}

/// What can be done while the app is up: the role, and a rehearsal with the schema alone.
pub fn prepare(migration: &Migration, facts: &Facts) -> Vec<Arc<dyn Step>> {
    vec![Arc::new(MigrationRole::of(migration)), Arc::new(Rehearse::new(import_manifest(migration, facts)))]
}

/// What comes between the stopped apps and the switched connections. The operator must be detached before it.
pub fn before_switch(migration: &Migration, facts: &Facts) -> Vec<Arc<dyn Step>> {
    let databases: Vec<String> = facts.databases.iter().map(|d| d.name.clone()).collect();
    let size: u64 = facts.databases.iter().map(|d| d.size).sum();
    let role = role_name(migration);
    vec![
        Arc::new(HbaFence { role: role.clone(), databases: databases.clone() }),
        Arc::new(Import {
            manifest: import_manifest(migration, facts),
            databases: databases.clone(),
            limit: Duration::from_secs(900 + size / IMPORT_RATE),
        }),
        Arc::new(RepairImport { databases: databases.clone() }),
        Arc::new(VerifyGate {
            databases: databases.clone(),
            rehashed: rehashed(facts),
            limit: Duration::from_secs(300 + size / READ_RATE),
        }),
        // Last, so that the whole time from the fence to the switch is looked at.
        Arc::new(Quiet { role, databases, time: migration.guardrails.quiet }),
    ]
}

/// Roles whose md5 password comes as scram, made anew from the operator's Secret.
pub fn rehashed(facts: &Facts) -> Vec<String> {
    let known = |r: &&Role| r.verifier == Verifier::Md5 && !r.system() && !facts.unknown_passwords.contains(&r.name);
    facts.roles.iter().filter(known).map(|r| r.name.clone()).collect()
}

/// A monolith import: it keeps owners, rights and database settings, which a microservice import loses.
fn import_manifest(migration: &Migration, facts: &Facts) -> Value {
    let mut cluster = manifest::base(migration, facts);
    let databases: Vec<&str> = facts.databases.iter().map(|d| d.name.as_str()).collect();
    let mut initdb = json!({
        "dataChecksums": facts.settings.data_checksums,
        "postInitSQL": bare_roles(&facts.roles),
        "import": {
            "type": "monolith",
            "databases": databases,
            "source": { "externalCluster": "zalando" },
            "pgDumpExtraOptions": dump_options(facts, cnpg::image_major(cluster["spec"]["imageName"].as_str().unwrap_or_default())),
            "pgRestoreDataOptions": [JOBS],
            "pgRestorePostdataOptions": [JOBS],
        },
    });
    // CNPG's own default is C, silently.
    if let Some(main) = facts.databases.iter().max_by_key(|d| d.size) {
        initdb["encoding"] = json!(main.encoding);
        initdb["localeCollate"] = json!(main.collate);
        initdb["localeCType"] = json!(main.ctype);
    }
    cluster["spec"]["bootstrap"] = json!({ "initdb": initdb });
    let external = manifest::external(migration, facts, &role_name(migration), &role_secret(migration));
    cluster["spec"]["externalClusters"] = json!([external]);
    cluster
}

/// Every role is made bare before the import, and becomes itself in the repair after it. CNPG's own import of roles would
/// lose as much, and print every password's verifier in the job's log. Superusers must be so at once: an event trigger
/// can be owned by nobody else.
pub fn bare_roles(roles: &[Role]) -> Vec<String> {
    let wanted = |r: &&Role| !r.system() || SPILO_ROLES.contains(&r.name.as_str());
    let statement = |r: &Role| {
        let superuser = if r.superuser && !r.system() { " SUPERUSER" } else { "" };
        format!("CREATE ROLE {} NOLOGIN{superuser}", Ident::new(&r.name))
    };
    roles.iter().filter(wanted).map(statement).collect()
}

/// From 17 on pg_dump can leave extensions out; before, it can only be told which to take.
fn dump_options(facts: &Facts, major: Option<u32>) -> Vec<String> {
    let mut options = vec![JOBS.to_owned()];
    options.extend(LEFT_SCHEMAS.iter().map(|schema| format!("--exclude-schema={schema}")));
    match major {
        Some(17..) => {
            options.extend(LEFT_EXTENSIONS.iter().map(|extension| format!("--exclude-extension={extension}")))
        }
        // Naming what to take makes pg_dump leave out all that is in no schema (publications, event triggers, foreign
        // servers) and the large objects: only where it must be, and with the large objects asked for.
        _ if facts.extensions.iter().any(|e| LEFT_EXTENSIONS.contains(&e.as_str())) => {
            let wanted = facts.extensions.iter().filter(|e| !LEFT_EXTENSIONS.contains(&e.as_str()));
            options.extend(wanted.map(|extension| format!("--extension=\"{extension}\"")));
            options.push("--blobs".into());
        }
        _ => {}
    }
    options
}
