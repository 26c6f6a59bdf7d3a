//! Row counts, and digests over all rows, of every user table.

use super::{
    Data, Expectations, Item, Verdict, item, paired,
    side::{Answers, Seen, Side, column},
};
use crate::postgres::Ident;
use std::collections::BTreeMap;

pub(crate) struct Table {
    /// `5 rows`, with Fingerprints `5 rows, digest 1234`.
    pub seen: Seen,
    pub foreign: bool,
    pub unlogged: bool,
}

/// Asks one table after the other. With row security off, a policy that would hide rows is an error and not a smaller count.
pub(crate) async fn look(side: &mut Side<'_>, data: Data) -> Result<BTreeMap<String, Table>, String> {
    let mut tables = BTreeMap::new();
    for row in side.ask(include_str!("../postgres/sql/tables.sql")).await? {
        let name = format!("{}.{}", Ident::new(column(&row, "schema")), Ident::new(column(&row, "name")));
        let foreign = column(&row, "kind") == "f";
        let seen = if foreign { Ok("foreign".to_owned()) } else { count(side, &name, data).await };
        tables.insert(name, Table { seen, foreign, unlogged: column(&row, "persistence") == "u" });
    }
    Ok(tables)
}

/// The digest of a table is the sum of 64 bits of md5 of each row's text: the same on every major and in every order.
/// Two different rows exchanged for two others with the same sum would be missed; that is one in 2^64.
async fn count(side: &mut Side<'_>, name: &str, data: Data) -> Seen {
    let digest = match data {
        Data::Fingerprints => "coalesce(sum(('x'||left(md5(r::text), 16))::bit(64)::bigint), 0)",
        _ => "NULL",
    };
    let rows = side.ask(&format!("SELECT count(*)::text AS n, {digest}::text AS digest FROM ONLY {name} r")).await?;
    let row = rows.first().ok_or("no answer")?;
    let n = column(row, "n");
    Ok(match data {
        Data::Fingerprints => format!("{n} rows, digest {}", column(row, "digest")),
        _ => format!("{n} rows"),
    })
}

pub(crate) fn compare(source: &Answers, target: &Answers, expectations: &Expectations) -> Vec<Item> {
    let kind = match source.what.data {
        Data::None => return Vec::new(),
        Data::Counts => "rows",
        Data::Fingerprints => "data",
    };
    let (ours, theirs) = match (&source.tables, &target.tables) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            let failed = |side: &Result<_, String>| side.as_ref().err().cloned().map(Err);
            return vec![item(kind, "all tables", failed(ours).as_ref(), failed(theirs).as_ref())];
        }
    };
    paired(ours, theirs)
        .map(|(name, s, t)| {
            let item = item(kind, name, s.map(|t| &t.seen), t.map(|t| &t.seen));
            judge(item, s, t, expectations)
        })
        .collect()
}

fn judge(mut item: Item, source: Option<&Table>, target: Option<&Table>, expectations: &Expectations) -> Item {
    let foreign = source.is_some_and(|t| t.foreign) && target.is_some_and(|t| t.foreign);
    if foreign {
        item.note = Some("foreign table: its rows are elsewhere and were not counted".into());
    } else if item.verdict == Verdict::Fail {
        let unlogged = expectations.unlogged_empty && source.is_some_and(|t| t.unlogged);
        let reason = match unlogged {
            true if item.target.as_deref().is_some_and(|t| t.starts_with("0 rows")) => {
                Some("unlogged: a physical copy comes without its rows".to_owned())
            }
            _ => expectations.reason(&item.kind, &item.name, item.source.as_deref(), item.target.as_deref()),
        };
        if reason.is_some() {
            item.verdict = Verdict::Pass;
            item.note = reason;
        }
    }
    item
}
