//! Opening a migration: its journal, its lock, its fingerprint, its plan.

use super::Runner;
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Events},
    facts::{self, Facts},
    journal::{Fingerprint, Journal, Phase, What},
    kube::Kube,
    plan::Plan,
    sessions::Sessions,
    spec::Migration,
    step::World,
    strategy,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What is needed to look at a migration without the lock: status, plan, check, verify.
pub async fn world(migration: Migration, kube: Kube, events: Events, cancel: CancellationToken) -> Result<World> {
    let journal = Journal::read(&kube, &migration.name).await?;
    Ok(World { migration: Arc::new(migration), kube, events, cancel, journal, sessions: Sessions::default() })
}

/// Locks the migration and makes its plan; the first time this writes the journal's first entry.
/// `stop` fires on the first Ctrl-C.
pub async fn open(migration: Migration, kube: Kube, events: Events, stop: CancellationToken) -> Result<Runner> {
    with(migration, kube, events, stop, begin).await
}

/// The plan as it was begun; the first time this begins it.
async fn begin(world: &World) -> Result<Plan> {
    let facts = match world.journal.state().fingerprint {
        Some(before) => {
            unchanged(world, &before)?;
            serde_json::from_value::<Facts>(world.journal.state().facts).context("read the facts in the journal")?
        }
        None => {
            let facts = facts::gather(&world.kube, &world.migration).await?;
            unclaimed(&world.migration, &facts)?;
            let fingerprint = fingerprint(&world.migration, &facts.source.system_identifier);
            let entry = What::Opened { fingerprint, facts: serde_json::to_value(&facts).context("write the facts")? };
            world.journal.append(vec![entry]).await?;
            facts
        }
    };
    strategy::plan(&world.migration, &facts)
}

/// Locks the migration, whatever its plan is made from.
pub(super) async fn with(
    migration: Migration,
    kube: Kube,
    events: Events,
    stop: CancellationToken,
    plan: impl AsyncFnOnce(&World) -> Result<Plan>,
) -> Result<Runner> {
    let lock = kube.lock(&migration.name).await?;
    let cancel = CancellationToken::new();
    let mut begun = true;
    let opened = async {
        let world = world(migration, kube, events, cancel.clone()).await?;
        begun = !world.journal.is_empty();
        let plan = plan(&world).await?;
        Ok((world, plan))
    };
    let (world, plan) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            // Nothing is left of a migration that could not begin, its Lease neither.
            let given_up = if begun { lock.release().await } else { lock.remove().await };
            given_up.ok();
            return Err(error);
        }
    };
    let past_one_way = Arc::new(AtomicBool::new(false));
    let (asked, past) = (stop.clone(), past_one_way.clone());
    tokio::spawn(async move {
        asked.cancelled().await;
        if !past.load(Ordering::SeqCst) {
            cancel.cancel();
        }
    });
    let outage = outage(&world);
    Ok(Runner { world, plan, lock, stop, past_one_way, outage, removed: false, unwritten: Vec::new() })
}

/// An outage that an earlier run began and nobody has ended, on this process's clock.
fn outage(world: &World) -> Option<Instant> {
    let state = world.journal.state();
    if !state.has_begun(Phase::Cutover) || state.outage_millis.is_some() {
        return None;
    }
    let so_far = jiff::Timestamp::now().duration_since(state.outage_began?);
    let so_far = Duration::try_from(so_far).unwrap_or_default();
    let budget = world.migration.guardrails.downtime_budget;
    world.events.send(Event::OutageBegan { so_far, budget });
    Instant::now().checked_sub(so_far)
}

fn fingerprint(migration: &Migration, source_system: &str) -> Fingerprint {
    Fingerprint {
        tool: env!("CARGO_PKG_VERSION").into(),
        file: migration.digest.clone(),
        script: migration.script.as_ref().map(|s| s.digest.clone()),
        strategy: format!("{:?}", migration.strategy),
        source_system: source_system.into(),
    }
}

/// A Cluster of the target's name that is not ours ends it here, before anything is written.
fn unclaimed(migration: &Migration, facts: &Facts) -> Result<()> {
    let name = &migration.target.cluster;
    match &facts.target {
        Some(target) if target.migration.as_deref() != Some(&migration.name) => Err(Error::check(format!(
            "cluster {name} is there and is not ours"
        ))
        .hint(format!("name another one in spec.target.cnpg.cluster; to see it: kubectl get cluster {name} -o yaml"))),
        _ => Ok(()),
    }
}

/// What was started under one file, script and version is finished under them.
fn unchanged(world: &World, before: &Fingerprint) -> Result<()> {
    let now = fingerprint(&world.migration, &before.source_system);
    let mut changed = Vec::new();
    let mut note = |what: &str, was: &str, is: &str| {
        if was != is {
            changed.push(format!("{what} (was {was}, is {is})"));
        }
    };
    note("tool version", &before.tool, &now.tool);
    note("migration file", &before.file, &now.file);
    note("script", before.script.as_deref().unwrap_or("none"), now.script.as_deref().unwrap_or("none"));
    note("strategy", &before.strategy, &now.strategy);
    if changed.is_empty() {
        return Ok(());
    }
    let name = &world.migration.name;
    Err(Error::new(Kind::Human, format!("migration {name} has begun and these changed since: {}", changed.join("; ")))
        .hint(format!("put them back as they were, or begin anew: kubectl pgmigrate rollback {name} --remove-target --accept-changes")))
}
