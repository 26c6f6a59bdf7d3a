//! A script's error as file:line:column, the source line, a caret, and how the script got there.

use super::context::{Ended, HostError};
use crate::{
    error::{Error, Kind},
    spec::{Script, nearest},
};
use rhai::{EvalAltResult, ParseError, Position};
use std::fmt::Write;

/// `refuse(why)` of a script, found in an [`Error`]'s cause by [`veto`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Veto {
    pub hook: String,
    pub why: String,
}

/// The script's own refusal, if that is what the error is.
pub fn veto(error: &Error) -> Option<&Veto> {
    error.cause.as_ref()?.downcast_ref::<Veto>()
}

/// `mastodon.rhai:14:5: what` and, below it, the line with a caret under the column.
pub(super) fn point(script: &Script, at: Position, what: &str) -> String {
    let Some(line) = at.line() else { return format!("{}: {what}", script.name) };
    let column = at.position().unwrap_or(1);
    let mut text = format!("{}:{line}:{column}: {what}", script.name);
    if let Some(source) = script.text.lines().nth(line - 1) {
        // Tabs keep their width in the caret's line, whatever the terminal makes of them.
        let lead: String = source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let _ = write!(text, "\n{line:>5} | {source}\n      | {lead}^");
    }
    text
}

pub(super) fn parse_error(script: &Script, error: &ParseError) -> Error {
    Error::usage(point(script, error.position(), &lower(&error.err_type().to_string())))
}

/// What came out of a run of `hook`.
pub(super) fn run_error(script: &Script, hook: &str, error: EvalAltResult, functions: &[&str]) -> Error {
    let (mut inner, calls) = unwind(error);
    let at = inner.take_position();
    let told = tell(inner, hook, functions);
    let mut text = point(script, at, &told.what);
    // From the inside out: where each function was called, and the hook at the end.
    for (name, place) in calls.iter().rev() {
        let _ = write!(text, "\n      in {name}(), called at {}", place_text(script, *place));
    }
    let _ = write!(text, "\n      in {hook}()");
    Error { what: text, ..told }
}

fn place_text(script: &Script, at: Position) -> String {
    match (at.line(), at.position()) {
        (Some(line), column) => format!("{}:{line}:{}", script.name, column.unwrap_or(1)),
        (None, _) => script.name.clone(),
    }
}

/// The innermost error, and the script functions on the way to it with the places of their calls.
fn unwind(error: EvalAltResult) -> (EvalAltResult, Vec<(String, Position)>) {
    let (mut error, mut calls) = (error, Vec::new());
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, at) => {
                calls.push((name, at));
                error = *inner;
            }
            EvalAltResult::ErrorInModule(_, inner, _) => error = *inner,
            other => return (other, calls),
        }
    }
}

/// Kind, words, hint and cause, without the place.
fn tell(error: EvalAltResult, hook: &str, functions: &[&str]) -> Error {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => match token.try_cast::<Ended>() {
            Some(Ended::Refused(why)) => {
                let veto = Veto { hook: hook.into(), why: why.clone() };
                Error::check(format!("{hook} refuses: {why}")).cause(veto)
            }
            Some(Ended::Cancelled) => Error::new(Kind::Interrupted, "the script was stopped"),
            Some(Ended::Deadline) => Error::failed("the script took longer than it may"),
            Some(Ended::Memory) => Error::failed("the script uses more memory than it may"),
            None => Error::bug("the script ended for an unknown reason"),
        },
        EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<HostError>() {
            Some(HostError(error)) => Error { hint: error.hint.clone(), ..Error::new(error.kind, error.chain()) },
            None => Error::failed(thrown(&value)),
        },
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split([' ', '(']).next().unwrap_or_default();
            Error::usage(match nearest(name, functions.iter().copied()) {
                Some(near) if near == name => format!("{name}() does not take these arguments: {signature}"),
                Some(near) => format!("unknown function {name}(); did you mean {near}()?"),
                None => format!("unknown function {name}()"),
            })
            .hint("kubectl pgmigrate script api")
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            Error::failed("the script did more operations than it may: an endless loop?")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            Error::failed(format!("{} is larger than a script may make it", lower(&what)))
        }
        EvalAltResult::ErrorStackOverflow(_) => Error::failed("the script's functions call each other too deep"),
        other => Error::usage(lower(&other.to_string())),
    }
}

/// `throw "why"` or `throw #{message: "why"}`.
fn thrown(value: &rhai::Dynamic) -> String {
    let message = value.read_lock::<rhai::Map>().and_then(|map| map.get("message").map(ToString::to_string));
    format!("the script throws: {}", message.unwrap_or_else(|| value.to_string()))
}

/// rhai's messages begin with a capital; a name at the front keeps its case.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.into(),
    }
}
