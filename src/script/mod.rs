//! The Rhai script next to the migration file: what is particular to one application.
//!
//! A script defines [`hooks`]; [`run_hook`] runs one against a [`Host`], which is [`live`] or [`dry`]. Scripts
//! mostly decide and Rust does: the [`engine`] has no files, no network and no clock but what `api/` gives it.
//! Reading functions work everywhere; changing ones in changing hooks only, each journaled through [`Recorder`].
//! A script never sees a password: nothing in its map or in any answer holds one.

mod api;
mod context;
pub mod dry;
mod engine;
mod frames;
pub mod hooks;
mod host;
mod lint;
pub mod live;
mod values;

pub use api::{Function, api};
pub use context::ScriptVerdict;
pub use engine::Limits;
pub use frames::{Veto, veto};
pub use host::{Answer, Compared, Host, JobFrom, Recorder, Replay, Replicas, Side, Size, Verdict};
pub use lint::{Problem, check};

use crate::{
    error::{Error, Result},
    spec::{Migration, Script},
};
use context::Run;
use hooks::Hook;
use rhai::{CallFnOptions, Dynamic, Scope};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct HookOutcome {
    /// In the order of the script's `check` and `compare`.
    pub verdicts: Vec<ScriptVerdict>,
    /// What the function returned, as JSON.
    pub value: Value,
    pub warnings: Vec<String>,
}
impl HookOutcome {
    /// The worst of the verdicts; Pass when there is none.
    pub fn verdict(&self) -> Verdict {
        self.verdicts.iter().map(|v| v.verdict).max().unwrap_or(Verdict::Pass)
    }
}

/// The map every hook gets. No secret is in it, and none can be got from it.
pub fn facts(migration: &Migration) -> Value {
    let apps: Vec<String> = migration.apps.iter().map(|app| app.workload.to_string()).collect();
    json!({
        "name": migration.name,
        "namespace": migration.namespace,
        "strategy": migration.strategy.name(),
        "databases": migration.databases,
        "source": migration.source,
        "target": migration.target.cluster,
        "pooler": migration.target.pooler.as_ref().map(|p| &p.name),
        "apps": apps,
    })
}

/// True when the script defines the hook: a plan has a step for it only then. Err: it does not compile.
pub fn defines(script: &Script, hook: &str) -> Result<bool> {
    let (engine, _) = engine::build(Limits::default());
    let ast = engine.compile(&script.text).map_err(|e| frames::parse_error(script, &e))?;
    Ok(ast.iter_fn_def().any(|f| f.name == hook))
}

/// Runs one hook to its end; None when the script does not define it.
///
/// `m` is [`facts`] and whatever else is known; for `on_failure`, `m.error` is the second argument too.
/// Ends within a fraction of a second after `cancel` (Kind::Interrupted) or `deadline` (Kind::Failed), except while
/// an answer of the API server is being written. `refuse` is Kind::Check and [`veto`] tells it.
pub async fn run_hook(
    script: &Script,
    hook: &str,
    m: Value,
    host: Arc<dyn Host>,
    cancel: CancellationToken,
    deadline: Duration,
) -> Result<Option<HookOutcome>> {
    run_hook_within(script, hook, m, host, cancel, deadline, Limits::default()).await
}

/// As [`run_hook`], with other limits.
pub async fn run_hook_within(
    script: &Script,
    hook: &str,
    m: Value,
    host: Arc<dyn Host>,
    cancel: CancellationToken,
    deadline: Duration,
    limits: Limits,
) -> Result<Option<HookOutcome>> {
    let Some(hook) = Hook::named(hook) else {
        return Err(Error::bug(format!("{hook:?} is not a hook: {}", hooks::names(|_| true))));
    };
    // Dropping a thread's handle does not stop the thread: a caller that gives up waiting (a step's deadline) drops
    // this future, and a script that went on changing things behind its back would be worse than a failed one.
    let cancel = cancel.child_token();
    let _stop = cancel.clone().drop_guard();
    let run = Run::new(host, hook, cancel, Instant::now() + deadline);
    let script = script.clone();
    // A thread of its own: rhai is synchronous, and its natives wait on the runtime.
    let thread = tokio::task::spawn_blocking(move || call(&script, hook, m, run, limits));
    thread.await.unwrap_or_else(|e| Err(Error::bug(format!("the script's thread ended: {e}"))))
}

fn call(script: &Script, hook: &'static Hook, m: Value, run: Run, limits: Limits) -> Result<Option<HookOutcome>> {
    let (mut engine, functions) = engine::build(limits);
    engine::watch(&mut engine, run.clone(), limits);
    let ast = engine.compile(&script.text).map_err(|e| frames::parse_error(script, &e))?;
    if !ast.iter_fn_def().any(|f| f.name == hook.name && f.params.len() == hook.params.len()) {
        let other = ast.iter_fn_def().any(|f| f.name == hook.name);
        let what = format!("{}: {}() is called as {}", script.name, hook.name, hook.signature());
        return if other { Err(Error::usage(what)) } else { Ok(None) };
    }
    let mut arguments = vec![values::to_script(m.clone())];
    if hook.params.len() == 2 {
        arguments.push(values::to_script(m.get("error").cloned().unwrap_or_default()));
    }
    let known: Vec<&str> = functions.iter().map(|f| f.name).collect();
    let options = CallFnOptions::new().with_tag(run.clone());
    let result = match run.ended() {
        Some(why) => Err(context::end(why, rhai::Position::NONE)),
        None => engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &ast, hook.name, arguments),
    };
    let value = result.map_err(|e| frames::run_error(script, hook.name, *e, &known))?;
    let found = std::mem::take(&mut *run.found());
    let value = values::from_script(&value).unwrap_or(Value::Null);
    Ok(Some(HookOutcome { verdicts: found.verdicts, value, warnings: found.warnings }))
}
