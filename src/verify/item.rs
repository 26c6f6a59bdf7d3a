//! What was compared, one item a thing, and the report of a whole database.

use super::{Code, Indexes, Verdict, rows::Difference};
use crate::journal::Acceptance;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub database: String,
    /// rows, data, sequence, or the catalogue's word: role, column, index ...
    pub kind: String,
    /// Quoted as in SQL: `public."Odd Name"`.
    pub name: String,
    pub verdict: Verdict,
    pub code: Code,
    /// Who said that this table passes although it is inconclusive: user@host/pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// What that side says; None: it is not there.
    pub source: Option<String>,
    pub target: Option<String>,
    /// Why it passes although it differs, or why it could not be looked at.
    pub note: Option<String>,
    /// The first rows of a table that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Difference>,
    /// Where it was seen, if in an earlier look than the rest of its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// When a snapshot of both ends was taken, and where they stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// RFC 3339
    pub at: String,
    pub source_lsn: String,
    pub target_lsn: String,
}

/// Equal catalogue facts are not items of their own: one item a kind says how many there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub database: String,
    pub items: Vec<Item>,
    /// The worst of the items, an accepted one being a pass.
    pub overall: Verdict,
    /// The code of the first item that is so bad.
    pub code: Code,
    /// WAL position of each side when its snapshot was taken (a standby: replayed).
    pub source_lsn: String,
    pub target_lsn: String,
    /// PostgreSQL's versions.
    #[serde(default)]
    pub source_version: String,
    #[serde(default)]
    pub target_version: String,
    /// Which transactions both snapshots see: `before transaction 4711`; what differs then is different. None: each side
    /// was looked at a moment of its own. Sequences are no transaction's and are always seen as they stand.
    #[serde(default)]
    pub instant: Option<String>,
    /// Statements for the promoted target, in this order: indexes to be built anew, then their collations' versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repair: Vec<String>,
    /// What made this run's hashes differ from others'. As text: JSON readers elsewhere would round it.
    pub seed: String,
    /// When the snapshots were taken: RFC 3339.
    pub at: String,
}

impl Report {
    /// A report of what was not compared row by row: `lsn` and `seed` are unknown.
    pub fn of_one(item: Item) -> Report {
        let mut report = Report {
            database: item.database.clone(),
            overall: item.verdict,
            code: item.code,
            items: vec![item],
            source_lsn: "unknown".into(),
            target_lsn: "unknown".into(),
            source_version: "unknown".into(),
            target_version: "unknown".into(),
            instant: None,
            repair: Vec::new(),
            seed: "none".into(),
            at: jiff::Timestamp::now().to_string(),
        };
        report.judge();
        report
    }

    pub fn position(&self) -> Position {
        let (source_lsn, target_lsn) = (self.source_lsn.clone(), self.target_lsn.clone());
        Position { at: self.at.clone(), source_lsn, target_lsn }
    }

    pub fn add(&mut self, indexes: Indexes) {
        self.items.extend(indexes.items);
        self.repair = indexes.repair;
        self.judge();
    }

    /// To be called when an item has changed.
    pub fn judge(&mut self) {
        (self.overall, self.code) = worst(self.items.iter());
    }

    /// What of it somebody accepted passes: tables that are inconclusive, and nothing else.
    pub fn accept(&mut self, accepted: &[Acceptance]) {
        for item in &mut self.items {
            let same = |a: &&Acceptance| a.database == item.database && a.table == item.name;
            if let (true, Verdict::Inconclusive) = (item.is_table(), item.verdict) {
                item.accepted = accepted.iter().find(same).map(|a| a.by.clone());
            }
        }
        self.judge();
    }

    /// Everything that is not a pass.
    pub fn problems(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|i| i.counts_as() != Verdict::Pass)
    }

    pub fn accepted(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|i| i.accepted.is_some())
    }

    /// `12 tables and the catalogue are equal` or how many things are not, for one line.
    pub fn summary(&self) -> String {
        let accepted: Vec<&str> = self.accepted().map(|i| i.name.as_str()).collect();
        let tables = self.items.iter().filter(|i| i.is_table()).count() - accepted.len();
        let has = |kind: &str| self.items.iter().any(|item| item.kind == kind);
        let equal = || match (has("window"), has("rows")) {
            (true, _) => "not compared: what the cutover proved holds".to_owned(),
            (_, true) => format!("{tables} tables have as many rows on both ends"),
            _ => format!("{tables} tables and the catalogue are equal"),
        };
        match (self.overall, self.items.len()) {
            (Verdict::Pass, _) if accepted.is_empty() => format!("{}: {}", self.database, equal()),
            (Verdict::Pass, _) => {
                format!("{}: {}; accepted unproved: {}", self.database, equal(), accepted.join(", "))
            }
            (verdict, 0) => format!("{}: {verdict}: nothing was compared", self.database),
            (verdict, all) => {
                let count = |bad| (self.problems().filter(|item| item.verdict == bad).count(), bad);
                let counts = [Verdict::Fail, Verdict::Inconclusive].map(count);
                let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, bad)| format!("{n} {bad}"));
                format!("{}: {verdict}: {} of {all}", self.database, counts.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The verdict over all of them, and the first reason for it. A look at nothing proves nothing.
pub fn worst<'a>(mut items: impl Iterator<Item = &'a Item> + Clone) -> (Verdict, Code) {
    let Some(verdict) = items.clone().map(Item::counts_as).max() else {
        return (Verdict::Inconclusive, Code::NothingCompared);
    };
    let code = match verdict {
        Verdict::Pass if items.any(|item| item.accepted.is_some()) => Code::Accepted,
        Verdict::Pass => Code::Equal,
        bad => items.find(|item| item.counts_as() == bad).map_or(Code::NothingCompared, |item| item.code),
    };
    (verdict, code)
}

impl Item {
    pub fn new(database: &str, kind: &str, name: &str, verdict: Verdict, code: Code) -> Item {
        Item {
            database: database.into(),
            kind: kind.into(),
            name: name.into(),
            verdict,
            code,
            accepted: None,
            source: None,
            target: None,
            note: None,
            rows: Vec::new(),
            position: None,
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.kind.as_str(), "rows" | "data")
    }

    pub fn counts_as(&self) -> Verdict {
        if self.accepted.is_some() { Verdict::Pass } else { self.verdict }
    }

    /// A difference that is no loss.
    pub(crate) fn explain(&mut self, why: String) {
        (self.verdict, self.code, self.note) = (Verdict::Pass, Code::Explained, Some(why));
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.kind, self.name)?;
        match (&self.source, &self.target) {
            (Some(s), Some(t)) => write!(f, "is {s} at the source, {t} at the target")?,
            (Some(s), None) => write!(f, "is missing at the target ({s})")?,
            (None, Some(t)) => write!(f, "is at the target only ({t})")?,
            (None, None) => write!(f, "was not compared")?,
        }
        let rows = self.rows.iter().map(|row| format!("; {row}")).collect::<String>();
        self.note.as_ref().map_or(Ok(()), |n| write!(f, ": {n}"))?;
        f.write_str(&rows)
    }
}
