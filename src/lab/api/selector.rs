//! Label and field selectors.

use super::{request::RequestInfo, resources::Resource, store::Refusal};
use serde_json::Value;

/// True when the object has what `labelSelector` and `fieldSelector` ask for.
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, String, bool)>,
}

enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// What can be asked of a type by field, besides its name and namespace.
fn fields_of(key: &str) -> &'static [&'static str] {
    match key {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "secrets" => &["type"],
        "namespaces" => &["status.phase"],
        "jobs.batch" => &["status.successful"],
        "nodes" => &["spec.unschedulable"],
        _ => &[],
    }
}

impl Selector {
    /// The selector of a list or a watch; a watch of one object by its path is one by name.
    pub fn of(resource: &Resource, info: &RequestInfo) -> Result<Selector, Refusal> {
        let query = |name: &str| info.query.get(name).map(String::as_str);
        let mut selector = Selector::parse(query("labelSelector"), query("fieldSelector"))?;
        let known = fields_of(&resource.key());
        let is_known = |field: &str| matches!(field, "metadata.name" | "metadata.namespace") || known.contains(&field);
        if let Some((field, ..)) = selector.fields.iter().find(|(field, ..)| !is_known(field)) {
            return Err(Refusal::new(400, "BadRequest", format!("field label not supported: {field}")));
        }
        if let Some(name) = &info.name {
            selector.fields.push(("metadata.name".into(), name.clone(), true));
        }
        Ok(selector)
    }

    pub fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Selector, Refusal> {
        let labels =
            split(labels.unwrap_or_default()).into_iter().map(|text| requirement(&text)).collect::<Result<_, _>>()?;
        let fields = split(fields.unwrap_or_default())
            .into_iter()
            .map(|text| {
                let (key, value, equal) = pair(&text)
                    .ok_or_else(|| Refusal::new(400, "BadRequest", format!("invalid field selector {text:?}")))?;
                Ok((key, value, equal))
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Selector { labels, fields })
    }

    pub fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let labels = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Requirement::NotIn(key, values) => !label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Missing(key) => label(key).is_none(),
        });
        labels && self.fields.iter().all(|(path, value, equal)| (field(object, path) == *value) == *equal)
    }
}

fn field(object: &Value, path: &str) -> String {
    let found = path.split('.').fold(object, |at, part| &at[part]);
    found.as_str().map_or_else(|| if found.is_null() { String::new() } else { found.to_string() }, String::from)
}

/// At commas outside parentheses.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.into_iter().map(|p| p.trim().to_string()).filter(|p| !p.is_empty()).collect()
}

fn pair(text: &str) -> Option<(String, String, bool)> {
    let (key, value, equal) = if let Some((key, value)) = text.split_once("!=") {
        (key, value, false)
    } else if let Some((key, value)) = text.split_once("==") {
        (key, value, true)
    } else {
        let (key, value) = text.split_once('=')?;
        (key, value, true)
    };
    Some((key.trim().into(), value.trim().into(), equal))
}

fn requirement(text: &str) -> Result<Requirement, Refusal> {
    if let Some((key, value, equal)) = pair(text) {
        return Ok(if equal { Requirement::In(key, vec![value]) } else { Requirement::NotIn(key, vec![value]) });
    }
    let set = |values: &str| {
        values.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(|v| v.trim().to_string()).collect()
    };
    if let Some((key, values)) = text.split_once(" notin ") {
        return Ok(Requirement::NotIn(key.trim().into(), set(values)));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Ok(Requirement::In(key.trim().into(), set(values)));
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Requirement::Missing(key.trim().into())),
        None if text.contains(char::is_whitespace) => {
            Err(Refusal::new(400, "BadRequest", format!("unable to parse requirement: {text:?}")))
        }
        None => Ok(Requirement::Exists(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_fields() {
        let object = json!({ "metadata": { "name": "a", "labels": { "app": "web", "tier": "1" } }, "status": { "phase": "Running" } });
        let yes = ["app=web", "app==web,tier in (1, 2)", "app!=db", "app", "!gone", "tier notin (3)", ""];
        let no = ["app=db", "!app", "gone", "tier in (2,3)", "app!=web"];
        for labels in yes {
            assert!(Selector::parse(Some(labels), None).unwrap().matches(&object), "{labels}");
        }
        for labels in no {
            assert!(!Selector::parse(Some(labels), None).unwrap().matches(&object), "{labels}");
        }
        assert!(Selector::parse(None, Some("metadata.name=a,status.phase!=Failed")).unwrap().matches(&object));
        assert!(Selector::parse(Some("a b"), None).is_err());
    }
}
