//! Where every sequence stands: last_value and is_called.

use super::{
    Expectations, Item, Unseen, Verdict, item, paired,
    side::{Answers, Seen, Side, number, text},
    unlisted,
};
use crate::postgres::{Ident, session::Row};
use std::collections::BTreeMap;

pub(crate) struct Sequence {
    seen: Seen,
    last: i64,
    /// How far WAL has it: values are logged some ahead, so that not each is a record of its own.
    logged: i64,
}

pub(crate) async fn look(side: &mut Side<'_>) -> Result<BTreeMap<String, Sequence>, Unseen> {
    let leader = side.leader();
    let rows = leader.ask(include_str!("../postgres/sql/sequences.sql")).await?;
    let name = |row: &Row| format!("{}.{}", Ident::new(text(row, "schema")), Ident::new(text(row, "name")));
    let names: Vec<String> = rows.iter().map(name).collect();
    let query = |name: &String| format!("SELECT last_value, log_cnt, is_called FROM {name}");
    let answers = leader.each(&names.iter().map(query).collect::<Vec<_>>()).await;
    let steps = rows.iter().map(|row| number(row, "step").unwrap_or(1));
    let read = answers.into_iter().zip(steps).map(|(answer, step)| Sequence::read(answer, step));
    Ok(names.into_iter().zip(read).collect())
}

impl Sequence {
    fn read(answer: Result<Row, Unseen>, step: i64) -> Sequence {
        let value = |key: &str| answer.as_ref().ok().and_then(|row| number(row, key)).unwrap_or_default();
        let (last, ahead) = (value("last_value"), value("log_cnt"));
        let seen = answer
            .as_ref()
            .map_err(Clone::clone)
            .map(|row| format!("{last} {}", if text(row, "is_called") == "true" { "called" } else { "not called" }));
        Sequence { seen, last, logged: last.saturating_add(ahead.saturating_mul(step)) }
    }

    fn logged_as(&self, copy: &Sequence) -> bool {
        (self.last.min(self.logged)..=self.last.max(self.logged)).contains(&copy.last)
    }
}

/// `copy`: the target has its sequences from WAL alone.
pub(crate) fn compare(
    source: &Answers<'_>,
    target: &Answers<'_>,
    copy: bool,
    expectations: &Expectations,
) -> Vec<Item> {
    if !source.what.sequences {
        return Vec::new();
    }
    let (ours, theirs) = match (&source.sequences, &target.sequences) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            return vec![unlisted("sequence", "all sequences", ours.as_ref().err(), theirs.as_ref().err())];
        }
    };
    let judged = |(name, s, t): (&String, Option<&Sequence>, Option<&Sequence>)| {
        let mut item = item("sequence", name, s.map(|s| &s.seen), t.map(|t| &t.seen));
        if item.verdict == Verdict::Fail {
            let reason = match (s, t) {
                (Some(s), Some(t)) if copy && s.logged_as(t) => Some("as far as the source has logged it".into()),
                _ => expectations.reason(name, item.source.as_deref(), item.target.as_deref()),
            };
            reason.into_iter().for_each(|reason| item.explain(reason));
        }
        item
    };
    paired(ours, theirs).map(judged).collect()
}
