//! Are the two sides the same? Data, sequences and catalogue of one database, each fact with a verdict.
//!
//! What could not be looked at is inconclusive, never a pass; so is a report that looked at nothing.

mod accept;
mod catalogue;
mod expected;
mod hash;
mod indexes;
mod instant;
mod item;
mod record;
mod rows;
mod scan;
mod sequences;
mod side;
mod tables;
mod throttle;
mod verdict;
mod views;

use crate::{
    error::{Context, Error, Result},
    postgres::Db,
};
pub use accept::tables_named;
pub use expected::Expectations;
use futures::future::BoxFuture;
use hash::Hasher;
pub use indexes::{Indexes, indexes};
pub use item::{Item, Position, Report, worst};
pub use record::problems;
pub use rows::Difference;
use side::{Seen, Side};
use std::collections::BTreeMap;
pub use throttle::{Limits, Throttle};
use verdict::Unseen;
pub use verdict::{Code, Verdict};

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
pub struct What<'t> {
    pub data: Data,
    pub sequences: bool,
    pub catalogue: bool,
    /// Bytes, not values: 1.0 and 1.00, 0 and -0 are different.
    pub strict: bool,
    /// A SHA-256 of each row's text, for who does not trust other hashes: slow, and without a seed.
    pub sha256: bool,
    /// Of the hashes: two looks with the same seed can be compared, and another seed is another chance to see a difference.
    pub seed: u64,
    /// Rows to find in each table that differs; finding them reads it some more times.
    pub rows: usize,
    /// What is in them, too.
    pub values: bool,
    /// Makes a materialised view that differs anew at the target, within a transaction that is rolled back: nobody else
    /// may use it meanwhile.
    pub refresh: bool,
    /// Holds each piece of a table back while the source is busy.
    pub throttle: Option<&'t Throttle>,
}

impl What<'_> {
    pub fn all() -> Self {
        What {
            data: Data::Fingerprints,
            sequences: true,
            catalogue: true,
            strict: false,
            sha256: false,
            seed: new_seed(),
            rows: 0,
            values: false,
            refresh: false,
            throttle: None,
        }
    }

    pub fn counts() -> Self {
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
    at_source: &mut [Db],
    at_target: &mut [Db],
    database: &str,
    what: What<'_>,
    expectations: &Expectations,
) -> Result<Report> {
    let (mut source, mut target, instant) = open(at_source, &mut *at_target).await?;
    let at = jiff::Timestamp::now().to_string();
    for (side, name) in [(&source, "source"), (&target, "target")] {
        if side.database != database {
            return Err(Error::bug(format!("the {name} session is in database {}, not {database}", side.database)));
        }
    }
    let lower = source.major.min(target.major);
    let both = Majors { lower, differ: source.major != target.major };
    let hasher = Hasher::agreed(&mut source, &mut target, what).await;
    let (ours, theirs) = tokio::join!(source.look(what, both, &hasher), target.look(what, both, &hasher));
    let mut items = tables::compare(&ours, &theirs, expectations);
    rows::locate((&mut source, &mut target), (&ours, &theirs), &hasher, what, &mut items).await;
    let copy = target.standby;
    let (source_lsn, target_lsn) = (source.lsn.clone(), target.lsn.clone());
    let (source_version, target_version) = (source.version.clone(), target.version.clone());
    tokio::join!(source.close(), target.close());
    if let (true, Some(db)) = (what.refresh, at_target.first_mut()) {
        views::make_anew(db, &theirs, &hasher, &mut items).await;
    }
    items.extend(sequences::compare(&ours, &theirs, copy, expectations));
    items.extend(catalogue::compare(&ours, &theirs, both, expectations));
    items.iter_mut().for_each(|i| database.clone_into(&mut i.database));
    let (overall, code) = worst(items.iter());
    Ok(Report {
        database: database.to_owned(),
        overall,
        code,
        items,
        source_lsn,
        target_lsn,
        source_version,
        target_version,
        instant,
        repair: Vec::new(),
        seed: what.seed.to_string(),
        at,
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

/// An item out of what both sides answered to the same question; None: it is not there.
pub(crate) fn item(kind: &str, name: &str, source: Option<&Seen>, target: Option<&Seen>) -> Item {
    let unseen = |seen: Option<&Seen>| seen.and_then(|s| s.as_ref().err().cloned());
    let told = |seen: Option<&Seen>| seen.and_then(|s| s.as_ref().ok().cloned());
    let mut item = match (source, target) {
        (Some(_), None) => Item::new("", kind, name, Verdict::Fail, Code::MissingAtTarget),
        (None, Some(_)) => Item::new("", kind, name, Verdict::Fail, Code::MissingAtSource),
        _ => unlisted(kind, name, unseen(source).as_ref(), unseen(target).as_ref()),
    };
    (item.source, item.target) = (told(source), told(target));
    if item.verdict == Verdict::Pass && item.source != item.target {
        item.verdict = Verdict::Fail;
        item.code = match kind {
            "data" => Code::RowsDiffer,
            "rows" => Code::CountDiffers,
            "sequence" => Code::SequenceDiffers,
            _ => Code::CatalogueDiffers,
        };
    }
    item
}

/// The item of a question that was not answered on one side or on both; a pass where it was on both.
pub(crate) fn unlisted(kind: &str, name: &str, source: Option<&Unseen>, target: Option<&Unseen>) -> Item {
    let sides = [("source", source), ("target", target)];
    let failed = sides.into_iter().filter_map(|(side, unseen)| Some(format!("{side}: {}", unseen?)));
    let note = failed.collect::<Vec<_>>().join("; ");
    match source.or(target) {
        None => Item::new("", kind, name, Verdict::Pass, Code::Equal),
        Some(first) => Item { note: Some(note), ..Item::new("", kind, name, Verdict::Inconclusive, first.code) },
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
