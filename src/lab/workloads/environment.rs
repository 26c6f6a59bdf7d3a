//! A container's environment, resolved when it starts: a change of the Secret or ConfigMap needs a new pod to be seen.
use super::object::{array, name, namespace, text};
use crate::lab::api::store::Store;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

pub type Variables = BTreeMap<String, String>;

/// Err: the kubelet's message for CreateContainerConfigError; no value in it.
pub fn resolve(store: &Store, pod: &Value, container: &Value, ip: &str) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for source in array(&container["envFrom"]) {
        let prefix = text(&source["prefix"]);
        let found = [("secretRef", "secrets"), ("configMapRef", "configmaps")].into_iter();
        for (reference, resource) in
            found.map(|(key, resource)| (&source[key], resource)).filter(|(r, _)| r.is_object())
        {
            for (key, value) in strings(&*object(store, namespace(pod), resource, reference)?) {
                variables.insert(format!("{prefix}{key}"), value);
            }
        }
    }
    for variable in array(&container["env"]) {
        let value = match &variable["valueFrom"] {
            Value::Null => Some(expand(text(&variable["value"]), &variables)),
            from => value_from(store, pod, from, ip)?,
        };
        if let Some(value) = value {
            variables.insert(text(&variable["name"]).to_owned(), value);
        }
    }
    Ok(variables)
}

/// `$(NAME)` of what was defined before; unknown names stay as they are, `$$` is a dollar sign.
pub fn expand(value: &str, variables: &Variables) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((inner, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'))
            && let Some(known) = variables.get(inner)
        {
            out.push_str(known);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

/// None: optional and not there.
fn value_from(store: &Store, pod: &Value, from: &Value, ip: &str) -> Result<Option<String>, String> {
    for (source, resource, kind) in
        [("secretKeyRef", "secrets", "Secret"), ("configMapKeyRef", "configmaps", "ConfigMap")]
    {
        let reference = &from[source];
        if reference.is_object() {
            let object = object(store, namespace(pod), resource, reference)?;
            let key = text(&reference["key"]);
            let value = strings(&object).remove(key);
            if value.is_none() && reference["optional"] != true {
                let of = text(&reference["name"]);
                return Err(format!("couldn't find key {key} in {kind} {}/{of}", namespace(pod)));
            }
            return Ok(value);
        }
    }
    Ok(match text(&from["fieldRef"]["fieldPath"]) {
        "metadata.name" => Some(name(pod).to_owned()),
        "metadata.namespace" => Some(namespace(pod).to_owned()),
        "status.podIP" => Some(ip.to_owned()),
        _ => None,
    })
}

fn object(store: &Store, namespace: &str, resource: &str, reference: &Value) -> Result<Arc<Value>, String> {
    let name = text(&reference["name"]);
    match store.get(resource, namespace, name) {
        Some(object) => Ok(object),
        None if reference["optional"] == true => Ok(Arc::default()),
        None => Err(format!("{} \"{name}\" not found", resource.trim_end_matches('s'))),
    }
}

/// The strings of a Secret or ConfigMap.
fn strings(object: &Value) -> Variables {
    let secret = object["kind"] == "Secret";
    let mut found = Variables::new();
    for (part, encoded) in [("data", secret), ("stringData", false)] {
        for (key, value) in object[part].as_object().into_iter().flatten() {
            let value = text(value);
            let plain = match encoded {
                true => STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
                false => Some(value.to_owned()),
            };
            found.extend(plain.map(|plain| (key.clone(), plain)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded() {
        let known = Variables::from([("HOST".into(), "db".into())]);
        assert_eq!(expand("pg://$(HOST):5432/$(NAME) $$x $5 $(", &known), "pg://db:5432/$(NAME) $x $5 $(");
    }
}
