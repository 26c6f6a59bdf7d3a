//! The one loop, forwards: observe, decide, write the intent, apply, observe, write the outcome.

mod back;
mod decide;
mod fix;
mod open;
mod patience;
mod record;
mod told;

pub use fix::for_fixes;
pub use open::open;
pub use record::record;
pub use told::{Why, tells};

use crate::{
    error::{Context, Error, Kind, Result},
    event::Event,
    journal::{Phase, Standing, What},
    kube::lease::Lock,
    plan::Plan,
    step::{Evidence, Hazard, Observed, Outage, Receipt, Step, World},
};
use decide::{Action, decide};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// One migration, locked, with its plan: what every changing verb drives.
pub struct Runner {
    pub world: World,
    pub plan: Plan,
    lock: Lock,
    /// Asked to stop at the next safe point (Ctrl-C once).
    stop: CancellationToken,
    /// Beyond the point of no return there is no safe point until the app is up.
    past_one_way: Arc<AtomicBool>,
    /// When the apps went down, in this process or (by the journal's clock) in an earlier one.
    outage: Option<Instant>,
    /// Nothing of the migration is left: its lock goes too.
    removed: bool,
    /// Outcomes not yet written: they go with the next intent, in one write.
    unwritten: Vec<What>,
}

impl Runner {
    /// Runs a phase to its end, resuming where the journal stands. Before the point of no return a failed
    /// cutover undoes itself; the error says what state things are in and carries the exit code.
    pub async fn forward(&mut self, phase: Phase) -> Result<()> {
        let steps = self.plan.steps(phase).to_vec();
        let title = format!("{phase} {}", self.world.migration.name);
        self.world.events.send(Event::Began { title, steps: steps.len() });
        if !self.world.journal.state().has_begun(phase) {
            self.unwritten.push(What::PhaseBegan { phase });
        }
        self.past_one_way.store(phase == Phase::Cutover && self.may_be_past_one_way().await, Ordering::SeqCst);
        for (number, step) in steps.iter().enumerate() {
            if let Err(error) = self.step(phase, number + 1, step).await {
                return Err(self.failed(phase, step, error).await);
            }
        }
        self.unwritten.push(What::PhaseEnded { phase });
        self.flush().await
    }

    async fn step(&mut self, phase: Phase, number: usize, step: &Arc<dyn Step>) -> Result<()> {
        let (id, title) = (step.id(), step.describe().title);
        self.safe_point().await?;
        let state = self.world.journal.state();
        let record = state.step(&id);
        let standing = self.standing(phase, number, step, record.standing);
        let observed = self.observe(phase, step, standing).await;
        match decide(step.hazard(), standing, &observed) {
            Action::Skip => {
                self.world.events.send(Event::StepSkipped { id, title, why: "done before".into() });
                return Ok(());
            }
            Action::Adopt => {
                self.world.events.send(Event::StepSkipped { id: id.clone(), title, why: "already so".into() });
                self.unwritten.push(What::Found { step: id });
                return Ok(());
            }
            Action::Ask(why) => return Err(Error::new(Kind::Human, format!("{title}: {why}"))),
            Action::Finish => {
                self.world.events.send(Event::StepSkipped {
                    id: id.clone(),
                    title,
                    why: "was done when the last run ended".into(),
                });
                self.unwritten.push(What::Done { step: id, evidence: Value::Null, millis: 0 });
                self.outage_ends(step);
                return Ok(());
            }
            Action::Apply | Action::Reapply => {}
        }
        self.world.events.send(Event::StepStarted { number, id: id.clone(), title: title.clone() });
        let began = Instant::now();
        let receipt = match standing {
            Standing::Started | Standing::Failed | Standing::Done | Standing::Reverting
                if step.hazard() != Hazard::ReadOnly =>
            {
                record.receipt.clone()
            }
            _ => step.prepare(&self.world).await.with_context(|| format!("before the step '{title}'"))?,
        };
        self.outage_begins(step);
        self.unwritten.push(What::Started { step: id.clone(), receipt: receipt.clone() });
        if let Err(error) = self.flush().await {
            // What never began must not be written down as begun, with the failure.
            self.unwritten.clear();
            return Err(error);
        }
        let evidence = self.apply_patiently(step, &receipt).await?;
        let took = began.elapsed();
        let note = evidence.get("note").and_then(Value::as_str).map(String::from);
        self.unwritten.push(What::Done { step: id.clone(), evidence, millis: took.as_millis() as u64 });
        self.world.events.send(Event::StepDone { id, title, took, note });
        self.outage_ends(step);
        Ok(())
    }

    /// The journal's word as far as it still counts. What an earlier run only looked at may be otherwise by now: while
    /// there is a way back it is looked at again, except what belongs before the window, once the apps are down.
    fn standing(&self, phase: Phase, number: usize, step: &Arc<dyn Step>, standing: Standing) -> Standing {
        let window = self.plan.steps(phase).iter().take(number).any(|step| step.outage() == Outage::Begins);
        let again = self.may_go_back(phase) && (window || self.outage.is_none());
        match standing {
            Standing::Done | Standing::Found if again && step.hazard() == Hazard::ReadOnly => Standing::Never,
            standing => standing,
        }
    }

    /// Beyond the point of no return, and in finalize, the journal's "done" is history: later steps have undone it on
    /// purpose (apps started again). Before it, somebody may have: every step is looked at.
    async fn observe(&self, phase: Phase, step: &Arc<dyn Step>, standing: Standing) -> Observed {
        let settled = matches!(standing, Standing::Done | Standing::Found);
        if step.hazard() == Hazard::ReadOnly {
            return Observed::Absent;
        }
        if settled && phase != Phase::Prepare && !self.may_go_back(phase) {
            return Observed::Done;
        }
        self.look(step).await
    }

    fn may_go_back(&self, phase: Phase) -> bool {
        phase == Phase::Cutover && !self.past_one_way.load(Ordering::SeqCst)
    }

    async fn look(&self, step: &Arc<dyn Step>) -> Observed {
        match tokio::time::timeout(Duration::from_secs(60), step.observe(&self.world)).await {
            Ok(Ok(observed)) => observed,
            Ok(Err(error)) => Observed::Unknown(error.chain()),
            Err(_) => Observed::Unknown("no answer within 60 s".into()),
        }
    }

    /// Applies within the step's deadline and the downtime budget, then looks whether it took effect.
    async fn apply(&mut self, step: &Arc<dyn Step>, receipt: &Receipt) -> Result<Evidence> {
        let one_way = step.hazard() == Hazard::OneWay;
        if one_way {
            self.past_one_way.store(true, Ordering::SeqCst);
        }
        let limit = self.limit(step.deadline());
        let applied = match tokio::time::timeout(limit, step.apply(&self.world, receipt)).await {
            Ok(applied) => applied,
            Err(_) => Err(Error::failed(format!("not done within {:.0} s", limit.as_secs_f64()))),
        };
        if step.hazard() == Hazard::ReadOnly {
            return applied;
        }
        match (applied, self.look(step).await) {
            (Ok(evidence), Observed::Done) => Ok(evidence),
            (Ok(_), seen) => Err(Error::failed(format!("was applied, but a look says: {}", words(&seen)))),
            // An answer can be lost after the effect (504 behind a proxy): for the one-way step what is seen decides.
            (Err(error), Observed::Done) if one_way => {
                self.world.events.warn(format!(
                    "{}: {}; a look says that it is done",
                    step.describe().title,
                    error.chain()
                ));
                Ok(Value::Null)
            }
            (Err(error), Observed::Absent) if one_way => {
                self.past_one_way.store(false, Ordering::SeqCst);
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A step's deadline, cut to what is left of the downtime budget while there is a way back.
    fn limit(&self, deadline: Duration) -> Duration {
        match self.outage {
            Some(since) if !self.past_one_way.load(Ordering::SeqCst) => {
                deadline.min(self.world.migration.guardrails.downtime_budget.saturating_sub(since.elapsed()))
            }
            _ => deadline,
        }
    }

    fn outage_begins(&mut self, step: &Arc<dyn Step>) {
        if step.outage() == Outage::Begins && self.outage.is_none() {
            self.outage = Some(Instant::now());
            self.unwritten.push(What::OutageBegan);
            let budget = self.world.migration.guardrails.downtime_budget;
            self.world.events.send(Event::OutageBegan { so_far: Duration::ZERO, budget });
        }
    }

    fn outage_ends(&mut self, step: &Arc<dyn Step>) {
        if step.outage() == Outage::Ends
            && let Some(since) = self.outage.take()
        {
            let took = since.elapsed();
            self.unwritten.push(What::OutageEnded { millis: took.as_millis() as u64 });
            self.world.events.send(Event::OutageEnded { took });
        }
    }

    /// What a failed step leads to: back by itself, or a clear word on who must do what.
    async fn failed(&mut self, phase: Phase, step: &Arc<dyn Step>, error: Error) -> Error {
        let (name, title) = (self.world.migration.name.clone(), step.describe().title);
        self.world.events.send(Event::StepFailed { id: step.id(), title: title.clone(), error: error.chain() });
        self.unwritten.push(What::Failed { step: step.id(), error: error.chain() });
        // Who goes back holds the lock, too: an API server that is away for a moment must not leave the app down.
        let held = self.hold_lock(Instant::now() + patience::PATIENCE).await;
        let written = self.flush_once().await;
        let kind = error.kind;
        // The remedy of the cause comes first, then the command that goes on.
        let failed = |kind, cause: Error, next: String| Error {
            kind,
            what: format!("step '{title}' failed"),
            hint: Some(match &cause.hint {
                Some(remedy) => format!("{remedy}\n{next}"),
                None => next,
            }),
            cause: Some(Box::new(cause)),
        };
        if kind == Kind::Locked || [&held, &written].iter().any(|done| matches!(done, Err(e) if e.kind == Kind::Locked))
        {
            return failed(Kind::Locked, error, format!("kubectl pgmigrate status {name}"));
        }
        if phase != Phase::Cutover {
            let kind = if matches!(kind, Kind::Interrupted | Kind::Human | Kind::Check) { kind } else { Kind::Stopped };
            return failed(kind, error, format!("kubectl pgmigrate {phase} {name}"));
        }
        if self.may_be_past_one_way().await {
            let kind = if kind == Kind::Human { Kind::Human } else { Kind::Stopped };
            return failed(kind, error, format!("kubectl pgmigrate resume {name}"));
        }
        let reason = format!("{title}: {}", error.chain());
        let back = match held {
            Ok(()) => self.restore(Why::Failed(&reason), &reason).await,
            Err(away) => Err(away),
        };
        match back {
            Ok(()) => {
                let kind = if matches!(kind, Kind::Interrupted | Kind::Check) { kind } else { Kind::Failed };
                let next = "the app is back on the source; when the cause is gone: kubectl pgmigrate cutover";
                failed(kind, error, format!("{next} {name}"))
            }
            Err(undo) => {
                self.world.events.warn(format!("the way back failed: {}", undo.chain()));
                failed(Kind::RollbackIncomplete, error, format!("kubectl pgmigrate rollback {name}"))
            }
        }
    }

    fn one_way_stands(&self) -> bool {
        let state = self.world.journal.state();
        !matches!(state.step(&self.plan.one_way().id()).standing, Standing::Never | Standing::Reverted)
    }

    /// True unless it is certain that the one-way step has had no effect.
    pub async fn may_be_past_one_way(&self) -> bool {
        if !self.one_way_stands() {
            return false;
        }
        let state = self.world.journal.state();
        let done = matches!(state.step(&self.plan.one_way().id()).standing, Standing::Done | Standing::Found);
        done || self.look(self.plan.one_way()).await != Observed::Absent
    }

    pub async fn release(self) -> Result<()> {
        if self.removed { self.lock.remove().await } else { self.lock.release().await }
    }
}

fn words(seen: &Observed) -> String {
    match seen {
        Observed::Absent => "it is not there".into(),
        Observed::Partial(what) => format!("only partly: {what}"),
        Observed::Done => "done".into(),
        Observed::Unknown(why) => format!("unknown: {why}"),
    }
}
