//! The certificate as one page: no script, no font, no picture from elsewhere. Everything is escaped.

use super::{Certificate, Outage, Verification, age};
use serde_json::Value;
use std::fmt::{Display, Write};

pub fn html(certificate: &Certificate) -> String {
    let c = certificate;
    let mut body = format!("<h1>Migration of {}</h1>\n", esc(&c.migration));
    let seconds =
        c.outage.as_ref().map_or("no outage recorded".into(), |o| format!("{:.2} s without the app", o.seconds));
    let _ = writeln!(body, "<p class=\"lead\">{} · {}</p>", esc(c.result), esc(&seconds));
    body.push_str(&pairs("What moved", &ends(c)));
    if let Some(outage) = &c.outage {
        body.push_str(&picture(outage));
    }
    body.push_str("<h2>What was proved</h2>\n");
    if c.proofs.is_empty() {
        body.push_str("<p>No proof is recorded.</p>\n");
    }
    for (step, proof) in &c.proofs {
        let _ = writeln!(body, "<h3>{}</h3>{}", esc(step), value(proof));
    }
    for a in &c.accepted {
        let (table, database, by, at) = (esc(&a.table), esc(&a.database), esc(&a.by), esc(format!("{:.0}", a.at)));
        let _ = writeln!(
            body,
            "<p>{table} of database {database} passed <strong>unproved</strong>: accepted by {by} at {at}.</p>"
        );
    }
    body.push_str(&verifications(&c.verifications));
    body.push_str(&tables(c));
    body.push_str(&steps(c));
    let _ =
        writeln!(body, "<h2>Facts at the beginning</h2><details><summary>show</summary>{}</details>", value(&c.facts));
    let by = c.by.iter().map(esc).collect::<Vec<_>>().join(", ");
    let _ = writeln!(body, "<p class=\"foot\">Run by {by}. Written {}.</p>", esc(c.written));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Migration of {}</title>\n<style>{STYLE}</style></head><body>\n{body}</body></html>\n",
        esc(&c.migration)
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}\
h1{margin-bottom:0}.lead{font-size:1.3rem;color:#444}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.foot{color:#666;margin-top:2rem}\
svg{width:100%;height:auto}code{font-size:.9em;word-break:break-all}@media print{details{display:block}}";

fn ends(c: &Certificate) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("From", format!("Zalando cluster {}, PostgreSQL {}", c.source, version(&c.source_version))),
        ("To", format!("CloudNativePG cluster {}, PostgreSQL {}", c.target, version(&c.target_version))),
        ("Namespace", c.namespace.clone()),
        ("Strategy", c.strategy.clone()),
    ];
    if !c.databases.is_empty() {
        rows.push(("Databases", c.databases.join(", ")));
    }
    if let Some(print) = &c.fingerprint {
        rows.push(("Source system identifier", print.source_system.clone()));
        rows.push(("Tool version", print.tool.clone()));
        rows.push(("Migration file", print.file.clone()));
        rows.push(("Script", print.script.clone().unwrap_or_else(|| "none".into())));
    }
    for (phase, span) in &c.phases {
        let words = match span.ended {
            Some(ended) => format!("{} to {ended}", span.began),
            None => format!("{}, not ended", span.began),
        };
        let label = match phase.as_str() {
            "prepare" => "Prepare",
            "cutover" => "Cutover",
            _ => "Finalize",
        };
        rows.push((label, words));
    }
    if let Some(from) = &c.from {
        rows.push(("Journal read from", from.clone()));
    }
    rows
}

fn version(seen: &Option<String>) -> &str {
    seen.as_deref().unwrap_or("(version not seen)")
}

fn pairs(title: &str, rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(k, v)| format!("<tr><th>{}</th><td>{}</td></tr>\n", esc(k), esc(v))).collect();
    format!("<h2>{}</h2>\n<table>{rows}</table>\n", esc(title))
}

/// A bar per step, left edge where it began within the outage: the same picture in print and without colour.
fn picture(outage: &Outage) -> String {
    let (row, left, width) = (26.0, 260.0, 560.0);
    let height = row * outage.split.len() as f64 + 8.0;
    let mut svg = format!(
        "<h2>The outage, by step</h2>\n<svg viewBox=\"0 0 920 {height}\" role=\"img\" aria-label=\"outage by step\">\n"
    );
    let mut at = 0.0;
    for (n, part) in outage.split.iter().enumerate() {
        let y = row * n as f64 + 4.0;
        let x = left + width * share(at, outage.seconds);
        let long = (width * share(part.seconds, outage.seconds)).max(1.0);
        let color = if part.step.is_some() { "#3b6ea5" } else { "#999999" };
        let title: String = part.title.chars().take(40).collect();
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{:.1}\" font-size=\"13\">{}</text><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"18\" fill=\"{color}\"/><text x=\"{:.1}\" y=\"{:.1}\" font-size=\"13\">{:.2} s</text>",
            y + 14.0,
            esc(title),
            left + width + 12.0,
            y + 14.0,
            part.seconds
        );
        at += part.seconds;
    }
    svg + "</svg>\n"
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

fn steps(c: &Certificate) -> String {
    let mut text = String::from(
        "<h2>Steps</h2>\n<table><tr><th>Step</th><th>Standing</th><th>Started</th><th>Seconds</th><th>Note</th></tr>\n",
    );
    for step in &c.steps {
        let started = step.started.map(|at| format!("{at:.0}")).unwrap_or_default();
        let seconds = step.seconds.map(|s| format!("{s:.2}")).unwrap_or_default();
        let standing = serde_json::to_value(step.standing).unwrap_or_default();
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            esc(&step.title),
            esc(standing.as_str().unwrap_or_default()),
            esc(started),
            esc(seconds),
            esc(step.note.clone().unwrap_or_default())
        );
    }
    text + "</table>\n"
}

/// A row for each database of each; what was accepted, and what did not pass, below it.
fn verifications(all: &[Verification]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>Verifications</h2>\n<table><tr><th>Seen</th><th>Database</th><th>Result</th><th>Source at</th><th>Target at</th><th>Run by</th></tr>\n",
    );
    let said = |value: &Value| esc(value.as_str().unwrap_or_default());
    for v in all {
        for report in v.found["databases"].as_array().into_iter().flatten() {
            let words = v.found["options"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let options: String = words.map(|word| format!(" <code>{}</code>", esc(word))).collect();
            let _ = writeln!(
                text,
                "<tr><td>{}</td><td>{}</td><td>{}{options}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                said(&report["at"]),
                said(&report["database"]),
                said(&report["summary"]),
                said(&report["sourceLsn"]),
                said(&report["targetLsn"]),
                esc(&v.by)
            );
            for (key, words) in [("accepted", "accepted unproved"), ("problems", "not equal")] {
                if report[key].as_array().is_some_and(|list| !list.is_empty()) {
                    let _ = writeln!(
                        text,
                        "<tr><td></td><td>{words}</td><td colspan=\"4\">{}</td></tr>",
                        value(&report[key])
                    );
                }
            }
        }
        if v.found["script"]["problems"].as_array().is_some_and(|list| !list.is_empty()) {
            let problems = value(&v.found["script"]["problems"]);
            let _ = writeln!(text, "<tr><td></td><td>script</td><td colspan=\"4\">{problems}</td></tr>");
        }
    }
    text + "</table>\n"
}

fn tables(c: &Certificate) -> String {
    if c.tables.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>Tables, and where each was last seen equal</h2><details><summary>show</summary>\n<table><tr><th>Database</th><th>Table</th><th>Seen</th><th>Source at</th><th>Target at</th><th>Before this page</th></tr>\n",
    );
    for t in &c.tables {
        let cells = [&t.database, &t.table, &t.at, &t.source_lsn, &t.target_lsn, &age(t.age)];
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", esc(cell))).collect();
        let _ = writeln!(text, "<tr>{cells}</tr>");
    }
    text + "</table></details>\n"
}

/// Any JSON as nested tables.
fn value(json: &Value) -> String {
    match json {
        Value::Object(map) => {
            let rows: String =
                map.iter().map(|(k, v)| format!("<tr><th>{}</th><td>{}</td></tr>", esc(k), value(v))).collect();
            format!("<table>{rows}</table>")
        }
        Value::Array(items) => items.iter().map(|item| format!("<div>{}</div>", value(item))).collect(),
        Value::String(text) => format!("<code>{}</code>", esc(text)),
        other => format!("<code>{}</code>", esc(other)),
    }
}

fn esc(text: impl Display) -> String {
    let text = text.to_string();
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_through_unescaped() {
        let text = value(&serde_json::json!({ "<b>": ["<script>alert('x')</script>", 1, null] }));
        assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        assert!(text.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }
}
