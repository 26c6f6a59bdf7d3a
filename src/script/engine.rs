//! The rhai engine, made safe: limits, no files, no eval, nothing on stdout.

use super::{
    api,
    context::{Ended, Run},
};
use crate::kube::used;
use rhai::{Dynamic, Engine, module_resolvers::DummyModuleResolver};

/// What one run of one hook may use. A script decides; it does not compute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// rhai's own count, about one for an expression.
    pub operations: u64,
    /// Bytes of any one string, and of all strings inside one array or map.
    pub string: usize,
    /// Elements of any one array or map, those inside it included.
    pub elements: usize,
    /// Bytes by which the process may grow meanwhile. rhai does not measure what is stored through an index
    /// (`m[k] = v`), so a loop of those would pass the limits above.
    pub growth: u64,
}
impl Default for Limits {
    fn default() -> Self {
        Limits { operations: 5_000_000, string: 1 << 20, elements: 100_000, growth: 256 << 20 }
    }
}

/// The engine and the description of every host function registered in it.
pub(super) fn build(limits: Limits) -> (Engine, Vec<api::Function>) {
    let mut engine = Engine::new();
    harden(&mut engine, limits);
    let functions = api::register(&mut engine);
    (engine, functions)
}

fn harden(engine: &mut Engine, limits: Limits) {
    engine
        // Written out: rhai's defaults differ between debug and release builds.
        .set_max_call_levels(48)
        .set_max_expr_depths(64, 32)
        .set_max_operations(limits.operations)
        .set_max_string_size(limits.string)
        .set_max_array_size(limits.elements)
        .set_max_map_size(limits.elements)
        .set_max_variables(500)
        .set_max_functions(200)
        .set_max_modules(0)
        // A misspelt variable or field is an error, not ().
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .disable_symbol("eval")
        // A script is one file: its digest is what the journal holds. The default resolver reads any path.
        .set_module_resolver(DummyModuleResolver::new());
}

/// Ends the script soon after a cancel or its deadline; natives watch both themselves ([`Run::wait`]).
pub(super) fn watch(engine: &mut Engine, run: Run, limits: Limits) {
    let (printer, debugger) = (run.clone(), run.clone());
    let most = used().memory + limits.growth;
    engine
        .on_progress(move |operations| {
            // Now and then: asking costs more than an operation, and 64 of them make 64 strings at most.
            if operations % 64 != 0 {
                return None;
            }
            let why = run.ended().or_else(|| (used().memory > most).then_some(Ended::Memory));
            why.map(Dynamic::from)
        })
        .on_print(move |text| printer.host().log(text))
        .on_debug(move |text, _, at| debugger.host().log(&format!("{at:?} {text}")));
}
