//! The host functions: one file a subject, each function registered together with its description.

mod apps;
mod cluster;
mod net;
mod sql;
mod talk;
mod verdicts;

use super::{
    context::{Fallible, wrong},
    engine::{self, Limits},
};
use crate::spec::units;
use rhai::{Dynamic, Engine, FuncRegistration, NativeCallContext, RhaiNativeFunc, Variant};
use serde::Serialize;
use std::{str::FromStr, time::Duration};

/// What `script api` prints of a host function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Function {
    pub subject: &'static str,
    pub name: &'static str,
    /// `args?`: may be left out. `side`, `workload` and `timeout` are texts that `script check` reads already.
    pub params: &'static [&'static str],
    pub returns: &'static str,
    /// Changes something: journaled, and only in hooks that may.
    pub changes: bool,
    pub doc: &'static str,
    /// A statement that stands in a hook as it is.
    pub example: &'static str,
}
impl Function {
    /// `sql(side, query, args?)`
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.params.join(", "))
    }
}

/// Every host function, in the order to read them in.
pub fn api() -> Vec<Function> {
    engine::build(Limits::default()).1
}

pub(super) fn register(engine: &mut Engine) -> Vec<Function> {
    let mut api = Api { engine, functions: Vec::new() };
    sql::register(&mut api);
    verdicts::register(&mut api);
    apps::register(&mut api);
    cluster::register(&mut api);
    net::register(&mut api);
    talk::register(&mut api);
    api.functions
}

pub(super) struct Api<'e> {
    engine: &'e mut Engine,
    functions: Vec<Function>,
}

impl Api<'_> {
    fn add<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
        &mut self,
        function: Function,
        native: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    ) {
        self.native(&function, native);
        self.functions.push(function);
    }
    /// The last function again, with other arguments.
    fn also<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
        &mut self,
        native: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    ) {
        if let Some(function) = self.functions.last().cloned() {
            self.native(&function, native);
        }
    }
    fn native<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
        &mut self,
        function: &Function,
        native: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    ) {
        let doc = format!("/// {}\n///\n/// `{}`", function.doc, function.example);
        FuncRegistration::new(function.name).with_comments([doc]).register_into_engine(self.engine, native);
    }
}

/// A text argument, read; the error says which one.
fn read<T: FromStr<Err = String>>(call: &NativeCallContext, text: &str) -> Fallible<T> {
    text.parse().map_err(|why| wrong(call, format!("{}(): {why}", call.fn_name())))
}

/// `"5m"`, or a number of seconds.
fn timeout(call: &NativeCallContext, value: &Dynamic) -> Fallible<Duration> {
    let text = match (value.as_int(), value.as_float()) {
        (Ok(seconds), _) => format!("{seconds}s"),
        (_, Ok(seconds)) => format!("{}ms", (seconds * 1000.0).round()),
        _ => value.to_string(),
    };
    units::duration(&text).map_err(|why| wrong(call, format!("{}(): {why}", call.fn_name())))
}
