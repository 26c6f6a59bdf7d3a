//! Where every sequence stands: last_value and is_called.

use super::{
    Expectations, Item, Verdict, item, paired,
    side::{Answers, Seen, Side, column},
};
use crate::postgres::Ident;
use std::collections::BTreeMap;

pub(crate) async fn look(side: &mut Side<'_>) -> Result<BTreeMap<String, Seen>, String> {
    let mut sequences = BTreeMap::new();
    for row in side.ask(include_str!("../postgres/sql/sequences.sql")).await? {
        let name = format!("{}.{}", Ident::new(column(&row, "schema")), Ident::new(column(&row, "name")));
        let seen = value(side, &name).await;
        sequences.insert(name, seen);
    }
    Ok(sequences)
}

async fn value(side: &mut Side<'_>, name: &str) -> Seen {
    let rows = side.ask(&format!("SELECT last_value::text AS last_value, is_called FROM {name}")).await?;
    let row = rows.first().ok_or("no answer")?;
    let called = if column(row, "is_called") == "true" { "called" } else { "not called" };
    Ok(format!("{} {called}", column(row, "last_value")))
}

pub(crate) fn compare(source: &Answers, target: &Answers, expectations: &Expectations) -> Vec<Item> {
    if !source.what.sequences {
        return Vec::new();
    }
    let (ours, theirs) = match (&source.sequences, &target.sequences) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            let failed = |side: &Result<_, String>| side.as_ref().err().cloned().map(Err);
            return vec![item("sequence", "all sequences", failed(ours).as_ref(), failed(theirs).as_ref())];
        }
    };
    paired(ours, theirs)
        .map(|(name, s, t)| {
            let mut item = item("sequence", name, s, t);
            if item.verdict == Verdict::Fail
                && let Some(reason) =
                    expectations.reason("sequence", name, item.source.as_deref(), item.target.as_deref())
            {
                item.verdict = Verdict::Pass;
                item.note = Some(reason);
            }
            item
        })
        .collect()
}
