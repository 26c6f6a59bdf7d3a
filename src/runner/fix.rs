//! Fixes: steps of no phase, under the migration's lock and in its journal. They do not begin the migration, so that its
//! file may still change.

use super::{Runner, open};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Events},
    journal::{Phase, What},
    kube::Kube,
    plan::Plan,
    spec::Migration,
    step::Step,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Locks the migration for these steps alone.
pub async fn for_fixes(
    migration: Migration,
    kube: Kube,
    events: Events,
    stop: CancellationToken,
    fixes: Vec<Arc<dyn Step>>,
) -> Result<Runner> {
    let plan = async |_: &_| Ok(Plan { prepare: fixes, cutover: Vec::new(), finalize: Vec::new() });
    open::with(migration, kube, events, stop, plan).await
}

impl Runner {
    /// Runs what [`for_fixes`] was given. Not once the cutover has begun: its plan and receipts know the world as it was.
    pub async fn fix(&mut self) -> Result<()> {
        let (steps, name) = (self.plan.prepare.clone(), self.world.migration.name.clone());
        if self.world.journal.state().has_begun(Phase::Cutover) {
            return Err(Error::new(Kind::Human, format!("the cutover of {name} has begun: nothing is fixed in it"))
                .hint(format!("kubectl pgmigrate status {name}")));
        }
        self.world.events.send(Event::Began { title: format!("fix {name}"), steps: steps.len() });
        for (number, step) in steps.iter().enumerate() {
            if let Err(error) = self.step(Phase::Prepare, number + 1, step).await {
                let (id, title) = (step.id(), step.describe().title);
                self.unwritten.push(What::Failed { step: id.clone(), error: error.chain() });
                self.flush().await.ok();
                self.world.events.send(Event::StepFailed { id, title: title.clone(), error: error.chain() });
                return Err(error).with_context(|| format!("fix '{title}' failed"));
            }
        }
        self.flush().await
    }
}
