//! `replica`: the target streams a physical copy; the window is the source's shutdown, a proof, and a promotion.

use super::manifest;
use crate::{
    error::Result,
    facts::{Facts, main_database},
    plan::Plan,
    spec::{ConnectionObject, Migration},
    step::{Hazard, Step},
    steps::{
        detach_operator::DetachOperator,
        first_backup::FirstBackup,
        gate::Gate,
        hook,
        pause_patroni::PausePatroni,
        pooler::{CreatePooler, ProvePooler},
        prove_login::ProveLogin,
        repair_logins::RepairLogins,
        replica::*,
        retire_source::RetireSource,
        start_apps::StartApps,
        stop_apps::StopApps,
        switch_connections::{self, SwitchConnections},
        tidy::Tidy,
    },
};
use std::{sync::Arc, time::Duration};

/// Bytes per second that a base backup makes at the very least; slower is taken for stuck.
const COPY_RATE: u64 = 4 * 1024 * 1024;

pub fn plan(migration: &Migration, facts: &Facts) -> Result<Plan> {
    let main = main_database(migration, facts)?;
    let guard = &migration.guardrails;
    let (source, target) = (&migration.source, &migration.target.cluster);
    let size: u64 = facts.databases.iter().map(|d| d.size).sum();
    let copy = Duration::from_secs(900 + size / COPY_RATE);
    let apps: Vec<String> = migration.apps.iter().map(|app| app.workload.to_string()).collect();
    let owner_secret = manifest::owner_secret(migration);
    let streaming = |id| streaming::Streaming { id, lag: guard.lag_before, limit: copy };

    let login =
        ProveLogin { owner: main.owner.clone(), owner_secret: owner_secret.clone(), database: main.name.clone() };
    let clean = clean_leftovers::CleanLeftovers { roles: false };

    let mut prepare: Vec<Arc<dyn Step>> = vec![
        Arc::new(wal_retention::WalRetention::new(source)),
        Arc::new(owner_secret::OwnerSecret { name: owner_secret.clone(), owner: main.owner.clone() }),
        Arc::new(create_target::CreateTarget {
            manifest: manifest::replica(migration, facts, &main.name, &main.owner),
        }),
        Arc::new(make_bootable::MakeBootable { target: target.clone(), limit: copy }),
        Arc::new(streaming("streaming-first")),
        Arc::new(restart_target::RestartTarget { target: target.clone() }),
        Arc::new(streaming("streaming")),
    ];
    prepare.extend(create_pooler(migration, facts));
    // Detaching and pausing take nothing from the app: they come before the window, not in it.
    let script = |name, hazard| hook::step(migration, name, hazard);
    let mut cutover: Vec<Arc<dyn Step>> = vec![Arc::new(Gate)];
    cutover.extend(script("before_cutover", Hazard::Disruptive)?);
    cutover.push(Arc::new(DetachOperator { source: source.clone() }));
    cutover.push(Arc::new(PausePatroni { source: source.clone() }));
    cutover.push(Arc::new(StopApps { apps: apps.clone(), limit: guard.stop_apps, strategy: migration.strategy }));
    cutover.extend(script("stop_apps", Hazard::Disruptive)?);
    cutover.push(Arc::new(fence_source::FenceSource { source: source.clone() }));
    cutover.push(Arc::new(prove_caught_up::ProveCaughtUp { limit: guard.catch_up }));
    cutover.extend(script("before_promote", Hazard::Disruptive)?);
    cutover.push(Arc::new(promote::Promote { target: target.clone() }));
    cutover.push(Arc::new(settle::Settle));
    cutover.push(Arc::new(RepairLogins { unknown: facts.unknown_passwords.clone() }));
    cutover.push(Arc::new(login.clone()));
    // While one of Spilo's extensions can't be dropped the operator makes no role for the pooler: cleaned first, then.
    let (within, after) = if migration.target.pooler.is_some() { (Some(clean), None) } else { (None, Some(clean)) };
    cutover.extend(within.map(|clean| Arc::new(clean) as Arc<dyn Step>));
    cutover.extend(prove_pooler(migration, &login));
    cutover.extend(script("after_promote", Hazard::Disruptive)?);
    cutover.push(Arc::new(switch(migration, &owner_secret, &main.name)));
    cutover.push(Arc::new(StartApps { apps, hazard: Hazard::Disruptive }));
    cutover.extend(script("start_apps", Hazard::Disruptive)?);
    cutover.extend(script("health", Hazard::ReadOnly)?);
    cutover.extend(script("verify", Hazard::ReadOnly)?);
    cutover.extend(after.map(|clean| Arc::new(clean) as Arc<dyn Step>));
    cutover.extend(first_backup(migration, facts));
    let (instances, smart_shutdown) = (migration.target.instances, template_shutdown(migration));
    cutover.push(Arc::new(grow_target::GrowTarget { target: target.clone(), instances, smart_shutdown }));
    let mut finalize: Vec<Arc<dyn Step>> = Vec::new();
    finalize.extend(script("finalize", Hazard::Disruptive)?);
    finalize.push(Arc::new(RetireSource { source: source.clone() }));
    finalize.push(Arc::new(clean_leftovers::CleanLeftovers { roles: true }));
    finalize.push(Arc::new(Tidy { secrets: vec![switch_connections::saved_name(&migration.name)] }));
    Plan::new(prepare, cutover, finalize)
}

pub fn create_pooler(migration: &Migration, facts: &Facts) -> Option<Arc<dyn Step>> {
    manifest::pooler(migration, facts).map(|manifest| Arc::new(CreatePooler { manifest }) as Arc<dyn Step>)
}

pub fn prove_pooler(migration: &Migration, login: &ProveLogin) -> Option<Arc<dyn Step>> {
    let pooler = migration.target.pooler.as_ref()?;
    Some(Arc::new(ProvePooler { pooler: pooler.name.clone(), login: login.clone() }))
}

pub fn first_backup(migration: &Migration, facts: &Facts) -> Option<Arc<dyn Step>> {
    let backup = migration.target.backup.clone()?;
    let size: u64 = facts.databases.iter().map(|d| d.size).sum();
    let limit = Duration::from_secs(900 + size / COPY_RATE);
    Some(Arc::new(FirstBackup {
        migration: migration.name.clone(),
        target: migration.target.cluster.clone(),
        backup,
        limit,
    }))
}

pub fn switch(migration: &Migration, owner_secret: &str, database: &str) -> SwitchConnections {
    let objects = migration.connections.iter().map(|c| match &c.object {
        ConnectionObject::Secret(name) => format!("secret/{name}"),
        ConnectionObject::ConfigMap(name) => format!("configmap/{name}"),
    });
    SwitchConnections {
        objects: objects.collect(),
        sends: migration.connections.iter().map(switch_connections::sent).collect(),
        owner_secret: owner_secret.into(),
        database: database.into(),
        limit: migration.guardrails.stop_apps,
    }
}

pub fn template_shutdown(migration: &Migration) -> Option<i64> {
    migration.target.template.as_ref()?["spec"]["smartShutdownTimeout"].as_i64()
}
