//! JSON <-> rhai. rhai's integers are i64: a larger one arrives as text, as LSNs and system identifiers do.

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

pub(super) fn to_script(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => b.into(),
        Value::Number(n) => match (n.as_i64(), n.is_f64(), n.as_f64()) {
            (Some(n), _, _) => n.into(),
            (None, true, Some(f)) => f.into(),
            _ => n.to_string().into(),
        },
        Value::String(s) => s.into(),
        Value::Array(items) => items.into_iter().map(to_script).collect::<Array>().into(),
        Value::Object(entries) => entries.into_iter().map(|(k, v)| (k.into(), to_script(v))).collect::<Map>().into(),
    }
}

/// The error names the type that has no JSON form.
pub(super) fn from_script(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(b.into());
    }
    if let Ok(n) = value.as_int() {
        return Ok(n.into());
    }
    if let Ok(f) = value.as_float() {
        return Ok(Number::from_f64(f).map_or(Value::Null, Value::Number));
    }
    if let Some(text) = value.clone().try_cast::<ImmutableString>() {
        return Ok(text.to_string().into());
    }
    if let Some(c) = value.clone().try_cast::<char>() {
        return Ok(c.to_string().into());
    }
    if let Some(items) = value.clone().try_cast::<Array>() {
        return items.iter().map(from_script).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        let entries = map.iter().map(|(k, v)| from_script(v).map(|v| (k.to_string(), v)));
        return entries.collect::<Result<_, _>>().map(Value::Object);
    }
    Err(format!("a {} has no JSON form", value.type_name()))
}

/// An SQL argument: bound as text, so every scalar may stand there.
pub(super) fn to_argument(value: &Dynamic) -> Result<String, String> {
    match from_script(value)? {
        Value::String(text) => Ok(text),
        Value::Null => Err("an argument is (): SQL NULL cannot be bound; write null in the query".into()),
        Value::Array(_) => Err("an argument is an array; write unnest or in (..) with an argument each".into()),
        scalar_or_json => Ok(scalar_or_json.to_string()),
    }
}
