//! Preflight: what would fail at night is looked for now, read-only.
//!
//! Everything is looked at once, concurrently ([`Looks`]); a [`Check`] is a pure function of that. One file a group.

mod apps;
mod backups;
mod capacity;
mod connections;
mod connectivity;
mod contents;
mod extensions;
mod hba;
mod image;
mod leftovers;
mod look;
mod names;
mod permissions;
mod policy;
mod replication;
mod roles;
mod schema;
mod script;
mod source;
#[cfg(test)]
mod tests;
mod told;
mod versions;

pub use contents::ask;
pub use image::{glibc, of as target_image};
pub use look::{Looks, gather};
pub use permissions::{Need, Rule, missing, refused, rules, wanted};

use crate::{
    error::{Error, Kind, Result},
    spec::{Strategy, nearest},
    step::Step,
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Warn,
    Fail,
    /// Could not be looked at: never a pass.
    Unknown,
    /// Somebody asked to leave it out.
    Skipped,
}

/// When a check says something: before the target is made, before the window, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    Any,
    BeforePrepare,
    BeforeCutover,
}

/// One thing that is looked for.
#[derive(Debug)]
pub struct Check {
    /// Stable, and the key into docs/checks.md: `source-members`.
    pub id: &'static str,
    /// What must hold.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    pub strategies: &'static [Strategy],
    pub moment: Moment,
    judge: Judge,
    fix: Option<Fix>,
}

/// What `--fix` would do; None: this is not a safe one.
type Fix = fn(&Looks) -> Option<Arc<dyn Step>>;
type Judge = for<'a> fn(&'a Looks) -> Judged<'a>;
/// Err: what was needed could not be looked at.
type Judged<'a> = std::result::Result<Outcome, &'a Error>;

/// What a check came to.
#[derive(Debug)]
struct Outcome {
    status: Status,
    seen: String,
    remedy: Option<String>,
}

fn pass(seen: impl Into<String>) -> Outcome {
    Outcome { status: Status::Pass, seen: seen.into(), remedy: None }
}
fn warn(seen: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome { status: Status::Warn, seen: seen.into(), remedy: Some(remedy.into()) }
}
fn fail(seen: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome { status: Status::Fail, seen: seen.into(), remedy: Some(remedy.into()) }
}
fn unknown(seen: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome { status: Status::Unknown, seen: seen.into(), remedy: Some(remedy.into()) }
}

/// What an error says about the thing looked for: found wanting, or not seen.
fn because(error: &Error) -> Outcome {
    let status = if error.kind == Kind::Check { Status::Fail } else { Status::Unknown };
    Outcome { status, seen: error.chain(), remedy: error.hint.clone() }
}

const BOTH: &[Strategy] = &[Strategy::Replica, Strategy::Dump];
const REPLICA: &[Strategy] = &[Strategy::Replica];
const DUMP: &[Strategy] = &[Strategy::Dump];

const fn check(id: &'static str, title: &'static str, why: &'static str, judge: Judge) -> Check {
    Check { id, title, why, strategies: BOTH, moment: Moment::Any, judge, fix: None }
}

impl Check {
    const fn of(self, strategies: &'static [Strategy]) -> Check {
        Check { strategies, ..self }
    }
    const fn at(self, moment: Moment) -> Check {
        Check { moment, ..self }
    }
    const fn fixed_by(self, fix: Fix) -> Check {
        Check { fix: Some(fix), ..self }
    }
    /// Whether `--fix` knows something for it, at times.
    pub fn is_fixable(&self) -> bool {
        self.fix.is_some()
    }

    fn concerns(&self, looks: &Looks) -> bool {
        self.strategies.contains(&looks.migration.strategy)
            && match self.moment {
                Moment::Any => true,
                Moment::BeforePrepare => !looks.prepared,
                Moment::BeforeCutover => looks.prepared,
            }
    }

    fn finding(&self, group: &'static str, looks: &Looks) -> Finding {
        let Outcome { status, seen, remedy } = (self.judge)(looks).unwrap_or_else(|blind| {
            let Outcome { seen, remedy, .. } = because(blind);
            Outcome { status: Status::Unknown, seen, remedy }
        });
        let why = if status == Status::Pass { "" } else { self.why };
        let wrong = matches!(status, Status::Warn | Status::Fail);
        let fix = self.fix.filter(|_| wrong).and_then(|fix| Some(fix(looks)?.describe().title));
        Finding { id: self.id, group, title: self.title, status, seen, why, remedy, fix, docs: docs(self.id) }
    }
}

/// `docs/checks.md#source-members`
fn docs(id: &str) -> String {
    format!("docs/checks.md#{id}")
}

#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub id: &'static str,
    pub group: &'static str,
    pub title: &'static str,
    pub status: Status,
    pub seen: String,
    /// "" for a pass.
    pub why: &'static str,
    /// A command or a patch; None for a pass.
    pub remedy: Option<String>,
    /// What `check --fix` would do.
    pub fix: Option<String>,
    pub docs: String,
}

pub struct Group {
    /// One word, accepted by --only and --skip.
    pub name: &'static str,
    pub title: &'static str,
    pub checks: &'static [Check],
}

const fn group(name: &'static str, title: &'static str, checks: &'static [Check]) -> Group {
    Group { name, title, checks }
}

/// Every check there is, in the order in which they are shown.
pub static CATALOGUE: &[Group] = &[
    group("permissions", "Permissions", permissions::CHECKS),
    group("script", "Script", script::CHECKS),
    group("source", "Source health", source::CHECKS),
    group("connectivity", "Connectivity and TLS", connectivity::CHECKS),
    group("replication", "Replication and WAL retention", replication::CHECKS),
    group("roles", "Roles and passwords", roles::CHECKS),
    group("extensions", "Extensions and Spilo leftovers", extensions::CHECKS),
    group("versions", "Versions, locale, checksums", versions::CHECKS),
    group("schema", "Schema hazards", schema::CHECKS),
    group("capacity", "Capacity and disk", capacity::CHECKS),
    group("policy", "Kubernetes policy and quotas", policy::CHECKS),
    group("apps", "Apps, autoscalers, GitOps", apps::CHECKS),
    group("connections", "Connections", connections::CHECKS),
    group("backups", "Backups", backups::CHECKS),
    group("leftovers", "Leftovers of an earlier try", leftovers::CHECKS),
    group("names", "Names", names::CHECKS),
];

/// Which checks to make: ids or names of groups.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Empty: all.
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Choice {
    /// Every word is a check or a group.
    pub fn valid(&self) -> Result<()> {
        let known: Vec<&str> =
            CATALOGUE.iter().flat_map(|g| std::iter::once(g.name).chain(g.checks.iter().map(|c| c.id))).collect();
        for word in self.only.iter().chain(&self.skip) {
            if !known.contains(&word.as_str()) {
                let near = nearest(word, known.iter().copied()).map(|n| format!("; did you mean {n:?}?"));
                let what = format!("no check and no group is called {word:?}{}", near.unwrap_or_default());
                return Err(Error::usage(what).hint("kubectl pgmigrate check --list"));
            }
        }
        Ok(())
    }

    /// No other look is needed.
    fn is_of_permissions(&self) -> bool {
        let mut all = CATALOGUE.iter().flat_map(|group| group.checks.iter().map(move |check| (group.name, check.id)));
        all.all(|(group, id)| group == "permissions" || !self.takes(group, id))
    }

    fn takes(&self, group: &str, id: &str) -> bool {
        let among = |words: &[String]| words.iter().any(|word| word == group || word == id);
        (self.only.is_empty() || among(&self.only)) && !among(&self.skip)
    }
}

/// Judges what was seen. Checks of other strategies and other moments are left out; the ones not chosen are told as skipped.
pub fn judge(looks: &Looks, choice: &Choice) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in CATALOGUE {
        for check in group.checks.iter().filter(|check| check.concerns(looks)) {
            findings.push(match choice.takes(group.name, check.id) {
                true => check.finding(group.name, looks),
                false => Finding {
                    id: check.id,
                    group: group.name,
                    title: check.title,
                    status: Status::Skipped,
                    seen: "not asked for".into(),
                    why: check.why,
                    remedy: None,
                    fix: None,
                    docs: docs(check.id),
                },
            });
        }
    }
    findings
}

/// What `--fix` does about these findings.
pub fn fixes(looks: &Looks, findings: &[Finding]) -> Vec<Arc<dyn Step>> {
    let fixed = |check: &&Check| findings.iter().any(|f| f.id == check.id && f.fix.is_some());
    let checks = CATALOGUE.iter().flat_map(|group| group.checks).filter(fixed);
    checks.filter_map(|check| check.fix?(looks)).collect()
}
