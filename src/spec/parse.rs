//! The document -> [`Migration`]. Reads in the order of the file; what only shows in the whole is [`super::strict`]'s.

use super::{
    App, Connection, ConnectionObject, Guardrails, Migration, Script, Strategy, Workload, WorkloadKind, strict, target,
    template::{self, Part},
    units,
    words::{dns_name, suggest},
    yaml::{Doc, Map, Node},
};
use crate::error::Result;
use sha2::{Digest, Sha256};

pub(super) const ROOT: &[&str] = &["apiVersion", "kind", "metadata", "spec"];
pub(super) const METADATA: &[&str] = &["name", "namespace"];
pub(super) const SPEC: &[&str] =
    &["strategy", "source", "target", "databases", "apps", "connections", "guardrails", "script"];
pub(super) const SOURCE: &[&str] = &["zalando"];
pub(super) const ZALANDO: &[&str] = &["cluster"];
pub(super) const TARGET: &[&str] = &["cnpg"];
pub(super) const CNPG: &[&str] = &["cluster", "template", "instances", "image", "storage", "pooler", "backup"];
pub(super) const POOLER: &[&str] = &["name", "instances"];
pub(super) const BACKUP: &[&str] = &["objectStore", "schedule"];
pub(super) const APP: &[&str] = &["workload", "startAfter"];
pub(super) const CONNECTION: &[&str] = &["secret", "configMap", "set"];
pub(super) const GUARDRAILS: &[&str] =
    &["stopApps", "quiet", "lagBefore", "catchUp", "downtimeBudget", "longestTransaction", "preparedTransactions"];

pub(super) const API_VERSION: &str = "pgmigrate.dev/v1alpha1";
pub(super) const KIND: &str = "Migration";
/// CNPG's webhook takes no longer cluster name (cnpg.md 1); ours must leave room for `pgmigrate-` and a suffix in a label.
pub(super) const NAME_MOST: usize = 50;

/// Where the files that a migration names come from: a directory, or the program itself.
pub(super) trait Files {
    /// The text of a file named in the migration. The error is a lower-case fragment.
    fn read(&self, name: &str) -> Result<String, String>;
}

/// `file` is what errors call it. `path` stays None here.
pub(super) fn parse(file: &str, text: &str, files: &dyn Files) -> Result<Migration> {
    let doc = Doc { file };
    let node = doc.read(text)?;
    let root = doc.map(&node, "", ROOT)?;
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let found = root.text(key)?;
        if found != wanted {
            return Err(root.wrong(key, format!("{key} must be {wanted}, not {found:?}")));
        }
    }
    let metadata = root.map("metadata", METADATA)?;
    let name = kubernetes_name(&metadata, "name")?;
    let namespace = match metadata.get("namespace") {
        Some(_) => kubernetes_name(&metadata, "namespace")?,
        None => String::new(),
    };
    let spec = root.map("spec", SPEC)?;
    let strategy = strategy(&spec)?;
    let (target, template_text) = target::read(&spec, files)?;
    let migration = Migration {
        name,
        namespace,
        strategy,
        source: source(&spec, strategy)?,
        target,
        databases: databases(doc, &spec)?,
        apps: apps(doc, &spec)?,
        connections: connections(doc, &spec)?,
        guardrails: guardrails(&spec)?,
        script: script(&spec, files)?,
        path: None,
        digest: digest(&[text.as_bytes(), template_text.as_bytes()]),
    };
    strict::whole(&migration, &spec)?;
    Ok(migration)
}

/// `sha256:<hex>`; a NUL between the parts, which no YAML text holds.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for (n, part) in parts.iter().filter(|p| !p.is_empty()).enumerate() {
        if n > 0 {
            hash.update([0]);
        }
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

pub(super) fn kubernetes_name(map: &Map, key: &str) -> Result<String> {
    let name = map.text(key)?;
    dns_name(name, NAME_MOST).map_err(|why| map.wrong(key, format!("{}: {why}", map.name(key))))?;
    Ok(name.into())
}

fn strategy(spec: &Map) -> Result<Strategy> {
    let name = spec.text("strategy")?;
    Strategy::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
        let near = suggest(name, &Strategy::ALL.map(Strategy::name));
        spec.wrong("strategy", format!("unknown strategy {name:?}{near}"))
    })
}

/// Where the data stays (switch, backup-store) there is no source.
fn source(spec: &Map, strategy: Strategy) -> Result<String> {
    let moves = !matches!(strategy, Strategy::Switch | Strategy::BackupStore);
    if !moves && spec.get("source").is_some() {
        return Err(spec.wrong("source", format!("strategy {strategy} moves no data: spec.source has no meaning")));
    }
    if !moves {
        return Ok(String::new());
    }
    kubernetes_name(&spec.map("source", SOURCE)?.map("zalando", ZALANDO)?, "cluster")
}

fn databases(doc: Doc, spec: &Map) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for node in spec.list("databases")? {
        let name = doc.text(node, "spec.databases[]")?;
        if ["template0", "template1"].contains(&name) {
            return Err(doc.wrong(node.at, format!("{name} is PostgreSQL's own and is not moved")));
        }
        if names.iter().any(|n| n == name) {
            return Err(doc.wrong(node.at, format!("database {name:?} stands here twice")));
        }
        names.push(name.into());
    }
    Ok(names)
}

fn apps(doc: Doc, spec: &Map) -> Result<Vec<App>> {
    let mut apps: Vec<App> = Vec::new();
    for (n, node) in spec.list("apps")?.iter().enumerate() {
        let map = doc.map(node, &format!("spec.apps[{n}]"), APP)?;
        let workload: Workload = map.text("workload")?.parse().map_err(|why: String| map.wrong("workload", why))?;
        if apps.iter().any(|a| a.workload == workload) {
            return Err(map.wrong("workload", format!("{workload} stands here twice")));
        }
        let wait_ready = match map.text_if("startAfter")? {
            None => false,
            Some("ready") => true,
            Some(other) => return Err(map.wrong("startAfter", format!("startAfter must be ready, not {other:?}"))),
        };
        if wait_ready && workload.kind == WorkloadKind::CronJob {
            return Err(map.wrong("startAfter", format!("{workload} is never ready: nothing could start after it")));
        }
        apps.push(App { workload, wait_ready });
    }
    Ok(apps)
}

fn connections(doc: Doc, spec: &Map) -> Result<Vec<Connection>> {
    let mut all: Vec<Connection> = Vec::new();
    for (n, node) in spec.list("connections")?.iter().enumerate() {
        let map = doc.map(node, &format!("spec.connections[{n}]"), CONNECTION)?;
        let object = match (map.text_if("secret")?, map.text_if("configMap")?) {
            (Some(name), None) => ConnectionObject::Secret(name.into()),
            (None, Some(name)) => ConnectionObject::ConfigMap(name.into()),
            (Some(_), Some(_)) => {
                return Err(map.wrong("configMap", "a connection has a secret or a configMap, not both"));
            }
            (None, None) => return Err(map.wrong("secret", format!("{} or configMap is missing", map.name("secret")))),
        };
        let mut set = Vec::new();
        for (key, value) in doc.entries(map.need("set")?, &map.name("set"))? {
            set.push((key.value.clone(), setting(doc, &object, &key.value, value)?));
        }
        if set.is_empty() {
            return Err(map.wrong("set", format!("{} is empty: nothing would be switched", map.name("set"))));
        }
        if all.iter().any(|c| c.object == object) {
            return Err(map.wrong("set", format!("{object} stands here twice; put all its keys under one set")));
        }
        all.push(Connection { object, set });
    }
    Ok(all)
}

fn setting(doc: Doc, object: &ConnectionObject, key: &str, value: &Node) -> Result<String> {
    let text = doc.text(value, &format!("set.{key}"))?;
    let parts = template::parse(text).map_err(|why| doc.wrong(value.at, why))?;
    let password = |p: &Part| matches!(p, Part::Variable(v) if v.ends_with(".password"));
    // A ConfigMap is readable by more people than a Secret, and its old value goes into the journal.
    if matches!(object, ConnectionObject::ConfigMap(_)) && parts.iter().any(password) {
        return Err(doc.wrong(value.at, format!("a password does not belong in {object}; use a Secret")));
    }
    Ok(text.into())
}

fn guardrails(spec: &Map) -> Result<Guardrails> {
    let default = Guardrails::default();
    let Some(map) = spec.map_if("guardrails", GUARDRAILS)? else { return Ok(default) };
    let downtime_budget = map.unit_or("downtimeBudget", default.downtime_budget, units::duration)?;
    if downtime_budget.is_zero() {
        return Err(map.wrong("downtimeBudget", "downtimeBudget is 0: the window would close before it opens"));
    }
    // A short budget shortens the default of what lies inside it; a written value is the user's word.
    let inside = |key: &str, default: std::time::Duration| -> Result<_> {
        let value = map.unit_or(key, default.min(downtime_budget), units::duration)?;
        if value > downtime_budget {
            let budget = units::duration_text(downtime_budget);
            return Err(map.wrong(key, format!("{} is longer than the downtimeBudget, {budget}", map.name(key))));
        }
        Ok(value)
    };
    Ok(Guardrails {
        stop_apps: inside("stopApps", default.stop_apps)?,
        quiet: inside("quiet", default.quiet)?,
        catch_up: inside("catchUp", default.catch_up)?,
        lag_before: map.unit_or("lagBefore", default.lag_before, units::bytes)?,
        longest_transaction: map.unit_or("longestTransaction", default.longest_transaction, units::duration)?,
        prepared_transactions: map.count_or("preparedTransactions", default.prepared_transactions, 0)?,
        downtime_budget,
    })
}

fn script(spec: &Map, files: &dyn Files) -> Result<Option<Script>> {
    let Some(name) = spec.text_if("script")? else { return Ok(None) };
    let text = files.read(name).map_err(|why| spec.wrong("script", format!("script {why}")))?;
    let digest = digest(&[text.as_bytes()]);
    Ok(Some(Script { name: name.into(), text, digest }))
}
