//! Where every sequence stands: last_value and is_called.

use super::{
    Expectations, Item, Verdict, item, paired,
    side::{Answers, Seen, Side, text},
};
use crate::postgres::{Ident, session::Row};
use std::collections::BTreeMap;

pub(crate) async fn look(side: &mut Side<'_>) -> Result<BTreeMap<String, Seen>, String> {
    let leader = side.leader();
    let rows = leader.ask(include_str!("../postgres/sql/sequences.sql")).await?;
    let name = |row: &Row| format!("{}.{}", Ident::new(text(row, "schema")), Ident::new(text(row, "name")));
    let names: Vec<String> = rows.iter().map(name).collect();
    let query = |name: &String| format!("SELECT last_value::text AS last_value, is_called FROM {name}");
    let answers = leader.each(&names.iter().map(query).collect::<Vec<_>>()).await;
    Ok(names.into_iter().zip(answers.into_iter().map(|row| row.map(|row| told(&row)))).collect())
}

fn told(row: &Row) -> String {
    let called = if text(row, "is_called") == "true" { "called" } else { "not called" };
    format!("{} {called}", text(row, "last_value"))
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
