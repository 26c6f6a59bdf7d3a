//! A function of the migration's script, run as a step.
//!
//! Each changing call that it makes is journaled on its own, with its receipt, before its effect: undone newest first,
//! and not repeated when the hook runs again after a crash.

use crate::{
    error::{Error, Kind, Result},
    facts::{cnpg, zalando},
    journal::{Standing, What},
    postgres::Db,
    script::{
        self, HookOutcome, Recorder, Replay, Side, Verdict,
        live::{Counting, Live, Sides},
    },
    spec::{Migration, Script},
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

/// The name in the journal: `script-on-failure`.
pub fn id(name: &str) -> String {
    format!("script-{}", name.replace('_', "-"))
}

/// The journal as a script's host writes it.
pub struct Calls {
    world: World,
    step: String,
    next: AtomicU32,
}

impl Calls {
    /// The calls of the step of this id, which has begun.
    pub fn of(world: &World, step: &str) -> Calls {
        Calls { world: world.clone(), step: step.into(), next: AtomicU32::new(0) }
    }
}

#[async_trait::async_trait]
impl Recorder for Calls {
    async fn intent(&self, text: &str, receipt: Value) -> Result<Replay> {
        let call = self.next.load(Ordering::SeqCst);
        let state = self.world.journal.state();
        if let Some(before) = state.step(&self.step).calls.get(&call) {
            if before.text != text {
                return Err(Error::new(
                    Kind::Human,
                    format!("call {call} was {} when it was first made, now it is {text}", before.text),
                ));
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

/// The hooks of a script that a plan has steps for: none where the function is not there.
pub fn step(migration: &Migration, name: &'static str, hazard: Hazard) -> Result<Option<Arc<dyn Step>>> {
    let Some(script) = &migration.script else { return Ok(None) };
    Ok(script::defines(script, name)?.then(|| Arc::new(Hook::new(name, script.clone(), hazard)) as Arc<dyn Step>))
}

/// Both ends for a script, as superuser in the first of the migration's databases, within read-only transactions.
pub struct Ends {
    pub world: World,
}

#[async_trait::async_trait]
impl Sides for Ends {
    async fn open(&self, side: Side) -> Result<Db> {
        let (kube, migration) = (&self.world.kube, &self.world.migration);
        let database = migration.databases.first().map_or("postgres", String::as_str);
        match side {
            Side::Target => cnpg::open_target(kube, &migration.target.cluster, database).await,
            Side::Source => {
                let source = zalando::source(kube, &migration.source).await?;
                zalando::open_source(kube, &source, database).await
            }
        }
    }
}

/// How `compare` gets the source's side: asked, or, once the app has crossed over, by what the window proved. From then
/// on the ends can't be compared: the source is stopped, or the target has gone on without it.
pub fn counting(world: &World) -> Counting {
    let state = world.journal.state();
    let note = |step: &str| state.standing(step).evidence["note"].as_str().map(String::from);
    let crossed = |step: &str| state.standing(step).started.is_some();
    match (note("prove-caught-up"), note("verify")) {
        (Some(note), _) if crossed("promote") => {
            Counting::Proved(format!("the source is stopped, its control file was proved {note}"))
        }
        (_, Some(note)) if crossed("start-apps") => {
            Counting::Proved(format!("the app has run on the target since; before it did: {note}"))
        }
        _ => Counting::Now,
    }
}

/// Runs a hook for real; None when the script has no such function. `error` is `m.error`, for `on_failure`.
pub async fn run(
    world: &World,
    script: &Script,
    name: &str,
    error: Option<&str>,
    calls: Arc<dyn Recorder>,
    deadline: Duration,
) -> Result<Option<HookOutcome>> {
    let ends = Arc::new(Ends { world: world.clone() });
    let live =
        Live::new(world.kube.clone(), world.migration.clone(), ends, calls, world.events.clone(), world.cancel.clone());
    let host = Arc::new(live.counting(counting(world)));
    let mut facts = script::facts(&world.migration);
    if let Some(error) = error {
        facts["error"] = json!(error);
    }
    script::run_hook(script, name, facts, host, world.cancel.clone(), deadline).await
}

/// For hooks that only read: a changing call is refused by the engine before it comes here.
pub struct NoCalls;

#[async_trait::async_trait]
impl Recorder for NoCalls {
    async fn intent(&self, text: &str, _receipt: Value) -> Result<Replay> {
        Err(Error::usage(format!("{text} changes something: this hook only reads")))
    }
    async fn done(&self, _result: Value) -> Result<()> {
        Ok(())
    }
}

#[async_trait::async_trait]
impl Step for Hook {
    fn id(&self) -> String {
        id(self.name)
    }
    fn describe(&self) -> Description {
        let does = match self.hazard {
            Hazard::ReadOnly => "only looks: a call that would change something is refused",
            _ => "what it changes is undone call by call, while there is a way back",
        };
        Description {
            title: format!("run {} of the script", self.name),
            details: format!("{}; {does}", self.script.name),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        self.hazard
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        // What it asked of apps that were up can't be asked again once they are down.
        let standing = world.journal.state().step(&self.id()).standing;
        let passed = self.name == "before_cutover" && standing == Standing::Done;
        Ok(if passed || self.ended.load(Ordering::SeqCst) { Observed::Done } else { Observed::Absent })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let calls = Calls::of(world, &self.id());
        let outcome = run(world, &self.script, self.name, None, Arc::new(calls), self.deadline()).await?;
        self.ended.store(true, Ordering::SeqCst);
        let verdicts = outcome.map(|outcome| outcome.verdicts).unwrap_or_default();
        let bad: Vec<String> = verdicts
            .iter()
            .filter(|v| v.verdict != Verdict::Pass)
            .map(|v| format!("{} {}: {}", v.verdict.name(), v.name, v.detail))
            .collect();
        if !bad.is_empty() {
            return Err(Error::check(format!("{}: {}", self.name, bad.join("; "))));
        }
        Ok(
            json!({ "note": if verdicts.is_empty() { "ended".into() } else { format!("{} PASS", verdicts.len()) }, "verdicts": verdicts }),
        )
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        self.ended.store(false, Ordering::SeqCst);
        let calls = world.journal.state().step(&self.id()).calls.clone();
        for (number, call) in calls.iter().rev().filter(|(_, call)| !call.reverted) {
            script::live::undo(&world.kube, &call.receipt).await?;
            world.journal.append(vec![What::ScriptReverted { step: self.id(), call: *number }]).await?;
        }
        Ok(())
    }
}
