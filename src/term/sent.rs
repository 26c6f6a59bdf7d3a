//! What a step sends, letter by letter; and how a manifest differs from the object that is there.

use super::{paint, yaml};
use crate::{error::Result, step::Sent};
use console::Style;
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

/// Indented below a step.
pub fn text(sent: &Sent, indent: usize) -> Result<String> {
    let (head, body) = match sent {
        Sent::Object(object) => {
            (format!("apply {}/{}", word(&object["kind"]), word(&object["metadata"]["name"])), yaml(object)?)
        }
        Sent::Patch { object, patch } => (format!("patch {object}"), patch.to_string()),
        Sent::Sql { at, text } => (format!("SQL at {at}"), text.clone()),
        Sent::Call { at, call, body } => {
            let body = body.as_str().map_or_else(|| body.to_string(), String::from);
            (format!("{call} at {at}"), if body == "null" { String::new() } else { body })
        }
        Sent::Delete { object } => (format!("delete {object}"), String::new()),
    };
    let margin = " ".repeat(indent);
    let lines = body.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{margin}  {line}\n"));
    Ok(format!("{margin}{}\n{}", paint(Style::new().bold(), &head), lines.collect::<String>()))
}

/// `cluster/x`
pub fn name(object: &Value) -> String {
    format!("{}/{}", word(&object["kind"]).to_lowercase(), word(&object["metadata"]["name"]))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The lines in which the fields that we would set differ from what they are now; "": none.
pub fn diff(now: &Value, wanted: &Value) -> Result<String> {
    let (now, wanted) = (yaml(&narrowed(now, wanted))?, yaml(wanted)?);
    let diff = TextDiff::from_lines(&now, &wanted);
    let mut text = String::new();
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ("-", Style::new().red()),
                ChangeTag::Insert => ("+", Style::new().green()),
                ChangeTag::Equal => (" ", Style::new()),
            };
            let line = format!("  {sign} {}", change.value().trim_end());
            text.push_str(&format!("{}\n", paint(style, &line)));
        }
    }
    Ok(text)
}

/// Only what `wanted` speaks of, in its order: the rest is the API server's and other people's.
fn narrowed(now: &Value, wanted: &Value) -> Value {
    let (Value::Object(there), Value::Object(ours)) = (now, wanted) else { return now.clone() };
    let both = ours.iter().filter_map(|(key, ours)| Some((key.clone(), narrowed(there.get(key)?, ours))));
    Value::Object(both.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_in_what_we_would_set() {
        let wanted = json!({"spec": {"instances": 1, "storage": {"size": "2Gi"}}});
        let same =
            json!({"metadata": {"uid": "x"}, "spec": {"storage": {"size": "2Gi"}, "instances": 1, "more": true}});
        assert_eq!(diff(&same, &wanted).expect("YAML"), "");
        let other = json!({"spec": {"instances": 3, "storage": {"size": "2Gi"}}});
        let text = diff(&other, &wanted).expect("YAML");
        assert!(text.contains("-   instances: 3") && text.contains("+   instances: 1"), "{text}");
        assert!(text.contains("storage") && !text.contains("- storage"), "{text}");
    }
}
