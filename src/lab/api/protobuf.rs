//! Kubernetes' protobuf, as far as stock kubectl sends it for what it creates from its arguments: read into JSON.
//!
//! Field numbers are those of the `generated.proto` beside each API type. Answers are always JSON, which every client takes.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// Begins every body.
const MAGIC: &[u8] = b"k8s\0";

enum Kind {
    Text,
    Flag,
    Texts,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
}

type Field = (u64, &'static str, Kind);

const META: &[Field] = &[
    (1, "name", Kind::Text),
    (2, "generateName", Kind::Text),
    (3, "namespace", Kind::Text),
    (6, "resourceVersion", Kind::Text),
    (11, "labels", Kind::TextMap),
    (12, "annotations", Kind::TextMap),
    (14, "finalizers", Kind::Texts),
];
const RESOURCE: &[Field] = &[
    (1, "namespace", Kind::Text),
    (2, "verb", Kind::Text),
    (3, "group", Kind::Text),
    (4, "version", Kind::Text),
    (5, "resource", Kind::Text),
    (6, "subresource", Kind::Text),
    (7, "name", Kind::Text),
];
const PATH: &[Field] = &[(1, "path", Kind::Text), (2, "verb", Kind::Text)];
const ACCESS: &[Field] =
    &[(1, "resourceAttributes", Kind::Message(RESOURCE)), (2, "nonResourceAttributes", Kind::Message(PATH))];
const RULES: &[Field] = &[(1, "namespace", Kind::Text)];
const METADATA: Field = (1, "metadata", Kind::Message(META));

fn fields(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "SelfSubjectAccessReview" => &[METADATA, (2, "spec", Kind::Message(ACCESS))],
        "SelfSubjectRulesReview" => &[METADATA, (2, "spec", Kind::Message(RULES))],
        "SelfSubjectReview" | "Namespace" | "ServiceAccount" => &[METADATA],
        "ConfigMap" => {
            &[METADATA, (2, "data", Kind::TextMap), (3, "binaryData", Kind::BytesMap), (4, "immutable", Kind::Flag)]
        }
        "Secret" => &[
            METADATA,
            (2, "data", Kind::BytesMap),
            (3, "type", Kind::Text),
            (4, "stringData", Kind::TextMap),
            (5, "immutable", Kind::Flag),
        ],
        _ => return None,
    })
}

/// None: not protobuf. Some(Err): a type that is not read here, or no protobuf in spite of its beginning.
pub fn read(body: &[u8]) -> Option<Result<Value, String>> {
    let envelope = body.strip_prefix(MAGIC)?;
    Some(object(envelope))
}

/// runtime.Unknown: typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2
fn object(envelope: &[u8]) -> Result<Value, String> {
    const TYPE: &[Field] = &[(1, "apiVersion", Kind::Text), (2, "kind", Kind::Text)];
    let (mut object, mut raw) = (json!({}), &[][..]);
    for (number, item) in items(envelope)? {
        match (number, item) {
            (1, Item::Bytes(bytes)) => object = message(bytes, TYPE)?,
            (2, Item::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let kind = object["kind"].as_str().unwrap_or_default();
    let fields = fields(kind).ok_or_else(|| {
        format!(
            "the lab reads no protobuf of kind {kind:?}: write it as YAML (--dry-run=client -o yaml) and apply that"
        )
    })?;
    if let (Value::Object(object), Value::Object(content)) = (&mut object, message(raw, fields)?) {
        object.extend(content);
    }
    Ok(object)
}

enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn cut() -> String {
    "the protobuf is cut short".into()
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first().ok_or_else(cut)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or(0);
        if first & 0x80 == 0 {
            return Ok(value);
        }
        shift += 7;
        if shift > 63 {
            return Err("the protobuf has a number that is too long".into());
        }
    }
}

/// (field number, value) of one message
fn items(mut bytes: &[u8]) -> Result<Vec<(u64, Item<'_>)>, String> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let length = match tag & 7 {
            0 => {
                items.push((tag >> 3, Item::Number(varint(&mut bytes)?)));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)?).map_err(|_| cut())?,
            5 => 4,
            other => return Err(format!("the protobuf has a field of unknown wire type {other}")),
        };
        let (value, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        items.push((tag >> 3, Item::Bytes(value)));
        bytes = rest;
    }
    Ok(items)
}

fn message(bytes: &[u8], fields: &[Field]) -> Result<Value, String> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| "the protobuf has text that is no UTF-8".to_owned())
    };
    let mut object = Map::new();
    for (number, item) in items(bytes)? {
        let Some((_, name, kind)) = fields.iter().find(|(known, ..)| *known == number) else { continue };
        match (kind, item) {
            // Go writes empty text where there is none.
            (Kind::Text, Item::Bytes([])) => {}
            (Kind::Text, Item::Bytes(bytes)) => drop(object.insert((*name).into(), json!(text(bytes)?))),
            (Kind::Flag, Item::Number(number)) => drop(object.insert((*name).into(), json!(number != 0))),
            (Kind::Message(inner), Item::Bytes(bytes)) => drop(object.insert((*name).into(), message(bytes, inner)?)),
            (Kind::Texts, Item::Bytes(bytes)) => {
                let item = json!(text(bytes)?);
                if let Value::Array(list) = object.entry(*name).or_insert_with(|| json!([])) {
                    list.push(item);
                }
            }
            (Kind::TextMap | Kind::BytesMap, Item::Bytes(bytes)) => {
                let (mut key, mut value) = (String::new(), &[][..]);
                for entry in items(bytes)? {
                    match entry {
                        (1, Item::Bytes(bytes)) => key = text(bytes)?,
                        (2, Item::Bytes(bytes)) => value = bytes,
                        _ => {}
                    }
                }
                let value = if matches!(kind, Kind::TextMap) { text(value)? } else { STANDARD.encode(value) };
                object.entry(*name).or_insert_with(|| json!({}))[key] = json!(value);
            }
            _ => {}
        }
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_and_what_is_cut_is_refused() {
        // ConfigMap {metadata: {name: "a"}, data: {"k": "v"}}
        let content = [0x0a, 3, 0x0a, 1, b'a', 0x12, 6, 0x0a, 1, b'k', 0x12, 1, b'v'];
        let mut body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0d".to_vec();
        body.extend(content);
        let wanted =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "k": "v" } });
        assert_eq!(read(&body).unwrap().unwrap(), wanted);
        for end in 4..body.len() - 1 {
            // Never a panic, and never the whole.
            assert_ne!(read(&body[..end]).unwrap().ok(), Some(wanted.clone()));
        }
        assert!(read(b"{}").is_none());
    }
}
