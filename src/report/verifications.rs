//! Every comparison of both ends, with its position: each `verify`'s and the gate's; and where each table was last seen equal.

use crate::journal::{Entry, Standing, State, What};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A `verify` of its own, as the journal has it (docs/verify.md).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    pub at: Timestamp,
    /// user@host/pid
    pub by: String,
    /// `verify/record.rs`
    #[serde(flatten)]
    pub found: Value,
}

/// Where a table was last seen equal at both ends, row by row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Equal {
    pub database: String,
    pub table: String,
    /// RFC 3339
    pub at: String,
    pub source_lsn: String,
    pub target_lsn: String,
    /// Seconds between that look and this certificate.
    pub age: Option<i64>,
}

pub(super) fn verifications(entries: &[Entry]) -> Vec<Verification> {
    let of = |entry: &Entry| match &entry.what {
        What::Verified { found } => Some(Verification { at: entry.at, by: entry.by.clone(), found: found.clone() }),
        _ => None,
    };
    entries.iter().filter_map(of).collect()
}

pub(super) fn tables(state: &State, verifications: &[Verification], written: Timestamp) -> Vec<Equal> {
    let gate = state.step("verify");
    let gate = [&gate.evidence["reports"]].into_iter().filter(|_| gate.standing == Standing::Done);
    let reports = verifications.iter().map(|v| &v.found["databases"]).chain(gate);
    let mut last: BTreeMap<(String, String), Equal> = BTreeMap::new();
    for report in reports.flat_map(|reports| reports.as_array().into_iter().flatten()) {
        for equal in seen(report, written) {
            let place = last.entry((equal.database.clone(), equal.table.clone())).or_insert_with(|| equal.clone());
            if moment(&place.at) < moment(&equal.at) {
                *place = equal;
            }
        }
    }
    last.into_values().collect()
}

fn seen(report: &Value, written: Timestamp) -> Vec<Equal> {
    let list = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let equal = |table: &Value, position: &Value| Equal {
        database: text(&report["database"]),
        table: text(table),
        at: text(&position["at"]),
        source_lsn: text(&position["sourceLsn"]),
        target_lsn: text(&position["targetLsn"]),
        age: moment(&text(&position["at"])).map(|at| written.duration_since(at).as_secs()),
    };
    let here = list("equal").into_iter().map(|table| equal(&table, report));
    let before = list("equalBefore").into_iter().map(|item| equal(&item["table"], &item["position"]));
    here.chain(before).collect()
}

fn moment(at: &str) -> Option<Timestamp> {
    at.parse().ok()
}

/// `2h 5m`
pub fn age(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "?".into(), |seconds| format!("{:#}", jiff::SignedDuration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_look_at_each_table_counts() {
        let entry = |what: What| Entry { seq: 0, at: Timestamp::UNIX_EPOCH, by: "me".into(), what };
        let round = |at: &str, equal: &[&str], before: Value| What::Verified {
            found: json!({ "databases": [{
                "database": "app", "at": at, "sourceLsn": at, "targetLsn": at, "equal": equal, "equalBefore": before,
            }] }),
        };
        let earlier =
            json!([{ "table": "b", "position": { "at": "1970-01-01T00:00:15Z", "sourceLsn": "b", "targetLsn": "b" } }]);
        let entries = [
            entry(round("1970-01-01T00:00:10Z", &["a", "b", "c"], json!([]))),
            entry(round("1970-01-01T00:00:20Z", &["a"], earlier)),
        ];
        let seen = verifications(&entries);
        let written = Timestamp::from_second(80).expect("a time");
        let tables = tables(&State::fold(&entries), &seen, written);
        let told: Vec<_> = tables.iter().map(|t| (t.table.as_str(), t.source_lsn.as_str(), t.age)).collect();
        let expected =
            [("a", "1970-01-01T00:00:20Z", Some(60)), ("b", "b", Some(65)), ("c", "1970-01-01T00:00:10Z", Some(70))];
        assert_eq!(told, expected);
        assert_eq!((seen.len(), seen[0].by.as_str(), age(Some(3700)).as_str()), (2, "me", "1h 1m 40s"));
    }
}
