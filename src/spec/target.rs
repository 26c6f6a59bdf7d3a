//! `spec.target`: the CNPG Cluster to be, and the user's own manifest of it.

use super::{
    Backup, Pooler, Target, parse,
    yaml::{Doc, Map},
};
use crate::error::{Error, Result};
use serde_json::Value;

/// The target, and its template's text for the digest.
pub(super) fn read(spec: &Map, files: &dyn parse::Files) -> Result<(Target, String)> {
    let cnpg = spec.map("target", parse::TARGET)?.map("cnpg", parse::CNPG)?;
    let cluster = parse::kubernetes_name(&cnpg, "cluster")?;
    let (template, text) = match cnpg.text_if("template")? {
        Some(name) => {
            let text = files.read(name).map_err(|why| cnpg.wrong("template", format!("template {why}")))?;
            (Some(cluster_manifest(&cnpg, name, &text, &cluster)?), text)
        }
        None => (None, String::new()),
    };
    let target = Target {
        cluster,
        template,
        instances: cnpg.count_or("instances", 1, 1)?,
        image: cnpg.text_if("image")?.map(String::from),
        storage: storage(&cnpg)?,
        pooler: pooler(&cnpg)?,
        backup: backup(&cnpg)?,
    };
    Ok((target, text))
}

/// The user's own Cluster: its kind and name must be those the migration speaks of.
fn cluster_manifest(cnpg: &Map, name: &str, text: &str, cluster: &str) -> Result<Value> {
    let inside = Doc { file: name };
    inside.read(text)?; // for its error, with the place in that file
    let value: Value =
        serde_saphyr::from_str(text).map_err(|e| Error::usage(format!("{}: {}", inside.file, e.without_snippet())))?;
    let at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let wrong = |what: String| cnpg.wrong("template", format!("template {name:?} {what}"));
    if at("/kind") != "Cluster" || !at("/apiVersion").starts_with("postgresql.cnpg.io/") {
        let found = format!("{} {}", at("/apiVersion"), at("/kind"));
        return Err(wrong(format!("must be a postgresql.cnpg.io Cluster, not {:?}", found.trim())));
    }
    if !at("/metadata/name").is_empty() && at("/metadata/name") != cluster {
        return Err(wrong(format!("is the Cluster {:?}, not {cluster:?}", at("/metadata/name"))));
    }
    if !value.pointer("/spec").is_some_and(Value::is_object) {
        return Err(wrong("has no spec".into()));
    }
    for key in ["instances", "image", "storage"] {
        if cnpg.get(key).is_some() {
            return Err(cnpg.wrong(key, format!("{} and a template: write it in the template", cnpg.name(key))));
        }
    }
    Ok(value)
}

fn storage(cnpg: &Map) -> Result<Option<String>> {
    let Some(text) = cnpg.text_if("storage")? else { return Ok(None) };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let sound = number.parse::<f64>().is_ok_and(|n| n > 0.0);
    if !sound || !["", "Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P"].contains(&unit) {
        return Err(cnpg.wrong("storage", format!("{text:?} is not a Kubernetes quantity such as \"20Gi\"")));
    }
    Ok(Some(text.into()))
}

fn pooler(cnpg: &Map) -> Result<Option<Pooler>> {
    let Some(pooler) = cnpg.map_if("pooler", parse::POOLER)? else { return Ok(None) };
    Ok(Some(Pooler { name: parse::kubernetes_name(&pooler, "name")?, instances: pooler.count_or("instances", 2, 1)? }))
}

fn backup(cnpg: &Map) -> Result<Option<Backup>> {
    let Some(backup) = cnpg.map_if("backup", parse::BACKUP)? else { return Ok(None) };
    let schedule = backup.text_if("schedule")?;
    if let Some(text) = schedule {
        let fields = text.split_whitespace().count();
        // parse::CNPG's cron begins with seconds; five fields are read as another time of day, or refused, by version.
        if fields != 6 && !text.starts_with('@') {
            let what = format!("{text:?} has {fields} fields; CloudNativePG's schedule has six, seconds first");
            return Err(backup.wrong("schedule", what));
        }
    }
    let object_store = parse::kubernetes_name(&backup, "objectStore")?;
    Ok(Some(Backup { object_store, schedule: schedule.map(String::from) }))
}
