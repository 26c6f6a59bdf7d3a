//! What is there: a line for each cluster and migration, then for each Zalando cluster who uses it and what to do.

use super::{
    Page, Table, paint,
    plan::{range_of, wrap},
};
use console::Style;
use serde_json::{Value, json};

/// Columns that a paragraph is broken at on a wider terminal, and where stdout is none.
const COLUMNS: usize = 120;

pub fn page(items: Vec<Value>, everywhere: bool) -> Page {
    let names = items.iter().map(|row| format!("{}/{}", text(&row["kind"]), text(&row["name"]))).collect();
    let text = render(&items, everywhere, super::table::columns());
    Page { document: json!({ "items": items }), names, text }
}

pub fn render(items: &[Value], everywhere: bool, columns: usize) -> String {
    if items.is_empty() {
        let other = if everywhere { "" } else { "; other namespaces: -A" };
        return format!("nothing found{other}\n");
    }
    let mut out = table(items, everywhere, columns);
    for row in items {
        out.push_str(&more(row, columns));
    }
    out
}

const HEADER: [&str; 6] = ["NAMESPACE", "NAME", "VERSION", "SIZE", "READY", "STATE"];
/// The least of a name: it stands below once more, in full.
const SHORT: usize = 16;

/// Where the terminal is narrow, columns are left out, the least important first, then names are cut. STATE is never.
fn table(items: &[Value], everywhere: bool, columns: usize) -> String {
    let mut shown: Vec<&str> = HEADER.to_vec();
    let mut least = ["SIZE", "VERSION", "READY", "NAMESPACE"].into_iter().filter(|c| !everywhere || *c != "NAMESPACE");
    let mut made = with_columns(items, &shown, usize::MAX);
    while made.width() > columns {
        let Some(column) = least.next() else {
            let name = made.width_of(shown.iter().position(|column| *column == "NAME").unwrap_or(0));
            made = with_columns(items, &shown, name.saturating_sub(made.width() - columns).max(SHORT));
            break;
        };
        shown.retain(|kept| *kept != column);
        made = with_columns(items, &shown, usize::MAX);
    }
    made.render_in(0, usize::MAX)
}

fn with_columns(items: &[Value], shown: &[&str], longest: usize) -> Table {
    let mut table = Table::new(shown);
    for row in items {
        let ready = match (&row["readyInstances"], &row["instances"]) {
            (Value::Null, wanted) => text(wanted),
            (ready, wanted) => format!("{}/{}", text(ready), text(wanted)),
        };
        let [namespace, version, size] = ["namespace", "version", "size"].map(|key| text(&row[key]));
        let name = console::truncate_str(&name(row), longest, "...").into_owned();
        let cells = HEADER.into_iter().zip([namespace, name, version, size, ready, health(row)]);
        table.row(cells.filter(|(column, _)| shown.contains(column)).map(|(_, cell)| cell));
    }
    table
}

/// What follows from a row, in words.
fn more(row: &Value, columns: usize) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    if row["usedBy"].is_array() {
        let users: Vec<String> = row["usedBy"].as_array().into_iter().flatten().map(text).collect();
        let unknown = row["usedByUnknown"].as_str().map(|why| format!("not all known ({why})"));
        let known = if users.is_empty() { None } else { Some(users.join(", ")) };
        let said: Vec<String> = known.into_iter().chain(unknown).collect();
        lines.push(("used by", if said.is_empty() { "no workload mentions it".into() } else { said.join("; ") }));
    }
    if row["standby"] == true {
        lines.push(("suggested", "nothing: a standby cluster follows another one; migrate that".into()));
    }
    let command =
        |verb: &str| format!("kubectl pgmigrate {verb} -n {} --source {}", text(&row["namespace"]), text(&row["name"]));
    if let (true, Value::Null) = (row["suggestion"].is_object(), &row["migration"]) {
        let suggestion = &row["suggestion"];
        let reasons: Vec<String> = suggestion["reasons"].as_array().into_iter().flatten().map(text).collect();
        lines.push(("suggested", format!("{}: {}", text(&suggestion["strategy"]), reasons.join("; "))));
        lines.push(("outage", range_of(&suggestion["outageSeconds"])));
        lines.push(("next", command("init")));
    } else if let Some(migration) = row["migration"].as_str() {
        lines.push(("migration", migration.into()));
    }
    if let Some(next) = row["next"].as_str() {
        lines.push(("next", format!("{next} -n {}", text(&row["namespace"]))));
    }
    if lines.is_empty() {
        return String::new();
    }
    let place = paint(Style::new().bold(), &name(row));
    let mut out = format!("\n{place} in {}\n", text(&row["namespace"]));
    for (word, words) in lines {
        // A command is for copying: it stays on one line.
        let width = if word == "next" { usize::MAX } else { columns.min(COLUMNS).saturating_sub(13).max(20) };
        for (at, line) in wrap(&words, width).iter().enumerate() {
            let word = if at == 0 { word } else { "" };
            out.push_str(&format!("  {word:<10} {line}\n"));
        }
    }
    out
}

/// `postgresql/mastodon-postgresql`: the group says less than the kind.
fn name(row: &Value) -> String {
    let kind = text(&row["kind"]);
    format!("{}/{}", kind.split('.').next().unwrap_or_default(), text(&row["name"]))
}

fn health(row: &Value) -> String {
    let state = text(&row["state"]);
    let well = row["healthy"] == true || state == "Running";
    let ill = row["healthy"] == false || state.contains("Fail") || state == "unknown";
    match (well, ill) {
        (true, _) => paint(Style::new().green(), &state),
        (_, true) => paint(Style::new().yellow(), &state),
        _ => state,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}
