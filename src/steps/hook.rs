//! A function of the migration's script, run as a step.
//!
//! Each changing call that it makes is journaled on its own, with its receipt, before its effect: undone newest first,
//! and not repeated when the hook runs again after a crash.

use crate::{
    error::{Error, Kind, Result},
    journal::What,
    script::{self, Recorder, Replay, Verdict},
    spec::Script,
    step::*,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

pub struct Hook {
    pub name: &'static str,
    pub script: Script,
    pub hazard: Hazard,
    /// Set when the function returned in this process: what it did can't be looked at, only that it ended.
    ended: AtomicBool,
}

impl Hook {
    pub fn new(name: &'static str, script: Script, hazard: Hazard) -> Hook {
        Hook { name, script, hazard, ended: AtomicBool::new(false) }
    }
}

/// The journal as a script's host writes it.
struct Calls {
    world: World,
    step: String,
    next: AtomicU32,
}

#[async_trait::async_trait]
impl Recorder for Calls {
    async fn intent(&self, text: &str, receipt: Value) -> Result<Replay> {
        let call = self.next.load(Ordering::SeqCst);
        let state = self.world.journal.state();
        if let Some(before) = state.step(&self.step).calls.get(&call) {
            if before.text != text {
                return Err(Error::new(Kind::Human, format!("call {call} was {} when it was first made, now it is {text}", before.text)));
            }
            return Ok(match &before.result {
                Some(result) => {
                    self.next.fetch_add(1, Ordering::SeqCst);
                    Replay::Done(result.clone())
                }
                None => Replay::Again(before.receipt.clone()),
            });
        }
        let entry = What::ScriptIntent { step: self.step.clone(), call, text: text.into(), receipt };
        self.world.journal.append(vec![entry]).await?;
        Ok(Replay::First)
    }

    async fn done(&self, result: Value) -> Result<()> {
        let call = self.next.fetch_add(1, Ordering::SeqCst);
        self.world.journal.append(vec![What::ScriptDone { step: self.step.clone(), call, result }]).await
    }
}

#[async_trait::async_trait]
impl Step for Hook {
    fn id(&self) -> String {
        format!("script-{}", self.name.replace('_', "-"))
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("run {} of the script", self.name),
            details: format!("{}; what it changes is undone call by call", self.script.name),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        self.hazard
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(if self.ended.load(Ordering::SeqCst) { Observed::Done } else { Observed::Absent })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let calls = Calls { world: world.clone(), step: self.id(), next: AtomicU32::new(0) };
        let outcome = script::run(world, &self.script, self.name, Some(Arc::new(calls)), self.deadline()).await?;
        self.ended.store(true, Ordering::SeqCst);
        let verdicts = outcome.map(|outcome| outcome.verdicts).unwrap_or_default();
        let bad: Vec<String> =
            verdicts.iter().filter(|v| v.verdict != Verdict::Pass).map(|v| format!("{} {}: {}", v.verdict.name(), v.name, v.why)).collect();
        if !bad.is_empty() {
            return Err(Error::check(format!("{}: {}", self.name, bad.join("; "))));
        }
        Ok(json!({ "note": if verdicts.is_empty() { "ended".into() } else { format!("{} PASS", verdicts.len()) }, "verdicts": verdicts }))
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        self.ended.store(false, Ordering::SeqCst);
        let calls = world.journal.state().step(&self.id()).calls.clone();
        for (number, call) in calls.iter().rev().filter(|(_, call)| !call.reverted) {
            script::undo(&world.kube, &call.receipt).await?;
            world.journal.append(vec![What::ScriptReverted { step: self.id(), call: *number }]).await?;
        }
        Ok(())
    }
}
