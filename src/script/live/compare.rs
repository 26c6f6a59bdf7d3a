//! One query on both sides while the world may be moving.

use super::{Compared, Live, Row, Side};
use crate::{error::Result, script::Verdict};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Query -> the source's rows. Journaled as evidence between the two runs of `verify`.
pub type Rows = BTreeMap<String, Vec<Row>>;

/// Filled by a run with [`Counting::Record`].
#[derive(Clone, Default)]
pub struct Recorded(Arc<Mutex<Rows>>);
impl Recorded {
    pub fn rows(&self) -> Rows {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn add(&self, query: &str, rows: Vec<Row>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(query.into(), rows);
    }
}

/// Where the source's numbers come from. After a physical cutover the source is stopped and cannot be asked:
/// `verify` is run twice, once to record while the apps are down and the source is still up, once against that.
pub enum Counting {
    /// Ask both: the source before and after the target, for the app may be writing.
    Now,
    /// Ask the source alone and keep its answer.
    Record(Recorded),
    /// `app_ran`: the app has been writing to the target since; its numbers may have grown.
    Against { rows: Rows, app_ran: bool },
    /// The ends can't be compared any more, and the window proved them equal: how, for the reader.
    Proved(String),
}

/// How often a moving pair is read before it is called unequal: a standby may be a moment behind.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(400);

impl Live {
    pub(super) async fn compare_now(&self, query: &str) -> Result<Compared> {
        match &self.counting {
            Counting::Now => self.both(query).await,
            Counting::Record(recorded) => {
                let source = self.read(Side::Source, query, &[]).await?;
                recorded.add(query, source.clone());
                let why = format!("source {}; recorded, to be compared after the cutover", told(&source));
                Ok(Compared { verdict: Verdict::Pass, source, target: Vec::new(), why })
            }
            Counting::Proved(how) => {
                let target = self.read(Side::Target, query, &[]).await?;
                let why = format!("target {}; {how}", told(&target));
                Ok(Compared { verdict: Verdict::Pass, source: Vec::new(), target, why })
            }
            Counting::Against { rows, app_ran } => {
                let target = self.read(Side::Target, query, &[]).await?;
                Ok(match rows.get(query) {
                    Some(source) => against(source, target, *app_ran),
                    None => {
                        let why = "the source was not asked this before it was stopped".into();
                        Compared { verdict: Verdict::Inconclusive, source: Vec::new(), target, why }
                    }
                })
            }
        }
    }

    async fn both(&self, query: &str) -> Result<Compared> {
        let mut before = self.read(Side::Source, query, &[]).await?;
        for n in 1.. {
            let target = self.read(Side::Target, query, &[]).await?;
            let after = self.read(Side::Source, query, &[]).await?;
            let compared = between(&before, target, &after);
            if compared.verdict == Verdict::Pass || n == TRIES {
                return Ok(compared);
            }
            tokio::time::sleep(PAUSE).await;
            before = after;
        }
        unreachable!("the loop above has no other end")
    }
}

/// Pass: the target's values lie between the source's before and after.
fn between(before: &[Row], target: Vec<Row>, after: &[Row]) -> Compared {
    let lies = |a: &Value, t: &Value, b: &Value| match (a.as_f64(), t.as_f64(), b.as_f64()) {
        (Some(a), Some(t), Some(b)) => a.min(b) <= t && t <= a.max(b),
        _ => t == a || t == b,
    };
    let still = before == after;
    let equal = if still { target == after } else { all(before, &target, after, lies) };
    let (verdict, why) = match (equal, still) {
        (true, _) => (Verdict::Pass, told(&target)),
        (false, true) => (Verdict::Fail, format!("source {}, target {}", told(after), told(&target))),
        (false, false) => {
            let why = format!(
                "the source is being written to: {} to {}, target {}",
                told(before),
                told(after),
                told(&target)
            );
            (Verdict::Inconclusive, why)
        }
    };
    Compared { verdict, source: after.to_vec(), target, why }
}

fn against(source: &[Row], target: Vec<Row>, app_ran: bool) -> Compared {
    let grown = |s: &Value, t: &Value, _: &Value| match (s.as_f64(), t.as_f64()) {
        (Some(s), Some(t)) => t >= s,
        _ => s == t,
    };
    let pair = format!("source {} when it was stopped, target {}", told(source), told(&target));
    let (verdict, why) = if source == target {
        (Verdict::Pass, told(&target))
    } else if !app_ran {
        (Verdict::Fail, pair)
    } else if all(source, &target, source, grown) {
        (Verdict::Pass, format!("{pair}: the app has written since"))
    } else {
        (Verdict::Inconclusive, format!("{pair}: the app has been running since, and may have deleted"))
    };
    Compared { verdict, source: source.to_vec(), target, why }
}

/// The same rows with the same columns, and `holds` for every value.
fn all(a: &[Row], t: &[Row], b: &[Row], holds: impl Fn(&Value, &Value, &Value) -> bool) -> bool {
    let same = a.len() == t.len() && t.len() == b.len();
    same && a.iter().zip(t).zip(b).all(|((a, t), b)| {
        let keys = a.len() == t.len() && t.len() == b.len();
        keys && t.iter().all(|(key, value)| match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) => holds(a, value, b),
            _ => false,
        })
    })
}

/// `rows 123`; more than one row is told by its number.
fn told(rows: &[Row]) -> String {
    match rows {
        [row] => row.iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", "),
        rows => format!("{} rows", rows.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(n: i64) -> Vec<Row> {
        serde_json::from_value(json!([{"rows": n}])).unwrap_or_default()
    }

    #[test]
    fn a_resting_source_must_be_equalled() {
        assert_eq!(between(&rows(5), rows(5), &rows(5)).verdict, Verdict::Pass);
        let short = between(&rows(5), rows(4), &rows(5));
        assert_eq!((short.verdict, short.why.as_str()), (Verdict::Fail, "source rows 5, target rows 4"));
        assert_eq!(between(&rows(5), rows(6), &rows(5)).verdict, Verdict::Fail);
        assert_eq!(between(&rows(5), Vec::new(), &rows(5)).verdict, Verdict::Fail);
    }

    #[test]
    fn a_moving_source_is_bracketed_and_never_passed_outside_it() {
        assert_eq!(between(&rows(5), rows(7), &rows(9)).verdict, Verdict::Pass);
        assert_eq!(between(&rows(5), rows(4), &rows(9)).verdict, Verdict::Inconclusive);
        assert_eq!(between(&rows(5), rows(10), &rows(9)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn after_the_cutover_only_a_resting_target_can_fail() {
        assert_eq!(against(&rows(5), rows(4), false).verdict, Verdict::Fail);
        assert_eq!(against(&rows(5), rows(6), false).verdict, Verdict::Fail);
        assert_eq!(against(&rows(5), rows(6), true).verdict, Verdict::Pass);
        assert_eq!(against(&rows(5), rows(4), true).verdict, Verdict::Inconclusive);
    }
}
