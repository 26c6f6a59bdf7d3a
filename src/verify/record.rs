//! What the journal, and so the certificate, keeps of a report: verdicts and positions. Never a row, a key or a setting.

use super::{Code, Item, Report, Verdict};
use serde_json::{Value, json};

/// Names that one record holds; the rest is counted. A journal's entry must stay far below etcd's limit.
const TABLES: usize = 1000;
const PROBLEMS: usize = 20;

impl Report {
    pub fn record(&self) -> Value {
        let equal: Vec<&Item> =
            self.items.iter().filter(|item| item.kind == "data" && item.code == Code::Equal).collect();
        let (here, before): (Vec<&Item>, Vec<&Item>) =
            equal.iter().take(TABLES).copied().partition(|item| item.position.is_none());
        let accepted = self.accepted().map(|item| json!({ "table": item.name, "by": item.accepted }));
        json!({
            "database": self.database, "overall": self.overall, "code": self.code, "items": self.items.len(),
            "summary": self.summary(), "at": self.at, "sourceLsn": self.source_lsn, "targetLsn": self.target_lsn,
            "instant": self.instant, "sourceVersion": self.source_version, "targetVersion": self.target_version,
            "accepted": accepted.collect::<Vec<_>>(), "problems": problems(self.items.iter()),
            "equal": here.iter().map(|item| &item.name).collect::<Vec<_>>(),
            "equalBefore": before.iter().map(|item| json!({ "table": item.name, "position": item.position })).collect::<Vec<_>>(),
            "equalUnnamed": equal.len().saturating_sub(TABLES),
        })
    }
}

/// The first that do not pass, by name and code alone.
pub fn problems<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<Value> {
    let bad = items.filter(|item| item.counts_as() != Verdict::Pass).take(PROBLEMS);
    bad.map(|item| json!({ "kind": item.kind, "name": item.name, "verdict": item.verdict, "code": item.code }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Difference, Position};

    #[test]
    fn neither_rows_nor_values_are_kept() {
        let private = || Some("private".to_owned());
        let row = Difference { key: json!({"id": "private"}), source: 1, target: 1, values: Default::default() };
        let item = |name: &str, verdict, code| Item {
            source: private(),
            target: private(),
            note: private(),
            rows: vec![row.clone()],
            ..Item::new("app", "data", name, verdict, code)
        };
        let mut report = Report::of_one(item("bad", Verdict::Fail, Code::RowsDiffer));
        report.items.extend((0..TABLES + 2).map(|n| item(&format!("t{n}"), Verdict::Pass, Code::Equal)));
        let earlier = Position { at: "then".into(), source_lsn: "0/1".into(), target_lsn: "0/2".into() };
        report.items[1].position = Some(earlier);
        let kept = report.record();
        assert!(!kept.to_string().contains("private"), "{kept}");
        assert_eq!(
            kept["problems"],
            json!([{"kind": "data", "name": "bad", "verdict": "fail", "code": "rows-differ"}])
        );
        assert_eq!(kept["equal"].as_array().map(Vec::len), Some(TABLES - 1));
        assert_eq!(kept["equalBefore"][0]["position"]["sourceLsn"], "0/1");
        assert_eq!(kept["equalUnnamed"], 2);
        let says =
            |kind| Report::of_one(Item::new("app", kind, "x", Verdict::Pass, Code::Equal)).record()["summary"].clone();
        assert_eq!(says("window"), "app: not compared: what the cutover proved holds");
        assert_eq!(says("rows"), "app: 1 tables have as many rows on both ends");
        assert_eq!(says("data"), "app: 1 tables and the catalogue are equal");
    }
}
