//! What holds rows, and whether both sides hold the same ones.

use super::{
    Code, Expectations, Item, Throttle, Unseen, Verdict,
    hash::{Column, Hasher},
    item, paired,
    scan::{self, Fingerprint},
    side::{Answers, Seen, Side, text},
    unlisted,
};
use crate::postgres::{Ident, session::Row};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A row of `tables.sql`.
#[derive(Debug, Deserialize)]
pub(crate) struct Table {
    /// Quoted, with its schema.
    #[serde(skip)]
    pub name: String,
    pub foreign: bool,
    pub materialised: bool,
    pub populated: bool,
    pub unlogged: bool,
    /// Pages on disk when the snapshot was taken, or a few more.
    pub blocks: u64,
    pub columns: Vec<Column>,
    pub key: Option<Vec<String>>,
}

impl Table {
    fn read(row: Row) -> Result<Table, Unseen> {
        let name = format!("{}.{}", Ident::new(text(&row, "schema")), Ident::new(text(&row, "relation")));
        let table = Table::deserialize(Value::Object(row)).map_err(|e| format!("the list of tables: {e}"))?;
        Ok(Table { name, ..table })
    }

    pub fn readable(&self) -> bool {
        !self.foreign && self.populated
    }
}

pub(crate) struct Looked {
    pub table: Table,
    pub rows: Result<Fingerprint, Unseen>,
}

impl Looked {
    fn told(&self, kind: &str) -> Seen {
        match (&self.rows, kind) {
            _ if self.table.foreign => Ok("foreign".into()),
            _ if !self.table.populated => Ok("not populated".into()),
            (Ok(fingerprint), "data") => Ok(fingerprint.to_string()),
            (Ok(fingerprint), _) => Ok(format!("{} rows", fingerprint.rows)),
            (Err(why), _) => Err(why.clone()),
        }
    }
}

/// With row security off, a policy that would hide rows is an error and not a smaller count.
pub(crate) async fn look(
    side: &mut Side<'_>,
    hasher: Option<&Hasher>,
    throttle: Option<&Throttle>,
) -> Result<BTreeMap<String, Looked>, Unseen> {
    let rows = side.leader().ask(include_str!("../postgres/sql/tables.sql")).await?;
    let tables = rows.into_iter().map(Table::read).collect::<Result<Vec<_>, _>>()?;
    let scanned = scan::fingerprints(side, &tables.iter().collect::<Vec<_>>(), hasher, throttle).await;
    Ok(tables.into_iter().zip(scanned).map(|(table, rows)| (table.name.clone(), Looked { table, rows })).collect())
}

pub(crate) fn compare(source: &Answers<'_>, target: &Answers<'_>, expectations: &Expectations) -> Vec<Item> {
    let Some(kind) = source.what.data.kind() else { return Vec::new() };
    let (ours, theirs) = match (&source.tables, &target.tables) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            return vec![unlisted(kind, "all tables", ours.as_ref().err(), theirs.as_ref().err())];
        }
    };
    paired(ours, theirs).map(|(name, s, t)| judged(kind, name, s, t, expectations)).collect()
}

fn judged(kind: &str, name: &str, s: Option<&Looked>, t: Option<&Looked>, expectations: &Expectations) -> Item {
    let seen = |looked: Option<&Looked>| looked.map(|l| l.told(kind));
    let mut item = item(kind, name, seen(s).as_ref(), seen(t).as_ref());
    let both = |is: fn(&Table) -> bool| s.is_some_and(|l| is(&l.table)) && t.is_some_and(|l| is(&l.table));
    if both(|table| table.foreign) {
        item.code = Code::Elsewhere;
        item.note = Some("foreign table: its rows are elsewhere and were not looked at".into());
    } else if item.verdict == Verdict::Fail {
        let empty = t.is_some_and(|l| matches!(l.rows, Ok(Fingerprint { rows: 0, .. })));
        if expectations.unlogged_empty && both(|table| table.unlogged) && empty {
            item.explain("unlogged: a physical copy comes without its rows".into());
        } else if expectations.refreshed && both(|table| table.materialised && table.populated) {
            (item.verdict, item.code) = (Verdict::Inconclusive, Code::Stale);
            item.note = Some(
                "was made anew at the target: the source's is older than its tables, or its definition gives other rows \
                 each time; REFRESH MATERIALIZED VIEW at the source shows which"
                    .into(),
            );
        } else {
            let (source, target) = (item.source.as_deref(), item.target.as_deref());
            let reason = expectations.reason(&item.name, source, target);
            reason.into_iter().for_each(|reason| item.explain(reason));
        }
    }
    item
}
