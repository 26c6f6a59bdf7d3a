//! Preflight: what would fail at night is looked for now, read-only. One file a check; this is the list.

mod apps;
mod connections;
mod operators;
mod permissions;
mod script;
mod source;
mod target;
mod transactions;

pub use permissions::{Rule, rules};

use crate::{
    error::{Error, Result},
    facts::{self, Facts},
    step::World,
};
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Warn,
    Fail,
    /// Could not be looked at: never a pass.
    Unknown,
}

#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Stable: `source-health`.
    pub id: &'static str,
    pub title: &'static str,
    pub status: Status,
    pub seen: String,
    /// Why it matters; "" for a pass.
    pub why: &'static str,
    /// A command or a patch; None for a pass.
    pub remedy: Option<String>,
}

/// A check before its outcome is known.
#[derive(Clone, Copy)]
struct Check {
    id: &'static str,
    title: &'static str,
    why: &'static str,
}

impl Check {
    fn pass(self, seen: impl Into<String>) -> Finding {
        Finding { id: self.id, title: self.title, status: Status::Pass, seen: seen.into(), why: "", remedy: None }
    }
    fn found(self, status: Status, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding {
            id: self.id,
            title: self.title,
            status,
            seen: seen.into(),
            why: self.why,
            remedy: Some(remedy.into()),
        }
    }
    fn fail(self, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(Status::Fail, seen, remedy)
    }
    fn warn(self, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(Status::Warn, seen, remedy)
    }
    fn because(self, error: &Error) -> Finding {
        let status = if error.kind == crate::error::Kind::Check { Status::Fail } else { Status::Unknown };
        self.found(status, error.chain(), error.hint.clone().unwrap_or_else(|| "see the error".into()))
    }
}

/// Looks at everything; an error only where nothing at all can be looked at.
pub async fn run(world: &World) -> Result<Vec<Finding>> {
    let mut findings = permissions::check(world).await?;
    if findings.iter().any(|f| f.status == Status::Fail) {
        // Without the permissions every other look fails too, with a worse message.
        return Ok(findings);
    }
    findings.extend(script::check(world));
    let facts = match facts::gather(&world.kube, &world.migration).await {
        Ok(facts) => facts,
        Err(error) => {
            findings.push(source::CHECK.because(&error));
            return Ok(findings);
        }
    };
    findings.extend(with_facts(world, &facts).await);
    Ok(findings)
}

async fn with_facts(world: &World, facts: &Facts) -> Vec<Finding> {
    let mut findings = source::check(facts);
    findings.extend(operators::check(facts));
    findings.push(target::check(world, facts).await);
    findings.extend(apps::check(world, facts).await);
    findings.extend(connections::check(world).await);
    findings.extend(transactions::check(world).await);
    findings
}
