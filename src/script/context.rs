//! One run of one hook: what its native functions share. It travels as rhai's tag, never as a captured value.

use super::{
    hooks::{self, Hook},
    host::{Host, Verdict},
};
use crate::error::{Error, Result};
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};
use serde::Serialize;
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// What a script's `check` or `compare` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScriptVerdict {
    pub name: String,
    pub verdict: Verdict,
    pub detail: String,
}

/// A host's failure as a script's value: it can be caught and printed, and its kind and hint survive when it is not.
#[derive(Debug, Clone)]
pub(super) struct HostError(pub Arc<Error>);

/// What ends a script for good, past every `catch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Cancelled,
    Deadline,
    Memory,
    Refused(String),
}

#[derive(Default)]
pub(super) struct Found {
    pub verdicts: Vec<ScriptVerdict>,
    pub warnings: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Run(Arc<Shared>);

struct Shared {
    host: Arc<dyn Host>,
    hook: &'static Hook,
    runtime: tokio::runtime::Handle,
    cancel: CancellationToken,
    deadline: Instant,
    found: Mutex<Found>,
}

impl Run {
    /// Inside a tokio runtime.
    pub fn new(host: Arc<dyn Host>, hook: &'static Hook, cancel: CancellationToken, deadline: Instant) -> Run {
        let runtime = tokio::runtime::Handle::current();
        Run(Arc::new(Shared { host, hook, runtime, cancel, deadline, found: Mutex::default() }))
    }
    pub fn host(&self) -> &dyn Host {
        &*self.0.host
    }
    pub fn found(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Why the script must end now, if it must.
    pub fn ended(&self) -> Option<Ended> {
        if self.0.cancel.is_cancelled() {
            return Some(Ended::Cancelled);
        }
        (Instant::now() >= self.0.deadline).then_some(Ended::Deadline)
    }
    /// Waits for the future on the hook's own (blocking) thread, and no longer than the run may last: rhai's
    /// progress callback does not fire inside a native function.
    pub fn wait<T>(&self, at: Position, future: impl Future<Output = Result<T>>) -> Fallible<T> {
        let shared = &self.0;
        shared.runtime.block_on(async {
            tokio::select! {
                biased;
                () = shared.cancel.cancelled() => Err(end(Ended::Cancelled, at)),
                () = tokio::time::sleep_until(shared.deadline.into()) => Err(end(Ended::Deadline, at)),
                result = future => result.map_err(|e| failed(e, at)),
            }
        })
    }
}

/// The run that a native function was called in.
pub(super) fn run(call: &NativeCallContext) -> Fallible<Run> {
    let run = call.tag().and_then(|tag| tag.clone().try_cast::<Run>());
    // Only a constant at the top level is evaluated without a run: while the script is being loaded.
    run.ok_or_else(|| wrong(call, format!("{}() can be called inside a hook only", call.fn_name())))
}

/// The same for a function that changes something: in a hook that only reads it is an error.
pub(super) fn changing_run(call: &NativeCallContext) -> Fallible<Run> {
    let run = run(call)?;
    if !run.0.hook.changes {
        let may = hooks::names(|h| h.changes);
        let what = format!(
            "{}() changes things, and {}() only reads; it may be called in: {may}",
            call.fn_name(),
            run.0.hook.name
        );
        return Err(wrong(call, what));
    }
    Ok(run)
}

pub(super) fn refuse(call: &NativeCallContext, why: &str) -> Fallible<()> {
    let run = run(call)?;
    if !run.0.hook.may_refuse {
        let may = hooks::names(|h| h.may_refuse);
        let what = format!("refuse() comes too late in {}(); it can veto in: {may}", run.0.hook.name);
        return Err(wrong(call, what));
    }
    Err(end(Ended::Refused(why.into()), call.call_position()))
}

pub(super) fn end(why: Ended, at: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(why), at).into()
}
pub(super) fn failed(error: Error, at: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(HostError(Arc::new(error))), at).into()
}
/// The script's own mistake, at the call.
pub(super) fn wrong(call: &NativeCallContext, what: impl Into<String>) -> Box<EvalAltResult> {
    failed(Error::usage(what), call.call_position())
}
