//! `connections[].set`: texts such as `postgres://${target.user}@${target.host}/${target.database}`.

use super::words::suggest;

/// Every variable there is. A password is put in by the step that writes the object, and is never shown.
pub const VARIABLES: [&str; 11] = [
    "target.host",
    "target.port",
    "target.user",
    "target.password",
    "target.database",
    "target.pooler.host",
    "source.host",
    "source.port",
    "source.user",
    "source.password",
    "source.database",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    Text(&'a str),
    /// One of [`VARIABLES`].
    Variable(&'static str),
}

/// `$${` stands for a literal `${`. The error is a lower-case fragment with the nearest variable.
pub fn parse(template: &str) -> Result<Vec<Part<'_>>, String> {
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            // The text up to and with the first `$`, then a plain `{`: the second `$` is dropped.
            parts.extend([Part::Text(&rest[..at]), Part::Text("{")]);
            rest = &rest[at + 2..];
            continue;
        }
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let Some(end) = after.find('}') else {
            return Err(format!("\"${{\" without its \"}}\" in {template:?}"));
        };
        let name = after[..end].trim();
        let Some(variable) = VARIABLES.into_iter().find(|v| *v == name) else {
            let near = suggest(name, &VARIABLES);
            return Err(format!("unknown variable \"${{{name}}}\"{near}"));
        };
        parts.extend([Part::Text(before), Part::Variable(variable)]);
        rest = &after[end + 1..];
    }
    parts.push(Part::Text(rest));
    parts.retain(|p| *p != Part::Text(""));
    Ok(parts)
}

/// The text with every variable replaced; `value` gives None for what is not known (yet).
pub fn render(template: &str, mut value: impl FnMut(&'static str) -> Option<String>) -> Result<String, String> {
    let mut text = String::new();
    for part in parse(template)? {
        match part {
            Part::Text(t) => text.push_str(t),
            Part::Variable(v) => text.push_str(&value(v).ok_or_else(|| format!("${{{v}}} is not known"))?),
        }
    }
    Ok(text)
}
