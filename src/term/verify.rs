//! What a comparison of both ends found.

use super::{
    Page, Table,
    checks::{Verdict, mark},
};
use serde::Serialize;
use serde_json::json;

/// One thing compared: a table's rows, a sequence's state, a script's query.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub what: String,
    pub source: String,
    pub target: String,
    pub status: Verdict,
    /// What a difference means, or why it could not be looked at.
    pub why: Option<String>,
}

pub fn page(migration: &str, lines: &[Line]) -> Page {
    let names = lines.iter().filter(|l| l.status != Verdict::Pass).map(|l| l.what.clone()).collect();
    let result = if lines.is_empty() {
        Verdict::Unknown
    } else if lines.iter().any(|l| l.status == Verdict::Fail) {
        Verdict::Fail
    } else if lines.iter().any(|l| l.status == Verdict::Unknown) {
        Verdict::Unknown
    } else {
        Verdict::Pass
    };
    Page { document: json!({ "migration": migration, "result": result, "compared": lines }), names, text: text(lines) }
}

fn text(lines: &[Line]) -> String {
    let mut table = Table::new(&["RESULT", "WHAT", "SOURCE", "TARGET", "WHY"]);
    for line in lines {
        table.row([
            mark(line.status),
            line.what.clone(),
            line.source.clone(),
            line.target.clone(),
            line.why.clone().unwrap_or_default(),
        ]);
    }
    let same = lines.iter().filter(|l| l.status == Verdict::Pass).count();
    format!("{}\n{same} of {} the same on both ends\n", table.render(0), lines.len())
}
