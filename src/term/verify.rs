//! What a comparison of both ends found: a report a database, and the script's own queries.

use super::{Page, Table, foreign::line, paint};
use crate::{
    postgres::Lsn,
    verify::{Code, Item, Report, Verdict, problems, worst},
};
use console::Style;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    pub databases: Vec<Report>,
    /// The `verify` hook's checks, in its order.
    pub script: Vec<Item>,
}

impl Verified {
    fn items(&self) -> impl Iterator<Item = &Item> + Clone {
        self.databases.iter().flat_map(|report| &report.items).chain(&self.script)
    }

    /// The worst of all; inconclusive when nothing was looked at.
    pub fn overall(&self) -> (Verdict, Code) {
        worst(self.items())
    }

    /// What is kept of it (`options`: of the command line), docs/verify.md.
    pub fn record(&self, options: &[String]) -> Value {
        let (result, code) = self.overall();
        let databases: Vec<Value> = self.databases.iter().map(Report::record).collect();
        let script = json!({ "checks": self.script.len(), "problems": problems(self.script.iter()) });
        json!({ "result": result, "code": code, "options": options, "databases": databases, "script": script })
    }

    /// Short of `all`, what passed and is not a table is only counted.
    pub fn page(&self, migration: &str, all: bool) -> Page {
        let problems = self.items().filter(|item| item.counts_as() != Verdict::Pass);
        let (result, code) = self.overall();
        Page {
            document: json!({ "migration": migration, "result": result, "code": code, "databases": self.databases, "script": self.script }),
            names: problems.map(|item| item.name.clone()).collect(),
            text: self.text(all),
        }
    }

    /// One round of several: a line for each database, what does not pass, and how old it is by now.
    pub fn round(&self, migration: &str, took: Duration) -> Page {
        let mut page = self.page(migration, false);
        page.document["seconds"] = json!(took.as_secs_f64());
        let problems: Vec<&Item> = self.items().filter(|item| item.verdict != Verdict::Pass).collect();
        page.text = if problems.is_empty() { String::new() } else { table(problems.into_iter()) };
        for report in &self.databases {
            let behind = match (report.source_lsn.parse::<Lsn>(), report.target_lsn.parse()) {
                (Ok(source), Ok(target)) => format!(" ({} bytes behind)", source.ahead_of(target)),
                _ => String::new(),
            };
            let age = report.at.parse().map(|at| Timestamp::now().duration_since(at).as_secs().max(0));
            page.text.push_str(&format!(
                "{:.0}  {}  {}; source at {}, target at {}{behind}; {} s old, took {:.1} s\n",
                Timestamp::now(),
                mark(report.overall),
                line(&report.summary()),
                report.source_lsn,
                report.target_lsn,
                age.map_or_else(|_| "?".into(), |age| age.to_string()),
                took.as_secs_f64()
            ));
        }
        page
    }

    fn text(&self, all: bool) -> String {
        let shown = |item: &&Item| all || item.verdict != Verdict::Pass || item.is_table() || item.kind == "script";
        let mut text = table(self.items().filter(shown));
        for item in self.items().filter(|item| !item.rows.is_empty()) {
            text.push_str(&format!("\n{} {}, the first rows that differ:\n", item.database, item.name));
            item.rows.iter().for_each(|row| text.push_str(&format!("  {}\n", line(&row.to_string()))));
        }
        for report in &self.databases {
            text.push_str(&format!(
                "\n{}\n  seen at {}, source at {}, target at {}{}\n",
                line(&report.summary()),
                report.at,
                report.source_lsn,
                report.target_lsn,
                report.instant.as_ref().map(|at| format!("; both at one instant, {at}")).unwrap_or_default()
            ));
        }
        for report in self.databases.iter().filter(|report| !report.repair.is_empty()) {
            text.push_str(&format!("\non the promoted target, in database {}, in this order:\n", report.database));
            report.repair.iter().for_each(|statement| text.push_str(&format!("  {statement}\n")));
        }
        text.push_str(&format!("\nresult: {}\n", mark(self.overall().0)));
        text
    }
}

/// An item a line.
pub fn table<'a>(items: impl Iterator<Item = &'a Item>) -> String {
    let mut table = Table::new(&["RESULT", "DATABASE", "WHAT", "NAME", "SOURCE", "TARGET", "NOTE"]);
    for item in items {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        table.row([
            mark(item.verdict),
            item.database.clone(),
            item.kind.clone(),
            item.name.clone(),
            side(&item.source),
            side(&item.target),
            note(item),
        ]);
    }
    table.render(0)
}

fn note(item: &Item) -> String {
    let accepted = item.accepted.as_ref().map(|by| format!("accepted by {by}"));
    accepted.into_iter().chain(item.note.clone()).collect::<Vec<_>>().join(": ")
}

fn mark(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Pass => Style::new().green(),
        Verdict::Inconclusive => Style::new().magenta(),
        Verdict::Fail => Style::new().red().bold(),
    };
    paint(style, &verdict.to_string())
}
