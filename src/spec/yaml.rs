//! YAML with the place of every key and value, so that a mistake can be pointed at.

use super::words::{cut, suggest};
use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, de};
use serde_saphyr::{Location, Spanned};
use std::fmt;

pub(super) struct Node {
    pub at: Location,
    pub value: Yaml,
}
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

/// Characters of a value, and of a whole message, that are shown.
const VALUE: usize = 60;
const MESSAGE: usize = 400;

/// A file being read: everything that can say `file:line:column`.
#[derive(Clone, Copy)]
pub(super) struct Doc<'a> {
    pub file: &'a str,
}

impl<'a> Doc<'a> {
    pub fn read(self, text: &str) -> Result<Node> {
        // `on` and `no` are words in a migration file, not booleans.
        let options = serde_saphyr::options! { strict_booleans: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            let plain = e.without_snippet();
            match e.location() {
                Some(at) => self.wrong(at, strip_place(&plain.to_string())),
                None => Error::usage(format!("{}: {}", self.file, cut(&strip_place(&plain.to_string()), MESSAGE))),
            }
        })
    }
    pub fn wrong(self, at: Location, what: impl fmt::Display) -> Error {
        let what = cut(&what.to_string(), MESSAGE);
        Error::usage(format!("{}:{}:{}: {what}", self.file, at.line(), at.column()))
    }
    fn type_error(self, node: &Node, path: &str, expected: &str) -> Error {
        // Any file may have been given by mistake: what stands in it is not for a log.
        if path.is_empty() {
            return self.wrong(node.at, format!("the file must be {expected}: it is no migration"));
        }
        self.wrong(node.at, format!("{path} must be {expected}, not {}", node.value.kind()))
    }
    pub fn text(self, node: &'a Node, path: &str) -> Result<&'a str> {
        match &node.value {
            Yaml::Text(text) if !text.is_empty() => Ok(text),
            Yaml::Text(_) => Err(self.wrong(node.at, format!("{path} is empty"))),
            // Not converted: 010, 1e3 and true would silently become another text.
            _ => Err(self.type_error(node, path, "text (put it in quotes)")),
        }
    }
    /// A whole number from `least` on.
    pub fn count(self, node: &Node, path: &str, least: u32) -> Result<u32> {
        match node.value {
            Yaml::Int(n) if n >= i64::from(least) => {
                u32::try_from(n).map_err(|_| self.wrong(node.at, format!("{path}: {n} is too large")))
            }
            Yaml::Int(n) => Err(self.wrong(node.at, format!("{path} must be at least {least}, not {n}"))),
            _ => Err(self.type_error(node, path, "a whole number")),
        }
    }
    /// Text or a bare number, read by `parse` (of [`super::units`]).
    pub fn unit<T>(self, node: &Node, path: &str, parse: fn(&str) -> Result<T, String>) -> Result<T> {
        let text = match &node.value {
            Yaml::Text(text) => text.clone(),
            Yaml::Int(n) => n.to_string(),
            _ => return Err(self.type_error(node, path, "a text such as \"5m\" or \"16MiB\"")),
        };
        parse(&text).map_err(|why| self.wrong(node.at, format!("{path}: {why}")))
    }
    pub fn list(self, node: &'a Node, path: &str) -> Result<&'a [Node]> {
        match &node.value {
            Yaml::List(items) => Ok(items),
            _ => Err(self.type_error(node, path, "a list")),
        }
    }
    pub fn entries(self, node: &'a Node, path: &str) -> Result<&'a [(Spanned<String>, Node)]> {
        match &node.value {
            Yaml::Map(entries) => Ok(entries),
            _ => Err(self.type_error(node, path, "a mapping")),
        }
    }
    /// A mapping in which only `keys` may stand.
    pub fn map(self, node: &'a Node, path: &str, keys: &[&str]) -> Result<Map<'a>> {
        let entries = self.entries(node, path)?;
        for (key, _) in entries {
            if !keys.contains(&key.value.as_str()) {
                let place = if path.is_empty() { String::new() } else { format!(" under {path}") };
                let near = suggest(&key.value, keys);
                return Err(self.wrong(key.referenced, format!("unknown key {:?}{place}{near}", key.value)));
            }
        }
        Ok(Map { doc: self, at: node.at, path: path.into(), entries })
    }
}

pub(super) struct Map<'a> {
    doc: Doc<'a>,
    at: Location,
    path: String,
    entries: &'a [(Spanned<String>, Node)],
}

impl<'a> Map<'a> {
    /// None: absent, or given as null, which Kubernetes manifests use for "not set".
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let (_, node) = self.entries.iter().find(|(k, _)| k.value == key)?;
        (!matches!(node.value, Yaml::Null)).then_some(node)
    }
    pub fn need(&self, key: &str) -> Result<&'a Node> {
        self.get(key).ok_or_else(|| self.doc.wrong(self.at, format!("{} is missing", self.name(key))))
    }
    /// `spec.target` + `cnpg`
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }
    pub fn text(&self, key: &str) -> Result<&'a str> {
        self.doc.text(self.need(key)?, &self.name(key))
    }
    pub fn text_if(&self, key: &str) -> Result<Option<&'a str>> {
        self.get(key).map(|node| self.doc.text(node, &self.name(key))).transpose()
    }
    pub fn map(&self, key: &str, keys: &[&str]) -> Result<Map<'a>> {
        self.doc.map(self.need(key)?, &self.name(key), keys)
    }
    pub fn map_if(&self, key: &str, keys: &[&str]) -> Result<Option<Map<'a>>> {
        self.get(key).map(|node| self.doc.map(node, &self.name(key), keys)).transpose()
    }
    pub fn list(&self, key: &str) -> Result<&'a [Node]> {
        self.get(key).map_or(Ok(&[]), |node| self.doc.list(node, &self.name(key)))
    }
    pub fn unit_or<T>(&self, key: &str, default: T, parse: fn(&str) -> Result<T, String>) -> Result<T> {
        self.get(key).map_or(Ok(default), |node| self.doc.unit(node, &self.name(key), parse))
    }
    pub fn count_or(&self, key: &str, default: u32, least: u32) -> Result<u32> {
        self.get(key).map_or(Ok(default), |node| self.doc.count(node, &self.name(key), least))
    }
    /// At the key's value; at the mapping when the key is absent.
    pub fn wrong(&self, key: &str, what: impl fmt::Display) -> Error {
        self.doc.wrong(self.get(key).map_or(self.at, |node| node.at), what)
    }
}

impl Yaml {
    fn kind(&self) -> String {
        match self {
            Yaml::Null => "empty".into(),
            Yaml::Bool(b) => format!("the boolean {b}"),
            Yaml::Int(n) => format!("the number {n}"),
            Yaml::Float(n) => format!("the number {n}"),
            Yaml::Text(text) => format!("the text {:?}", cut(text.lines().next().unwrap_or_default(), VALUE)),
            Yaml::List(_) => "a list".into(),
            Yaml::Map(_) => "a mapping".into(),
        }
    }
}

/// The parser's own text ends or begins with its own idea of the place; ours stands in front already.
fn strip_place(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let body = match first.split_once(": ") {
        Some((place, rest)) if place.contains("line ") => rest,
        _ => first,
    };
    body.find(" at line ").map_or(body, |end| &body[..end]).to_string()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Yaml>::deserialize(deserializer).map(|s| Node { at: s.referenced, value: s.value })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;
impl<'de> de::Visitor<'de> for Visitor {
    type Value = Yaml;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Int(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Yaml, E> {
        i64::try_from(value).map(Yaml::Int).map_err(|_| E::custom(format!("the number {value} is too large")))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(value.into()))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Yaml::List(items))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Yaml::Map(entries))
    }
}
