//! Which rows of a table differ: both sides' rows are split into buckets by the hash of their key, again and again within a
//! bucket that differs, until few enough are left to be read one by one. A split is one scan of the table on each side.
//!
//! A table without a key is split by the hash of the whole row, which is then what a row is told from another by.

use super::{
    Item, Unseen, Verdict, What,
    hash::{Column, Hasher},
    scan::Fingerprint,
    side::{Answers, Session, Side, number, text},
    tables::Table,
};
use crate::postgres::{Ident, Literal, session::Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// Bits of the hash that one split looks at: 4096 buckets.
const BITS: u32 = 12;
const DEEPEST: u32 = 4;
/// Rows that are read one by one, at most.
const READ: i64 = 5000;

/// A row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Column -> value; of a table without a key: where the row stands, as `ctid`.
    pub key: Value,
    /// How many rows of this key (without one: exactly such rows) each side has.
    pub source: i64,
    pub target: i64,
    /// Column -> source's and target's value as text, of those that differ, if they were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, [Option<String>; 2]>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let key = self.key.as_object().into_iter().flatten().map(|(name, value)| format!("{name}={}", plain(value)));
        write!(f, "{}", key.collect::<Vec<_>>().join(", "))?;
        match (self.source, self.target) {
            (1, 1) => write!(f, " differs")?,
            (_, 0) => write!(f, " is at the source only")?,
            (0, _) => write!(f, " is at the target only")?,
            (s, t) => write!(f, " is {s} times at the source, {t} times at the target")?,
        }
        let told = |side: &Option<String>| side.clone().unwrap_or_else(|| "NULL".into());
        let values = self.values.iter().map(|(name, [s, t])| format!("{name}: {} / {}", told(s), told(t)));
        let values: Vec<String> = values.collect();
        if values.is_empty() { Ok(()) } else { write!(f, " ({})", values.join(", ")) }
    }
}

/// Adds to each table's item that differs its first rows that do.
pub(crate) async fn locate(
    (source, target): (&mut Side<'_>, &mut Side<'_>),
    (ours, theirs): (&Answers<'_>, &Answers<'_>),
    hasher: &Hasher,
    what: What<'_>,
    items: &mut [Item],
) {
    let (Ok(ours), Ok(theirs)) = (&ours.tables, &theirs.tables) else { return };
    for item in items.iter_mut().filter(|item| item.kind == "data" && item.verdict == Verdict::Fail && what.rows > 0) {
        let (Some(s), Some(t)) = (ours.get(&item.name), theirs.get(&item.name)) else { continue };
        if !(s.table.readable() && t.table.readable()) {
            continue;
        }
        let (s, t) = (Reading::of(&s.table, &s.table, hasher), Reading::of(&t.table, &s.table, hasher));
        match differences((source.leader(), &s), (target.leader(), &t), what).await {
            Ok(rows) => item.rows = rows,
            Err(why) => item.note = Some(format!("which rows differ could not be found out: {why}")),
        }
    }
}

/// The expressions for one side's table.
struct Reading<'a> {
    table: &'a Table,
    /// What is split by.
    split: String,
    row: String,
    /// The key as JSON; None: there is none.
    key: Option<String>,
}

impl<'a> Reading<'a> {
    /// Both sides are read by the source's key, if the target has its columns.
    fn of(table: &'a Table, source: &Table, hasher: &Hasher) -> Reading<'a> {
        let column = |name: &String| table.columns.iter().find(|c| c.name == *name).cloned();
        let key: Option<Vec<Column>> = source.key.as_ref().and_then(|key| key.iter().map(column).collect());
        let row = hasher.row(&table.columns);
        let pair = |c: &Column| format!("{}, r.{}", Literal::new(c.name.as_str()), Ident::new(c.name.as_str()));
        let json =
            |key: &Vec<Column>| format!("json_build_object({})", key.iter().map(pair).collect::<Vec<_>>().join(", "));
        Reading {
            table,
            split: key.as_ref().map_or_else(|| row.clone(), |key| hasher.row(key)),
            row,
            key: key.as_ref().map(json),
        }
    }

    fn buckets(&self, at: &Prefix) -> String {
        format!(
            "SELECT (k >> {}) & {} AS bucket, {} FROM (SELECT {} AS k, {} AS h FROM ONLY {} r OFFSET 0) s WHERE {} GROUP BY 1",
            at.depth * BITS,
            (1 << BITS) - 1,
            Fingerprint::columns("h"),
            self.split,
            self.row,
            self.table.name,
            at.holds("k")
        )
    }

    /// A row for each row, or for all that are exactly alike: its hash, what tells it from others, how many there are.
    fn rows(&self, at: &Prefix, buckets: &[i64]) -> String {
        let split = &self.split;
        let bucket = format!("(({split}) >> {}) & {}", at.depth * BITS, (1 << BITS) - 1);
        let (key, group) = match &self.key {
            Some(key) => (format!("{key}::text"), "1, 2"),
            None => ("json_build_object('ctid', min(r.ctid::text))::text".to_owned(), "1"),
        };
        format!(
            "SELECT ({})::text AS hash, {key} AS key, count(*) AS n FROM ONLY {} r WHERE {} AND {bucket} IN ({}) GROUP BY {group} LIMIT {READ}",
            self.row,
            self.table.name,
            at.holds(split),
            listed(buckets)
        )
    }

    fn values(&self, hashes: &[i64]) -> String {
        let id = self.key.as_ref().map_or_else(|| format!("({})::text", self.row), |key| format!("{key}::text"));
        format!(
            "SELECT {id} AS id, (SELECT json_object_agg(j.key, j.value) FROM json_each_text(row_to_json(r)) j) AS v FROM ONLY {} r WHERE ({}) IN ({}) LIMIT {READ}",
            self.table.name,
            self.row,
            listed(hashes)
        )
    }
}

fn listed(numbers: &[i64]) -> String {
    numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// The lowest bits of the hash, as far as splits have fixed them.
#[derive(Default)]
struct Prefix {
    depth: u32,
    bits: i64,
}

impl Prefix {
    fn holds(&self, hash: &str) -> String {
        format!("({hash}) & {} = {}", (1_i64 << (self.depth * BITS)) - 1, self.bits)
    }

    fn into(self, bucket: i64) -> Prefix {
        Prefix { depth: self.depth + 1, bits: self.bits | bucket << (self.depth * BITS) }
    }
}

type End<'e, 's, 'd> = (&'e mut Session<'s>, &'e Reading<'d>);

async fn differences(
    (source, ours): End<'_, '_, '_>,
    (target, theirs): End<'_, '_, '_>,
    what: What<'_>,
) -> Result<Vec<Difference>, Unseen> {
    let mut at = Prefix::default();
    let buckets = loop {
        let (s, t) = (ours.buckets(&at), theirs.buckets(&at));
        let (s, t) = tokio::try_join!(source.ask(&s), target.ask(&t))?;
        let (chosen, rows) = few(&different(&s, &t));
        match chosen.first() {
            Some(first) if rows > READ && at.depth < DEEPEST => at = at.into(*first),
            _ => break chosen,
        }
    };
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let (s, t) = (ours.rows(&at, &buckets), theirs.rows(&at, &buckets));
    let (s, t) = tokio::try_join!(source.ask(&s), target.ask(&t))?;
    let mut found = Found::default();
    found.add(0, &s, ours.key.is_some());
    found.add(1, &t, ours.key.is_some());
    let mut found: Vec<(String, [Alike; 2])> = found.0.into_iter().filter(|(_, [s, t])| s.hashes != t.hashes).collect();
    found.truncate(what.rows);
    let mut values = [BTreeMap::new(), BTreeMap::new()];
    if what.values {
        let hashes =
            |side: usize| found.iter().flat_map(|(_, sides)| sides[side].hashes.keys().copied()).collect::<Vec<_>>();
        values = [read(source, ours, &hashes(0)).await?, read(target, theirs, &hashes(1)).await?];
    }
    Ok(found.into_iter().map(|(id, sides)| difference(&id, sides, &values)).collect())
}

/// Buckets that differ, with the rows they have on the side where they have more.
fn different(source: &[Row], target: &[Row]) -> Vec<(i64, i64)> {
    let mut buckets: BTreeMap<Option<i64>, [Option<Fingerprint>; 2]> = BTreeMap::new();
    for (side, rows) in [source, target].into_iter().enumerate() {
        for row in rows {
            buckets.entry(number(row, "bucket")).or_default()[side] = Fingerprint::read(row).ok();
        }
    }
    let rows = |side: Option<Fingerprint>| side.map_or(0, |f| f.rows);
    let differ = buckets.into_iter().filter(|(_, [s, t])| s != t);
    differ.filter_map(|(bucket, [s, t])| Some((bucket?, rows(s).max(rows(t))))).collect()
}

/// As many of them as may be read, one at least; and their rows.
fn few(different: &[(i64, i64)]) -> (Vec<i64>, i64) {
    let (mut chosen, mut rows) = (Vec::new(), 0);
    for (bucket, n) in different {
        if !chosen.is_empty() && rows + n > READ {
            break;
        }
        chosen.push(*bucket);
        rows += n;
    }
    (chosen, rows)
}

/// The rows of one key, or all that are exactly alike, on one side: hash -> how many.
#[derive(Default)]
struct Alike {
    key: String,
    hashes: BTreeMap<i64, i64>,
}

/// What tells a row from others -> what each side has of it.
#[derive(Default)]
struct Found(BTreeMap<String, [Alike; 2]>);

impl Found {
    fn add(&mut self, side: usize, rows: &[Row], keyed: bool) {
        for row in rows {
            let (hash, key) = (text(row, "hash"), text(row, "key"));
            let id = if keyed { key.clone() } else { hash.clone() };
            let alike = &mut self.0.entry(id).or_default()[side];
            alike.key = key;
            alike.hashes.insert(hash.parse().unwrap_or_default(), number(row, "n").unwrap_or_default());
        }
    }
}

type Values = BTreeMap<String, BTreeMap<String, Option<String>>>;

async fn read(session: &mut Session<'_>, reading: &Reading<'_>, hashes: &[i64]) -> Result<Values, Unseen> {
    if hashes.is_empty() {
        return Ok(Values::new());
    }
    let rows = session.ask(&reading.values(hashes)).await?;
    let value = |row: &Row| serde_json::from_value(row.get("v").cloned().unwrap_or_default()).unwrap_or_default();
    Ok(rows.iter().map(|row| (text(row, "id"), value(row))).collect())
}

fn difference(id: &str, [s, t]: [Alike; 2], [ours, theirs]: &[Values; 2]) -> Difference {
    let count = |alike: &Alike| alike.hashes.values().sum();
    let (ours, theirs) = (ours.get(id), theirs.get(id));
    let mut values = BTreeMap::new();
    for name in ours.into_iter().chain(theirs).flat_map(BTreeMap::keys) {
        let side = |side: Option<&BTreeMap<String, Option<String>>>| side.and_then(|v| v.get(name).cloned().flatten());
        let pair = [side(ours), side(theirs)];
        if pair[0] != pair[1] {
            values.insert(name.clone(), pair);
        }
    }
    let key = if s.key.is_empty() { &t.key } else { &s.key };
    Difference { key: serde_json::from_str(key).unwrap_or_default(), source: count(&s), target: count(&t), values }
}
