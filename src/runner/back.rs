//! The loop backwards: automatic restore, rollback, and taking away what prepare made.

use super::{Runner, Why};
use crate::{
    error::{Error, Kind, Result},
    event::{Event, Events},
    journal::{Phase, Standing, What},
    step::{Hazard, Outage, Step, World},
    steps::fix,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A revert is tried this often: an API server that restarts must not cost the app its way back.
const TRIES: u32 = 5;

impl Runner {
    /// Undoes the cutover's steps, newest first, every one even if one fails; then the script is told.
    pub async fn restore(&mut self, why: Why<'_>, reason: &str) -> Result<()> {
        let title = format!("restore {}: the app goes back to the source", self.world.migration.name);
        self.forget_looks();
        self.undo(Phase::Cutover, title).await?;
        self.outage = None;
        if self.world.journal.state().has_begun(Phase::Cutover) {
            self.tell_script(&why).await;
        }
        self.unwritten.push(What::Restored { reason: reason.to_string() });
        self.flush().await
    }

    /// What was only looked at, or found done, was so in the window that ends: the next one looks again. A proof that the
    /// target had everything is worth nothing once the app writes again.
    fn forget_looks(&mut self) {
        let state = self.world.journal.state();
        let looked = |step: &&Arc<dyn Step>| match state.step(&step.id()).standing {
            Standing::Found => true,
            Standing::Never | Standing::Reverted => false,
            _ => step.hazard() == Hazard::ReadOnly,
        };
        let steps = self.plan.steps(Phase::Cutover).iter().filter(looked);
        self.unwritten.extend(steps.map(|step| What::Reverted { step: step.id() }));
    }

    /// Undoes prepare as well, what `check --fix` changed, and the journal with it: nothing of ours is left.
    pub async fn remove(&mut self) -> Result<()> {
        let fixes = fix::kept(&self.world.journal.state(), &self.world.migration.source);
        self.plan.prepare.splice(0..0, fixes);
        let title = format!("remove what was prepared for {}", self.world.migration.name);
        self.undo(Phase::Prepare, title).await?;
        self.world.journal.remove().await?;
        self.removed = true;
        Ok(())
    }

    async fn undo(&mut self, phase: Phase, title: String) -> Result<()> {
        let state = self.world.journal.state();
        let touched = |step: &&Arc<dyn Step>| {
            let standing = state.step(&step.id()).standing;
            step.hazard() != Hazard::ReadOnly
                && matches!(standing, Standing::Started | Standing::Failed | Standing::Done | Standing::Reverting)
        };
        let steps: Vec<Arc<dyn Step>> = self.plan.steps(phase).iter().rev().filter(touched).cloned().collect();
        self.world.events.send(Event::Began { title, steps: steps.len() });
        // The way back does not stop for the Ctrl-C or the deadline that started it.
        let world = World { cancel: CancellationToken::new(), ..self.world.clone() };
        let mut first: Option<Error> = None;
        for (number, step) in steps.iter().enumerate() {
            if let Err(error) = self.revert(&world, number + 1, step).await {
                world.events.send(Event::StepFailed { id: step.id(), title: undoing(step), error: error.chain() });
                self.unwritten.push(What::RevertFailed { step: step.id(), error: error.chain() });
                first.get_or_insert(error);
            }
        }
        match first {
            None => Ok(()),
            Some(error) => {
                self.flush().await.ok();
                Err(error.kind(Kind::RollbackIncomplete))
            }
        }
    }

    async fn revert(&mut self, world: &World, number: usize, step: &Arc<dyn Step>) -> Result<()> {
        let id = step.id();
        world.events.send(Event::StepStarted { number, id: id.clone(), title: undoing(step) });
        let receipt = self.world.journal.receipt(&id);
        self.unwritten.push(What::RevertStarted { step: id.clone() });
        let began = Instant::now();
        persist(&world.events, async || {
            self.flush_once().await?;
            match tokio::time::timeout(step.deadline().max(Duration::from_secs(60)), step.revert(world, &receipt)).await
            {
                Ok(result) => result,
                Err(_) => Err(Error::failed("undoing it took too long")),
            }
        })
        .await?;
        self.unwritten.push(What::Reverted { step: id.clone() });
        world.events.send(Event::StepReverted { id, title: undoing(step), took: began.elapsed() });
        // Undoing the step that took the app down is what brings it back.
        if step.outage() == Outage::Begins
            && let Some(since) = self.outage.take()
        {
            let took = since.elapsed();
            self.unwritten.push(What::OutageEnded { millis: took.as_millis() as u64 });
            world.events.send(Event::OutageEnded { took });
        }
        Ok(())
    }
}

async fn persist(events: &Events, mut attempt: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let mut tries = 1;
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) if tries == TRIES || error.kind == Kind::Locked => return Err(error),
            Err(error) => {
                events.detail(format!("try {tries} of {TRIES}: {}; again", error.chain()));
                tokio::time::sleep(Duration::from_secs(1 << tries.min(3))).await;
                tries += 1;
            }
        }
    }
}

fn undoing(step: &Arc<dyn Step>) -> String {
    format!("undo: {}", step.describe().title)
}
