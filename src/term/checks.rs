//! What the preflight found: a line each, and for what is not a pass the why and the remedy.

use super::{Page, Table, paint, plan::wrap};
use console::Style;
use serde::Serialize;
use serde_json::json;

/// What a check says. What could not be looked at is Unknown, never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Warn,
    Fail,
    Unknown,
}

/// One check's outcome, as shown.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub id: String,
    pub title: String,
    pub status: Verdict,
    /// What was seen: "wal_level is replica".
    pub seen: String,
    /// Why it matters.
    pub why: String,
    /// What to do about it: a whole command where there is one.
    pub remedy: Option<String>,
}

pub fn page(migration: &str, lines: &[Line]) -> Page {
    Page {
        document: json!({ "migration": migration, "result": worst(lines), "findings": lines }),
        names: lines.iter().map(|line| line.id.clone()).collect(),
        text: text(lines),
    }
}

/// Fail before unknown before warn before pass.
pub fn worst(lines: &[Line]) -> Verdict {
    let rank = |v: &Verdict| match v {
        Verdict::Pass => 0,
        Verdict::Warn => 1,
        Verdict::Unknown => 2,
        Verdict::Fail => 3,
    };
    lines.iter().map(|line| line.status).max_by_key(rank).unwrap_or(Verdict::Pass)
}

pub fn count(lines: &[Line], status: Verdict) -> usize {
    lines.iter().filter(|line| line.status == status).count()
}

pub(super) fn mark(verdict: Verdict) -> String {
    let (style, word) = match verdict {
        Verdict::Pass => (Style::new().green(), "pass"),
        Verdict::Warn => (Style::new().yellow(), "WARN"),
        Verdict::Fail => (Style::new().red().bold(), "FAIL"),
        Verdict::Unknown => (Style::new().magenta(), "UNKNOWN"),
    };
    paint(style, word)
}

fn text(lines: &[Line]) -> String {
    let mut table = Table::new(&["RESULT", "CHECK", "SEEN"]);
    for line in lines {
        table.row([mark(line.status), line.title.clone(), line.seen.clone()]);
    }
    let mut text = table.render(0);
    for line in lines.iter().filter(|line| line.status != Verdict::Pass) {
        text.push_str(&format!("\n{} {}: {}\n", mark(line.status), line.title, line.seen));
        for row in wrap(&line.why, 100) {
            text.push_str(&format!("  {row}\n"));
        }
        if let Some(remedy) = &line.remedy {
            text.push_str(&format!("  remedy: {}\n", remedy.trim_end().replace('\n', "\n  ")));
        }
    }
    text.push_str(&format!(
        "\n{} passed, {} warned, {} failed, {} unknown\n",
        count(lines, Verdict::Pass),
        count(lines, Verdict::Warn),
        count(lines, Verdict::Fail),
        count(lines, Verdict::Unknown)
    ));
    text
}
