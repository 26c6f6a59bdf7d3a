//! What the preflight found: a line each, and for what is not a pass the why and the remedy.

use super::{Page, Table, paint, plan::wrap};
use crate::checks::{Finding, Status};
use console::Style;
use serde_json::json;

pub fn page(migration: &str, findings: &[Finding]) -> Page {
    Page {
        document: json!({ "migration": migration, "result": worst(findings), "findings": findings }),
        names: findings.iter().map(|f| f.id.to_string()).collect(),
        text: text(findings),
    }
}

pub fn count(findings: &[Finding], status: Status) -> usize {
    findings.iter().filter(|f| f.status == status).count()
}

/// Fail before unknown before warn before pass; unknown when nothing was looked at.
fn worst(findings: &[Finding]) -> Status {
    let order = [Status::Fail, Status::Unknown, Status::Warn, Status::Pass];
    order.into_iter().find(|status| count(findings, *status) > 0).unwrap_or(Status::Unknown)
}

fn mark(status: Status) -> String {
    let (style, word) = match status {
        Status::Pass => (Style::new().green(), "pass"),
        Status::Warn => (Style::new().yellow(), "WARN"),
        Status::Fail => (Style::new().red().bold(), "FAIL"),
        Status::Unknown => (Style::new().magenta(), "UNKNOWN"),
    };
    paint(style, word)
}

fn text(findings: &[Finding]) -> String {
    let mut table = Table::new(&["RESULT", "CHECK", "SEEN"]);
    for finding in findings {
        table.row([mark(finding.status), finding.title.to_string(), one_line(&finding.seen)]);
    }
    let mut text = table.render(0);
    for finding in findings.iter().filter(|f| f.status != Status::Pass) {
        text.push_str(&format!("\n{} {}: {}\n", mark(finding.status), finding.title, finding.seen));
        for row in wrap(finding.why, 100) {
            text.push_str(&format!("  {row}\n"));
        }
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("  remedy: {}\n", remedy.trim_end().replace('\n', "\n  ")));
        }
    }
    let numbers = [Status::Pass, Status::Warn, Status::Fail, Status::Unknown].map(|s| count(findings, s));
    let [pass, warn, fail, unknown] = numbers;
    text.push_str(&format!("\n{pass} passed, {warn} warned, {fail} failed, {unknown} unknown\n"));
    text
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}
