//! What the preflight found: a line each, by groups; for what is not a pass the why and the remedy.

use super::{Page, Table, paint, plan::wrap};
use crate::{
    checks::{CATALOGUE, Check, Finding, Group, Moment, Status},
    facts::redact,
};
use console::Style;
use serde_json::{Value, json};

const ORDER: [Status; 5] = [Status::Fail, Status::Unknown, Status::Warn, Status::Pass, Status::Skipped];

pub fn page(migration: &str, findings: &[Finding]) -> Page {
    let numbers: Value = ORDER.iter().map(|s| (word(*s).to_lowercase(), json!(count(findings, *s)))).collect();
    let mut document =
        json!({ "migration": migration, "result": worst(findings), "count": numbers, "findings": findings });
    redact::document(&mut document);
    Page {
        document,
        names: findings.iter().filter(|f| f.status != Status::Skipped).map(|f| f.id.to_string()).collect(),
        text: render(findings, super::table::columns()),
    }
}

pub fn count(findings: &[Finding], status: Status) -> usize {
    findings.iter().filter(|f| f.status == status).count()
}

/// Fail before unknown before warn before pass; unknown when nothing was looked at.
fn worst(findings: &[Finding]) -> Status {
    ORDER[..4].iter().copied().find(|status| count(findings, *status) > 0).unwrap_or(Status::Unknown)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
        Status::Unknown => "UNKNOWN",
        Status::Skipped => "skipped",
    }
}

fn mark(status: Status) -> String {
    let style = match status {
        Status::Pass => Style::new().green(),
        Status::Warn => Style::new().yellow(),
        Status::Fail => Style::new().red().bold(),
        Status::Unknown => Style::new().magenta(),
        Status::Skipped => Style::new().dim(),
    };
    paint(style, word(status))
}

/// Columns that a paragraph is broken at on a wider terminal, and where stdout is none.
const COLUMNS: usize = 100;

/// A line each, then what there is to say of those that do not pass. Remedies keep their lines: they are for the clipboard.
pub fn render(findings: &[Finding], columns: usize) -> String {
    let mut table = Table::new(&["RESULT", "CHECK", "SEEN"]);
    for finding in findings.iter().filter(|f| f.status != Status::Skipped && !is_told(findings, f)) {
        table.row([mark(finding.status), finding.id.to_string(), one_line(&finding.seen)]);
    }
    let mut text = table.render_in(0, columns);
    let columns = columns.min(COLUMNS);
    for status in [Status::Warn, Status::Unknown, Status::Fail] {
        for finding in findings.iter().filter(|f| f.status == status && !is_told(findings, f)) {
            let others = findings.iter().filter(|f| is_told(findings, f) && f.seen == finding.seen).map(|f| f.id);
            text.push_str(&details(finding, &others.collect::<Vec<_>>(), columns));
        }
    }
    let skipped: Vec<&str> = findings.iter().filter(|f| f.status == Status::Skipped).map(|f| f.id).collect();
    if !skipped.is_empty() {
        text.push_str(&format!("\n{}:\n", mark(Status::Skipped)));
        text.push_str(&indented(&skipped.join(", "), columns));
    }
    let [fail, unknown, warn, pass, skipped] = ORDER.map(|status| count(findings, status));
    text.push_str(&format!("\n{pass} passed, {warn} warned, {fail} failed, {unknown} unknown, {skipped} skipped\n"));
    text
}

/// Unknown for the same reason as one before it: told there.
fn is_told(findings: &[Finding], finding: &Finding) -> bool {
    let same = |f: &&Finding| f.status == Status::Unknown && f.seen == finding.seen;
    finding.status == Status::Unknown && findings.iter().find(same).is_some_and(|first| first.id != finding.id)
}

fn details(finding: &Finding, others: &[&str], columns: usize) -> String {
    let mut text = format!("\n{} {}: {}\n", mark(finding.status), finding.id, below(&finding.seen));
    text.push_str(&indented(&format!("must hold: {}; {}", finding.title, finding.why), columns));
    if !others.is_empty() {
        text.push_str(&indented(&format!("unknown for the same reason: {}", others.join(", ")), columns));
    }
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("  check --fix: {}\n", below(fix)));
    }
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("  remedy: {}\n", below(remedy)));
    }
    text
}

fn indented(text: &str, columns: usize) -> String {
    wrap(text, columns.saturating_sub(2)).iter().map(|row| format!("  {row}\n")).collect()
}

/// Further lines are indented: one that came with a name must not look like one of ours.
fn below(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

/// `check -o junit`: one suite, a case a check (the de-facto schema of Ant and Jenkins). A warning passes, with its text.
pub fn junit(migration: &str, findings: &[Finding]) -> String {
    let numbers = [Status::Fail, Status::Unknown, Status::Skipped].map(|status| count(findings, status));
    let [failures, errors, skipped] = numbers;
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"pgmigrate check {}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n",
        escaped(migration),
        findings.len()
    );
    for finding in findings {
        let body = escaped(&format!("{}\n{}", finding.why, finding.remedy.as_deref().unwrap_or_default()));
        let seen = escaped(&finding.seen);
        let inner = match finding.status {
            Status::Fail => format!("<failure message=\"{seen}\">{body}</failure>"),
            Status::Unknown => format!("<error message=\"{seen}\">{body}</error>"),
            Status::Skipped => "<skipped/>".into(),
            Status::Warn => format!("<system-out>warning: {seen}\n{body}</system-out>"),
            Status::Pass => String::new(),
        };
        let (group, id) = (finding.group, finding.id);
        xml.push_str(&format!("<testcase classname=\"{group}\" name=\"{id}\">{inner}</testcase>\n"));
    }
    xml + "</testsuite>\n</testsuites>\n"
}

/// For text and attributes; control characters, which XML 1.0 does not take, become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `check --list`
pub fn catalogue() -> Page {
    let mut table = Table::new(&["GROUP", "CHECK", "WHAT MUST HOLD"]);
    let all = || CATALOGUE.iter().flat_map(|group| group.checks.iter().map(move |check| (group, check)));
    for (group, check) in all() {
        table.row([group.name, check.id, check.title]);
    }
    let document = |(group, check): (&Group, &Check)| {
        let Check { id, title, why, strategies, moment, .. } = check;
        let strategies: Vec<&str> = strategies.iter().map(|s| s.name()).collect();
        json!({ "id": id, "group": group.name, "title": title, "why": why, "strategies": strategies, "moment": moment })
    };
    Page {
        document: all().map(document).collect(),
        names: all().map(|(_, check)| check.id.to_string()).collect(),
        text: table.render(0),
    }
}

/// docs/checks.md, which a test keeps the same as this.
pub fn manual() -> String {
    let mut text = String::from(
        "# The checks\n\nWhat `kubectl pgmigrate check` looks for, read-only. `--only` and `--skip` take ids and groups, `-o json` and\n`-o junit` are for programs. Exit code 3: something failed, or could not be looked at. This page is made from the\nprogram (`tests/checks` keeps it so).\n\n`--fix` shows what it would do, asks (`--yes` answers), does it and looks again. It knows what an earlier try of the same\nmigration has left, what PostgreSQL's manual says is to be dropped, and a setting that `rollback` puts back. Not among\nthem, as a human must know why it is so: read-only databases, pauses, volumes, sessions, passwords.\n\n`--image-pod` runs one small pod of the target's image, which says what it holds: then `extensions`, `locale`,\n`postgres-version` and `collation-version` go by that and not by the image's name. The pod is removed at once.\n\n`--facts -o json` (or yaml) adds everything that was seen under `facts`, for a ticket: what a look that failed could not\nsee is `{\"unknown\": why}` there. No password and no verifier is in it: of Kubernetes' objects only fields are taken in which\nnone can stand (no environment, arguments or annotations; of Secrets and ConfigMaps the keys), and `password=...` and its\nlike are struck from every text. Names of hosts, roles, databases, tables and workloads are in it.\n",
    );
    for group in CATALOGUE {
        text.push_str(&format!("\n## {} (`{}`)\n", group.title, group.name));
        for check in group.checks {
            let mut scope = check.strategies.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
            match check.moment {
                Moment::Any => {}
                Moment::BeforePrepare => scope.push_str("; before prepare"),
                Moment::BeforeCutover => scope.push_str("; between prepare and cutover"),
            }
            text.push_str(&format!("\n### {}\n\n", check.id));
            if check.is_fixable() {
                scope.push_str("; `--fix` knows a safe remedy for some of it");
            }
            let said = format!("Must hold: {}. Otherwise: {}. ({scope})", check.title, check.why);
            text.extend(wrap(&said, 118).iter().map(|row| format!("{row}\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &'static str, status: Status, seen: &str) -> Finding {
        Finding {
            id,
            group: "source",
            title: "all is well",
            status,
            seen: seen.into(),
            why: "it <matters>",
            remedy: Some("do \"this\"".into()),
            fix: None,
            docs: String::new(),
        }
    }

    #[test]
    fn nothing_looked_at_is_no_pass() {
        assert_eq!(worst(&[]), Status::Unknown);
        assert_eq!(worst(&[finding("a", Status::Skipped, "")]), Status::Unknown);
        let all = [finding("a", Status::Pass, ""), finding("b", Status::Warn, ""), finding("c", Status::Unknown, "")];
        assert_eq!(worst(&all), Status::Unknown);
        assert_eq!(worst(&all[..2]), Status::Warn);
    }

    #[test]
    fn one_reason_is_told_once() {
        let all = [finding("a", Status::Unknown, "no answer"), finding("b", Status::Unknown, "no answer")];
        let text = render(&all, 80);
        assert_eq!(text.matches("a: no answer").count(), 1, "{text}");
        assert!(text.contains("for the same reason: b\n") && text.contains("2 unknown"), "{text}");
    }

    #[test]
    fn xml_is_escaped() {
        let xml = junit("m", &[finding("a", Status::Fail, "x < 1 & \"y\"\u{1b}")]);
        assert!(xml.contains("message=\"x &lt; 1 &amp; &quot;y&quot; \""), "{xml}");
        assert!(xml.contains("tests=\"1\" failures=\"1\" errors=\"0\""), "{xml}");
        assert!(!xml.contains("it <matters>"), "{xml}");
    }
}
