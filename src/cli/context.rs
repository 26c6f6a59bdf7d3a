//! What every verb begins with: flags, the screen, the migration file, the cluster, the journal.

use super::{
    global::{Global, Which},
    signals,
};
use crate::{
    error::{Context as _, Error, Kind, Result},
    event::Events,
    facts::{self, Facts},
    journal::{Journal, Phase, State},
    kube::Kube,
    plan::Plan,
    sessions::Sessions,
    spec::{self, Migration},
    step::World,
    strategy,
    term::{self, Format, Mode, Ui, status::Status},
};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

pub struct Context {
    pub global: Global,
    pub ui: Ui,
}

impl Context {
    pub fn new(global: Global) -> Context {
        let ui = Ui::new(global.output, global.color, global.shown());
        term::logging(global.verbose);
        Context { global, ui }
    }

    pub fn migration(&self, which: &Which) -> Result<Migration> {
        let found =
            spec::find(which.name.as_deref(), self.global.file.as_deref(), self.global.flags.namespace.as_deref())?;
        self.global.name.set(found.name.clone()).ok();
        Ok(found)
    }

    pub async fn kube(&self) -> Result<Kube> {
        Kube::connect(&self.global.flags).await
    }

    /// The migration and a client in its namespace.
    pub async fn open(&self, which: &Which) -> Result<(Migration, Kube)> {
        let mut migration = self.migration(which)?;
        let mut kube = self.kube().await?;
        if migration.namespace.is_empty() {
            migration.namespace = kube.namespace().to_string();
        } else {
            kube = kube.in_namespace(&migration.namespace);
        }
        Ok((migration, kube))
    }

    /// How a run is shown: the live block where it can be drawn.
    pub fn mode(&self) -> Mode {
        Mode::auto()
    }

    /// Looks at the world without the lock; Ctrl-C ends it at once, for nothing is left half done.
    pub async fn look<T>(&self, which: &Which, work: impl AsyncFnOnce(&World) -> Result<T>) -> Result<T> {
        self.without_lock(which, true, work).await
    }

    /// The same for work that clears up after itself: Ctrl-C fires its world's token and waits.
    pub async fn ask<T>(&self, which: &Which, work: impl AsyncFnOnce(&World) -> Result<T>) -> Result<T> {
        self.without_lock(which, false, work).await
    }

    async fn without_lock<T>(
        &self,
        which: &Which,
        cut: bool,
        work: impl AsyncFnOnce(&World) -> Result<T>,
    ) -> Result<T> {
        let (migration, kube) = self.open(which).await?;
        let stop = signals::listen(None);
        let (sender, receiver) = unbounded_channel();
        let mode = if self.mode() == Mode::Live || self.global.verbose > 0 { self.mode() } else { Mode::Quiet };
        let following = term::follow(receiver, mode);
        let looked = async {
            let world = world(migration, kube, Events::new(sender), stop.clone()).await?;
            work(&world).await
        };
        let result = tokio::select! {
            // First: what is looked with hears of it too, and would say it in its own words.
            biased;
            _ = stop.cancelled(), if cut => Err(Error::new(Kind::Interrupted, "interrupted; nothing was changed")),
            result = looked => result,
        };
        stop.cancel();
        following.end().await;
        result
    }

    pub fn is_table(&self) -> bool {
        self.ui.format == Format::Table
    }
}

async fn world(migration: Migration, kube: Kube, events: Events, cancel: CancellationToken) -> Result<World> {
    let journal = Journal::read(&kube, &migration.name).await?;
    Ok(World { migration: Arc::new(migration), kube, events, cancel, journal, sessions: Sessions::default() })
}

/// A migration whose cutover has begun.
pub struct Beyond {
    /// One phrase for where it stands.
    pub standing: String,
    /// What to do from there, with the command.
    pub advice: String,
}

/// None before the cutover, or when it was taken back.
pub async fn beyond(kube: &Kube, name: &str, state: &State) -> Option<Beyond> {
    if !state.has_begun(Phase::Cutover) {
        return None;
    }
    let holder = kube.lock_holder(name).await.ok().flatten();
    let status = Status { name, namespace: kube.namespace(), state, plan: None, holder: holder.as_ref(), target: None };
    Some(Beyond { standing: format!("{name}: {}", status.standing()), advice: status.advice() })
}

/// The facts of the first run, from the journal; None before it.
pub fn facts_before(journal: &Journal) -> Result<Option<Facts>> {
    let state = journal.state();
    match state.fingerprint {
        Some(_) => Ok(Some(serde_json::from_value(state.facts).context("read the facts in the journal")?)),
        None => Ok(None),
    }
}

/// The facts as it was begun with, or as it would be begun now.
pub async fn facts(world: &World) -> Result<Facts> {
    match facts_before(&world.journal)? {
        Some(facts) => Ok(facts),
        None => facts::gather(&world.kube, &world.migration).await,
    }
}

/// The plan as it was begun; None where there is none or this version can't make it.
pub fn plan_before(migration: &Migration, journal: &Journal) -> Option<Plan> {
    strategy::plan(migration, &facts_before(journal).ok()??).ok()
}
