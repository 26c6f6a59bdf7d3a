//! The functions a script may define, when they run, and what they may do.

use crate::spec::nearest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    pub name: &'static str,
    pub params: &'static [&'static str],
    /// May call functions that change things, each of them journaled. Else it only reads.
    pub changes: bool,
    /// Runs before the point of no return, so `refuse` can still veto.
    pub may_refuse: bool,
    pub when: &'static str,
}

const M: &[&str] = &["m"];
const fn hook(name: &'static str, changes: bool, may_refuse: bool, when: &'static str) -> Hook {
    Hook { name, params: M, changes, may_refuse, when }
}

/// In the order in which a migration meets them.
pub const HOOKS: [Hook; 11] = [
    hook("preflight", false, true, "with the checks, before anything is made"),
    hook("before_cutover", true, true, "at the start of the window, the apps still up"),
    hook(
        "stop_apps",
        true,
        true,
        "after the listed apps are stopped, the source still up: stop here what the list cannot name",
    ),
    hook("before_promote", true, true, "the source is fenced, the target has everything: the last moment to refuse"),
    hook("after_promote", true, false, "the target is writable, no app is connected yet"),
    hook("start_apps", true, false, "after the listed apps are started on the target"),
    hook("health", false, false, "after the apps are started on the target: are they well?"),
    hook("verify", false, false, "after health, and with `kubectl pgmigrate verify`"),
    Hook {
        params: &["m", "error"],
        ..hook("on_failure", true, false, "after a failure before the point of no return, the app back on the source")
    },
    hook("on_rollback", true, false, "after a rollback, the app back on the source"),
    hook("finalize", true, false, "when the way back is given up"),
];

impl Hook {
    pub fn named(name: &str) -> Option<&'static Hook> {
        HOOKS.iter().find(|h| h.name == name)
    }
    /// `verify(m)`
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.params.join(", "))
    }
}

/// The hook a function's name was probably meant to be; None for a hook's own name and for other words.
pub fn misspelt(name: &str) -> Option<&'static Hook> {
    if Hook::named(name).is_some() {
        return None;
    }
    let near = nearest(name, HOOKS.iter().map(|h| h.name))?;
    // Shorter distance than `nearest` asks for: `verify_counts` and `health_of` are helpers, `verfy` is not.
    let close = strsim::damerau_levenshtein(&name.to_lowercase().replace('-', "_"), near) <= 2;
    Hook::named(near).filter(|_| close)
}

/// The names of the hooks that have the property, for an error text.
pub(super) fn names(has: impl Fn(&Hook) -> bool) -> String {
    let names: Vec<&str> = HOOKS.iter().filter(|h| has(h)).map(|h| h.name).collect();
    names.join(", ")
}
