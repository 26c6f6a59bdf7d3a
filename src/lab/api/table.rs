//! `kubectl get`'s tables, printed by the server (metav1.Table).

use super::{columns, request::RequestInfo, resources::Resource};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What comes with each row (`includeObject`).
#[derive(Debug, Clone, Copy)]
pub enum Include {
    Metadata,
    Object,
    Nothing,
}

impl Include {
    pub fn asked(info: &RequestInfo) -> Include {
        match info.query.get("includeObject").map(String::as_str) {
            Some("Object") => Include::Object,
            Some("None") => Include::Nothing,
            _ => Include::Metadata,
        }
    }
}

pub fn of(resource: &Resource, objects: &[Value], meta: &Value, include: Include) -> Value {
    let columns = columns::of(resource);
    let definition = |name: &str, format: &str, priority: u8| json!({ "name": name, "type": "string", "format": format, "description": "", "priority": priority });
    let mut definitions = vec![definition("Name", "name", 0)];
    definitions.extend(columns.iter().map(|column| definition(column.name, "", u8::from(column.wide))));
    let row = |object: &Value| {
        let mut cells = vec![object["metadata"]["name"].clone()];
        cells.extend(columns.iter().map(|column| (column.cell)(object)));
        let inside = match include {
            Include::Nothing => Value::Null,
            Include::Object => object.clone(),
            Include::Metadata => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            }),
        };
        json!({ "cells": cells, "object": inside })
    };
    let rows: Vec<Value> = objects.iter().map(row).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": definitions, "rows": rows,
    })
}

/// As kubectl writes it (apimachinery's duration.HumanDuration).
pub fn age(time: &Value) -> String {
    let Some(time) = time.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".into();
    };
    human(Timestamp::now().duration_since(time).as_secs().max(0))
}

fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: &str, small: i64, part: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{part}") }
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ages_are_kubectls() {
        let cases =
            [(5, "5s"), (150, "2m30s"), (3000, "50m"), (3 * 3600 + 60, "3h1m"), (86400, "24h"), (200_000, "2d7h")];
        for (seconds, shown) in cases {
            assert_eq!(super::human(seconds), shown);
        }
    }
}
