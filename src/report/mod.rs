//! The certificate: what moved, what was proved, how long the app was down. Made from the journal alone.
//!
//! As JSON it is for machines; `html.rs` makes one page without anything fetched from elsewhere, to be filed.
//! The journal holds no secrets, so neither does this.

mod html;
mod outage;
mod verifications;

pub use html::html;
pub use outage::{Part, split};
pub use verifications::{Equal, Verification, age};

use crate::{
    journal::{Acceptance, Entry, Fingerprint, Phase, Standing, State, What},
    plan::Plan,
    spec::Migration,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The steps whose evidence is the proof of the promises (PRODUCT.md, section 2).
const PROOFS: [&str; 14] = [
    "gate",
    "import",
    "repair-import",
    "prove-quiet",
    "fence-source",
    "prove-caught-up",
    "promote",
    "settle",
    "prove-login",
    "prove-pooler",
    "start-apps",
    "script-health",
    "script-verify",
    "verify",
];

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    pub migration: String,
    pub namespace: String,
    pub strategy: String,
    pub source: String,
    pub target: String,
    pub databases: Vec<String>,
    /// PostgreSQL's, where they were seen.
    pub source_version: Option<String>,
    pub target_version: Option<String>,
    /// "done", "in progress", "taken back": what the journal says now.
    pub result: &'static str,
    pub fingerprint: Option<Fingerprint>,
    /// The facts that the plan was made from: versions, sizes, names.
    pub facts: Value,
    pub phases: BTreeMap<String, Span>,
    pub outage: Option<Outage>,
    pub steps: Vec<StepRow>,
    /// Step id -> what it proved.
    pub proofs: BTreeMap<String, Value>,
    /// Tables that passed a gate unproved, and who let them.
    pub accepted: Vec<Acceptance>,
    /// Comparisons of their own, oldest first; the gate's is among the proofs.
    pub verifications: Vec<Verification>,
    /// Each table where it was last seen equal.
    pub tables: Vec<Equal>,
    /// Everybody who ran a part of it: user@host/pid.
    pub by: Vec<String>,
    pub written: Timestamp,
    /// Where the journal was read from, when not in the cluster.
    pub from: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Span {
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Outage {
    pub began: Option<Timestamp>,
    pub seconds: f64,
    pub split: Vec<Part>,
}

#[derive(Debug, Clone, Serialize)]
pub struct StepRow {
    pub id: String,
    pub title: String,
    pub phase: Option<Phase>,
    pub standing: Standing,
    pub started: Option<Timestamp>,
    pub seconds: Option<f64>,
    pub note: Option<String>,
}

/// `plan` gives the steps their titles and phases; without one the ids must do.
pub fn certificate(migration: &Migration, plan: Option<&Plan>, entries: &[Entry]) -> Certificate {
    let state = State::fold(entries);
    let titles: BTreeMap<String, (Phase, String)> = plan
        .into_iter()
        .flat_map(|plan| plan.all().map(|(phase, step)| (step.id(), (phase, step.describe().title))))
        .collect();
    let mut by: Vec<String> = entries.iter().map(|entry| entry.by.clone()).collect();
    by.sort();
    by.dedup();
    let (verifications, written) = (verifications::verifications(entries), Timestamp::now());
    Certificate {
        migration: migration.name.clone(),
        namespace: migration.namespace.clone(),
        strategy: migration.strategy.to_string(),
        source: migration.source.clone(),
        target: migration.target.cluster.clone(),
        databases: migration.databases.clone(),
        source_version: source_version(&state.facts),
        target_version: target_version(&state),
        result: result(&state),
        phases: phases(&state),
        outage: outage(&state, entries, &titles),
        steps: state.order.iter().map(|id| row(&state, id, &titles)).collect(),
        proofs: PROOFS
            .iter()
            .filter(|id| state.step(id).standing == Standing::Done && !state.step(id).evidence.is_null())
            .map(|id| (id.to_string(), state.step(id).evidence.clone()))
            .collect(),
        accepted: entries.iter().filter_map(Acceptance::of).collect(),
        tables: verifications::tables(&state, &verifications, written),
        verifications,
        by,
        written,
        from: None,
        fingerprint: state.fingerprint,
        facts: state.facts,
    }
}

/// 150014 is 15.14.
fn source_version(facts: &Value) -> Option<String> {
    let number = facts["source"]["version_num"].as_u64().filter(|number| *number > 0)?;
    Some(format!("{}.{}", number / 10000, number % 10000))
}

/// As the step said that looked at it last.
fn target_version(state: &State) -> Option<String> {
    let copied = &state.step("prove-caught-up").evidence["targetVersion"];
    let compared = &state.step("verify").evidence["reports"][0]["targetVersion"];
    copied.as_str().or(compared.as_str()).map(String::from)
}

fn result(state: &State) -> &'static str {
    if state.has_ended(Phase::Cutover) {
        "done"
    } else if state.restored.is_some() {
        "taken back"
    } else if state.fingerprint.is_some() {
        "in progress"
    } else {
        "not begun"
    }
}

fn phases(state: &State) -> BTreeMap<String, Span> {
    let ended = |phase: &String| state.ended.get(phase).copied();
    state.began.iter().map(|(phase, began)| (phase.clone(), Span { began: *began, ended: ended(phase) })).collect()
}

fn outage(state: &State, entries: &[Entry], titles: &BTreeMap<String, (Phase, String)>) -> Option<Outage> {
    let seconds = state.outage_millis? as f64 / 1000.0;
    let mut split = split(entries);
    for part in &mut split {
        if let Some((_, title)) = part.step.as_ref().and_then(|id| titles.get(id)) {
            part.title = title.clone();
        }
    }
    Some(Outage { began: state.outage_began, seconds, split })
}

fn row(state: &State, id: &str, titles: &BTreeMap<String, (Phase, String)>) -> StepRow {
    let record = state.step(id);
    let known = titles.get(id);
    StepRow {
        id: id.to_string(),
        title: known.map_or_else(|| id.to_string(), |(_, title)| title.clone()),
        phase: known.map(|(phase, _)| *phase),
        standing: record.standing,
        started: record.started,
        seconds: record.millis.map(|m| m as f64 / 1000.0),
        note: record.evidence["note"].as_str().map(String::from).or(record.error.clone()),
    }
}

/// Reads a journal's local copy: lines of JSON.
pub fn entries(text: &str) -> Result<Vec<Entry>, serde_json::Error> {
    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

/// True once the journal holds a cutover: before that there is nothing to certify.
pub fn has_cutover(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry.what, What::PhaseBegan { phase: Phase::Cutover }))
}
