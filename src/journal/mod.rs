//! The record of intents and outcomes, in the cluster: what `resume`, `rollback` and `status` go by.
//!
//! An entry is written before its effect. Entries are lines of JSON in ConfigMaps (`store.rs`) and fold
//! to a [`State`] (`state.rs`). Nothing secret is ever an entry: receipts name Secrets, they hold none.

mod state;
mod store;

pub use state::{Acceptance, Record, Standing, State};
pub use store::{Journal, LABEL};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Prepare,
    Cutover,
    Finalize,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Prepare => "prepare",
            Phase::Cutover => "cutover",
            Phase::Finalize => "finalize",
        })
    }
}

/// What a migration is bound to from its first entry on: any difference later refuses to resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub tool: String,
    /// `sha256:<hex>` of the migration file.
    pub file: String,
    pub script: Option<String>,
    pub strategy: String,
    /// PostgreSQL's system identifier, decimal.
    pub source_system: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub at: Timestamp,
    /// user@host/pid of the runner.
    pub by: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum What {
    /// The first entry: the fingerprint, and the facts that every later plan is made from.
    Opened {
        fingerprint: Fingerprint,
        facts: Value,
    },
    PhaseBegan {
        phase: Phase,
    },
    PhaseEnded {
        phase: Phase,
    },
    /// Intent: the effect may have happened from here on.
    Started {
        step: String,
        receipt: Value,
    },
    Done {
        step: String,
        evidence: Value,
        millis: u64,
    },
    /// The world was already so; not ours to undo.
    Found {
        step: String,
    },
    Failed {
        step: String,
        error: String,
    },
    RevertStarted {
        step: String,
    },
    Reverted {
        step: String,
    },
    RevertFailed {
        step: String,
        error: String,
    },
    /// A changing call of a script: the n-th of its hook, with what undo needs.
    ScriptIntent {
        step: String,
        call: u32,
        text: String,
        receipt: Value,
    },
    ScriptDone {
        step: String,
        call: u32,
        result: Value,
    },
    ScriptReverted {
        step: String,
        call: u32,
    },
    /// Somebody lets a table pass the gates that could not be compared.
    Accepted {
        database: String,
        /// Quoted, with its schema.
        table: String,
    },
    /// What a `verify` of its own saw, outside of every step: verdicts and positions, no rows (`verify/record.rs`).
    Verified {
        found: Value,
    },
    OutageBegan,
    OutageEnded {
        millis: u64,
    },
    /// A rollback or an automatic restore came to its end: nothing of the cutover is left.
    Restored {
        reason: String,
    },
    Note {
        text: String,
    },
}
