//! Are the two sides the same? Data, sequences and catalogue of one database, each fact with a verdict.
//!
//! What could not be looked at is inconclusive, never a pass; so is a report that looked at nothing.

mod catalogue;
mod expected;
mod hash;
mod instant;
mod rows;
mod scan;
mod sequences;
mod side;
mod tables;

use crate::{
    error::{Context, Error, Result},
    postgres::Db,
};
pub use expected::Expectations;
use futures::future::BoxFuture;
use hash::Hasher;
pub use rows::Difference;
use serde::{Deserialize, Serialize};
use side::{Seen, Side};
use std::{collections::BTreeMap, fmt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Inconclusive,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Pass => "PASS",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Fail => "FAIL",
        })
    }
}

/// One thing compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub database: String,
    /// rows, data, sequence, or the catalogue's word: role, column, index ...
    pub kind: String,
    /// Quoted as in SQL: `public."Odd Name"`.
    pub name: String,
    pub verdict: Verdict,
    /// What that side says; None: it is not there.
    pub source: Option<String>,
    pub target: Option<String>,
    /// Why it passes although it differs, or why it could not be looked at.
    pub note: Option<String>,
    /// The first rows of a table that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Difference>,
}

/// Equal catalogue facts are not items of their own: one item a kind says how many there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub database: String,
    pub items: Vec<Item>,
    /// The worst of the items.
    pub overall: Verdict,
    /// WAL position of each side when its snapshot was taken (a standby: replayed).
    pub source_lsn: String,
    pub target_lsn: String,
    /// Which transactions both snapshots see: `before transaction 4711`; what differs then is different. None: each side
    /// was looked at a moment of its own. Sequences are no transaction's and are always seen as they stand.
    #[serde(default)]
    pub instant: Option<String>,
    /// What made this run's hashes differ from others'. As text: JSON readers elsewhere would round it.
    pub seed: String,
    /// RFC 3339.
    pub at: String,
}

impl Report {
    /// Everything that is not a plain pass.
    pub fn problems(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|i| i.verdict != Verdict::Pass)
    }
    /// `12 tables, 34567 rows equal` or the first problems, for one line.
    pub fn summary(&self) -> String {
        let tables = self.items.iter().filter(|i| matches!(i.kind.as_str(), "rows" | "data")).count();
        let problems: Vec<String> = self.problems().take(3).map(Item::to_string).collect();
        match (self.overall, problems.is_empty()) {
            (Verdict::Pass, _) => format!("{}: {tables} tables and the catalogue are equal", self.database),
            (verdict, true) => format!("{}: {verdict}: nothing was compared", self.database),
            (verdict, false) => {
                format!(
                    "{}: {verdict}: {} of {}: {}",
                    self.database,
                    self.problems().count(),
                    self.items.len(),
                    problems.join("; ")
                )
            }
        }
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

/// How much of the data is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    None,
    /// Exact row counts.
    Counts,
    /// Counts and a digest over every row, independent of their order.
    Fingerprints,
}

impl Data {
    /// What an item of it is called.
    fn kind(self) -> Option<&'static str> {
        match self {
            Data::None => None,
            Data::Counts => Some("rows"),
            Data::Fingerprints => Some("data"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct What {
    pub data: Data,
    pub sequences: bool,
    pub catalogue: bool,
    /// Bytes, not values: 1.0 and 1.00, 0 and -0 are different.
    pub strict: bool,
    /// Of the hashes: two looks with the same seed can be compared, and another seed is another chance to see a difference.
    pub seed: u64,
    /// Rows to find in each table that differs; finding them reads it some more times.
    pub rows: usize,
    /// What is in them, too.
    pub values: bool,
}

impl What {
    pub fn all() -> What {
        What {
            data: Data::Fingerprints,
            sequences: true,
            catalogue: true,
            strict: false,
            seed: new_seed(),
            rows: 0,
            values: false,
        }
    }

    pub fn counts() -> What {
        What { data: Data::Counts, catalogue: false, ..What::all() }
    }
}

fn new_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Sessions for one side of a comparison: the first must open, more only make it faster.
pub async fn sessions<'a>(number: usize, open: impl Fn() -> BoxFuture<'a, Result<Db>>) -> Result<Vec<Db>> {
    let mut sessions = vec![open().await?];
    let more = futures::future::join_all((1..number).map(|_| open())).await;
    sessions.extend(more.into_iter().flatten());
    Ok(sessions)
}

/// Compares one database on both sides, both at the same time, each in one repeatable-read, read-only snapshot that all of
/// its sessions share. They must be in that database, of a superuser. A query that fails makes its items inconclusive; an
/// error is returned only when a side does not let itself be looked at, at all.
pub async fn compare(
    source: &mut [Db],
    target: &mut [Db],
    database: &str,
    what: What,
    expectations: &Expectations,
) -> Result<Report> {
    let (mut source, mut target, instant) = open(source, target).await?;
    for (side, name) in [(&source, "source"), (&target, "target")] {
        if side.database != database {
            return Err(Error::bug(format!("the {name} session is in database {}, not {database}", side.database)));
        }
    }
    let lower = source.major.min(target.major);
    let both = Majors { lower, differ: source.major != target.major };
    let hasher = Hasher::agreed(&mut source, &mut target, what.seed, what.strict).await;
    let (ours, theirs) = tokio::join!(source.look(what, both, &hasher), target.look(what, both, &hasher));
    let mut items = tables::compare(&ours, &theirs, expectations);
    rows::locate((&mut source, &mut target), (&ours, &theirs), &hasher, what, &mut items).await;
    let copy = target.standby;
    let (source_lsn, target_lsn) = (source.lsn.clone(), target.lsn.clone());
    tokio::join!(source.close(), target.close());
    items.extend(sequences::compare(&ours, &theirs, copy, expectations));
    items.extend(catalogue::compare(&ours, &theirs, both, expectations));
    items.iter_mut().for_each(|i| database.clone_into(&mut i.database));
    Ok(Report {
        database: database.to_owned(),
        // A report without items proves nothing.
        overall: items.iter().map(|i| i.verdict).max().unwrap_or(Verdict::Inconclusive),
        items,
        source_lsn,
        target_lsn,
        instant,
        seed: what.seed.to_string(),
        at: jiff::Timestamp::now().to_string(),
    })
}

/// Snapshots of both sides; of a physical copy that follows, where it can be had, of the same instant, and which that is.
async fn open<'a>(source: &'a mut [Db], target: &'a mut [Db]) -> Result<(Side<'a>, Side<'a>, Option<String>)> {
    let mut instant = None;
    if let ([ours, _, ..], [theirs, _, ..]) = (&mut *source, &mut *target) {
        let (s, t) = (ours.identity().await?, theirs.identity().await?);
        if t.in_recovery && s.system_identifier == t.system_identifier {
            instant = instant::find(ours, theirs).await?;
        }
    }
    let (ours, theirs, told) = match (instant, source, target) {
        (Some(at), [ours, source @ ..], [theirs, target @ ..]) => {
            let source = Side::joined(source, &at.source, ours);
            let (source, target) = tokio::join!(source, Side::joined(target, &at.target, theirs));
            (source, target, Some(format!("before transaction {}", at.before)))
        }
        (_, source, target) => {
            let (source, target) = tokio::join!(Side::open(source), Side::open(target));
            (source, target, None)
        }
    };
    Ok((ours.context("opening a snapshot of the source")?, theirs.context("opening a snapshot of the target")?, told))
}

/// The majors of the two servers, as far as the questions depend on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Majors {
    pub lower: u32,
    pub differ: bool,
}

/// An item out of what both sides answered to the same question.
pub(crate) fn item(kind: &str, name: &str, source: Option<&Seen>, target: Option<&Seen>) -> Item {
    let told = |seen: Option<&Seen>| seen.and_then(|s| s.as_ref().ok().cloned());
    let failed: Vec<String> = [("source", source), ("target", target)]
        .into_iter()
        .filter_map(|(side, seen)| Some(format!("{side}: {}", seen?.as_ref().err()?)))
        .collect();
    let (source, target) = (told(source), told(target));
    let verdict = match failed.is_empty() {
        false => Verdict::Inconclusive,
        true if source == target => Verdict::Pass,
        true => Verdict::Fail,
    };
    let note = (!failed.is_empty()).then(|| failed.join("; "));
    Item {
        database: String::new(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        verdict,
        source,
        target,
        note,
        rows: Vec::new(),
    }
}

/// Every name of either side, with what each says about it.
pub(crate) fn paired<'a, V>(
    source: &'a BTreeMap<String, V>,
    target: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = (&'a String, Option<&'a V>, Option<&'a V>)> {
    let only_target = target.iter().filter(|(name, _)| !source.contains_key(*name));
    let of_source = source.iter().map(|(name, s)| (name, Some(s), target.get(name)));
    of_source.chain(only_target.map(|(name, t)| (name, None, Some(t))))
}
