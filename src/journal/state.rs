//! Entries -> what holds now.

use super::{Entry, Fingerprint, Phase, What};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a step stands, by the journal alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Never,
    /// Intent written, outcome unknown: the effect may be there, wholly, partly or not at all.
    Started,
    Failed,
    Done,
    /// Was so before us.
    Found,
    Reverting,
    Reverted,
}

#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub standing: Standing,
    pub receipt: Value,
    pub evidence: Value,
    pub error: Option<String>,
    pub started: Option<Timestamp>,
    pub millis: Option<u64>,
    /// Changing calls of a script hook, in order: receipt, result (None: outcome unknown), reverted.
    pub calls: BTreeMap<u32, Call>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub text: String,
    pub receipt: Value,
    pub result: Option<Value>,
    pub reverted: bool,
}

impl Record {
    const NEVER: Record = Record {
        standing: Standing::Never,
        receipt: Value::Null,
        evidence: Value::Null,
        error: None,
        started: None,
        millis: None,
        calls: BTreeMap::new(),
    };
}

/// Who let a table pass that could not be compared, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    pub database: String,
    /// Quoted, with its schema.
    pub table: String,
    /// user@host/pid
    pub by: String,
    pub at: Timestamp,
}

impl Acceptance {
    /// An acceptance is for one cutover: the next one, after a way back, asks anew.
    pub fn of(entry: &Entry) -> Option<Acceptance> {
        let What::Accepted { database, table } = &entry.what else { return None };
        Some(Acceptance { database: database.clone(), table: table.clone(), by: entry.by.clone(), at: entry.at })
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    pub fingerprint: Option<Fingerprint>,
    pub facts: Value,
    pub steps: BTreeMap<String, Record>,
    /// Step ids in the order in which they were first started.
    pub order: Vec<String>,
    pub began: BTreeMap<String, Timestamp>,
    pub ended: BTreeMap<String, Timestamp>,
    pub outage_began: Option<Timestamp>,
    /// Milliseconds between the first app stopped and the last app seen ready.
    pub outage_millis: Option<u64>,
    pub restored: Option<String>,
    /// For the cutover that is under way; gone with its way back.
    pub accepted: Vec<Acceptance>,
    pub last: Option<Timestamp>,
    pub by: Option<String>,
}

impl State {
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> State {
        let mut state = State::default();
        for entry in entries {
            state.add(entry);
        }
        state
    }

    pub fn step(&self, id: &str) -> &Record {
        const NEVER: &Record = &Record::NEVER;
        self.steps.get(id).unwrap_or(NEVER)
    }

    /// The step as far as it still counts: what was true before a way back says nothing about the world after it.
    pub fn standing(&self, id: &str) -> &Record {
        const NEVER: &Record = &Record::NEVER;
        Some(self.step(id)).filter(|record| record.standing != Standing::Reverted).unwrap_or(NEVER)
    }

    pub fn has_begun(&self, phase: Phase) -> bool {
        self.began.contains_key(&phase.to_string())
    }

    pub fn has_ended(&self, phase: Phase) -> bool {
        self.ended.contains_key(&phase.to_string())
    }

    pub fn add(&mut self, entry: &Entry) {
        self.last = Some(entry.at);
        self.by = Some(entry.by.clone());
        match &entry.what {
            What::Opened { fingerprint, facts } => {
                self.fingerprint = Some(fingerprint.clone());
                self.facts = facts.clone();
            }
            What::PhaseBegan { phase } => {
                self.began.insert(phase.to_string(), entry.at);
                self.ended.remove(&phase.to_string());
                self.restored = None;
            }
            What::PhaseEnded { phase } => {
                self.ended.insert(phase.to_string(), entry.at);
            }
            What::OutageBegan => {
                self.outage_began = Some(entry.at);
                self.outage_millis = None;
            }
            What::OutageEnded { millis } => self.outage_millis = Some(*millis),
            What::Restored { reason } => {
                self.restored = Some(reason.clone());
                self.accepted.clear();
                self.began.remove(&Phase::Cutover.to_string());
                self.ended.remove(&Phase::Cutover.to_string());
            }
            What::Accepted { .. } => self.accepted.extend(Acceptance::of(entry)),
            What::Note { .. } | What::Verified { .. } => {}
            What::Started { step, .. }
            | What::Done { step, .. }
            | What::Found { step }
            | What::Failed { step, .. }
            | What::RevertStarted { step }
            | What::Reverted { step }
            | What::RevertFailed { step, .. }
            | What::ScriptIntent { step, .. }
            | What::ScriptDone { step, .. }
            | What::ScriptReverted { step, .. } => self.add_to_step(step, entry),
        }
    }

    fn add_to_step(&mut self, id: &str, entry: &Entry) {
        if !self.steps.contains_key(id) {
            self.order.push(id.to_string());
        }
        let record = self.steps.entry(id.to_string()).or_insert(Record::NEVER);
        match &entry.what {
            What::Started { receipt, .. } => {
                let calls = std::mem::take(&mut record.calls);
                // A step started again after a crash keeps its script calls; after a revert it begins anew.
                let fresh = matches!(record.standing, Standing::Reverted);
                *record = Record {
                    standing: Standing::Started,
                    receipt: receipt.clone(),
                    started: Some(entry.at),
                    calls: if fresh { BTreeMap::new() } else { calls },
                    ..Record::NEVER
                };
            }
            What::Done { evidence, millis, .. } => {
                record.standing = Standing::Done;
                record.evidence = evidence.clone();
                record.millis = Some(*millis);
            }
            What::Found { .. } => record.standing = Standing::Found,
            What::Failed { error, .. } => {
                record.standing = Standing::Failed;
                record.error = Some(error.clone());
            }
            What::RevertStarted { .. } => record.standing = Standing::Reverting,
            What::Reverted { .. } => record.standing = Standing::Reverted,
            What::RevertFailed { error, .. } => record.error = Some(error.clone()),
            What::ScriptIntent { call, text, receipt, .. } => {
                let (text, receipt) = (text.clone(), receipt.clone());
                record.calls.insert(*call, Call { text, receipt, result: None, reverted: false });
            }
            What::ScriptDone { call, result, .. } => {
                if let Some(made) = record.calls.get_mut(call) {
                    made.result = Some(result.clone());
                }
            }
            What::ScriptReverted { call, .. } => {
                if let Some(made) = record.calls.get_mut(call) {
                    made.reverted = true;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_taken_back_proves_nothing() {
        let step = || "prove-caught-up".to_string();
        let mut whats = vec![
            What::Started { step: step(), receipt: json!({ "pod": "a" }) },
            What::Done { step: step(), evidence: json!({ "note": "equal" }), millis: 1 },
        ];
        let fold = |whats: &[What]| {
            let entry =
                |what: &What| Entry { seq: 0, at: Timestamp::UNIX_EPOCH, by: String::new(), what: what.clone() };
            State::fold(&whats.iter().map(entry).collect::<Vec<_>>())
        };
        assert_eq!(fold(&whats).standing(&step()).evidence["note"], "equal");
        whats.push(What::Reverted { step: step() });
        let after = fold(&whats);
        let record = after.standing(&step());
        assert!(record.evidence.is_null() && record.receipt.is_null() && record.started.is_none());
        // The report still tells of it.
        assert_eq!(after.step(&step()).evidence["note"], "equal");
    }
}
