//! Which strategy fits, and why: what `list` suggests and `init` writes.

use crate::spec::Strategy;
use serde::Serialize;
use std::ops::RangeInclusive;

/// Major versions that CloudNativePG runs (its support matrix for 1.29 and 1.30).
pub const MAJORS: RangeInclusive<u32> = 14..=18;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    #[serde(serialize_with = "name")]
    pub strategy: Strategy,
    /// PostgreSQL's major version on the target; None: the source's is not known.
    pub major: Option<u32>,
    /// Each a lower-case fragment.
    pub reasons: Vec<String>,
}

fn name<S: serde::Serializer>(strategy: &Strategy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(strategy.name())
}

/// `source`: the major version now; `wanted`: the one asked for on the target, else it stays what it is where it can.
pub fn choose(source: Option<u32>, wanted: Option<u32>) -> Choice {
    let Some(now) = source else {
        let reasons = vec!["the source's version is not known; it is taken to stay what it is".into()];
        return Choice { strategy: Strategy::Replica, major: wanted, reasons };
    };
    let target = wanted.unwrap_or(if MAJORS.contains(&now) { now } else { *MAJORS.end() });
    let (strategy, reasons) = if target == now {
        let same =
            format!("PostgreSQL {now} on both ends, so the target can be a physical copy: roles, passwords, all");
        (Strategy::Replica, vec![same, "the outage does not grow with the size".into()])
    } else {
        let versions = if wanted.is_some() {
            format!("from PostgreSQL {now} to {target} the data must be dumped and restored")
        } else {
            format!(
                "CloudNativePG does not run PostgreSQL {now}, so the data must be dumped and restored into {target}"
            )
        };
        (Strategy::Dump, vec![versions, "the outage grows with the size".into()])
    };
    Choice { strategy, major: Some(target), reasons }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides() {
        assert_eq!(choose(Some(15), None).strategy, Strategy::Replica);
        let up = choose(Some(15), Some(17));
        assert_eq!((up.strategy, up.major), (Strategy::Dump, Some(17)));
        let old = choose(Some(12), None);
        assert_eq!((old.strategy, old.major), (Strategy::Dump, Some(*MAJORS.end())));
        assert!(old.reasons[0].contains("does not run PostgreSQL 12"), "{old:?}");
        assert_eq!(choose(None, None).major, None);
    }
}
