//! Combinations that could not work, or would destroy something, each refused at the key to change.

use super::{Migration, Strategy, parse, template, yaml::Map};
use crate::error::Result;

pub(super) fn whole(migration: &Migration, spec: &Map) -> Result<()> {
    names(migration, spec)?;
    variables(migration, spec)?;
    needed(migration, spec)
}

fn names(migration: &Migration, spec: &Map) -> Result<()> {
    let (source, target) = (&migration.source, &migration.target);
    let cnpg = spec.map("target", parse::TARGET)?.map("cnpg", parse::CNPG)?;
    // Zalando's pods are <name>-0, -1, ..; CNPG's are <name>-1, -2, ..: the second one collides (zalando.md 2).
    if !source.is_empty() && *source == target.cluster {
        let what =
            format!("the target cluster has the source's name, {source:?}: their pods would collide; name it anew");
        return Err(cnpg.wrong("cluster", what));
    }
    let Some(pooler) = &target.pooler else { return Ok(()) };
    // A Pooler makes a Deployment and a Service of its own name (cnpg.md 4).
    let services = ["-rw", "-ro", "-r"].map(|end| format!("{}{end}", target.cluster));
    let theirs = ["", "-repl", "-pooler", "-pooler-repl"].map(|end| format!("{source}{end}"));
    let taken = services.iter().chain(&theirs).find(|name| **name == pooler.name);
    if taken.is_some() || pooler.name == target.cluster {
        let what = format!("the pooler's Service {:?} is a cluster's own already; name it anew", pooler.name);
        return Err(cnpg.map("pooler", parse::POOLER)?.wrong("name", what));
    }
    Ok(())
}

fn variables(migration: &Migration, spec: &Map) -> Result<()> {
    let used = |wanted: &str| {
        migration.connections.iter().find_map(|connection| {
            let mut set = connection.set.iter();
            let (key, _) = set.find(|(_, text)| {
                template::parse(text)
                    .is_ok_and(|p| p.iter().any(|p| matches!(p, template::Part::Variable(v) if v.starts_with(wanted))))
            })?;
            Some(format!("{} key {key}", connection.object))
        })
    };
    if let (None, Some(place)) = (&migration.target.pooler, used("target.pooler.")) {
        let what = format!("{place} uses ${{target.pooler.host}}, and spec.target.cnpg.pooler is missing");
        return Err(spec.wrong("connections", what));
    }
    if let (true, Some(place)) = (migration.source.is_empty(), used("source.")) {
        let what = format!("{place} uses a variable of the source, and strategy {} has none", migration.strategy);
        return Err(spec.wrong("connections", what));
    }
    Ok(())
}

fn needed(migration: &Migration, spec: &Map) -> Result<()> {
    match migration.strategy {
        Strategy::Switch if migration.connections.is_empty() => {
            Err(spec.wrong("strategy", "strategy switch needs spec.connections: they are what it switches"))
        }
        Strategy::BackupStore if migration.target.backup.is_none() => {
            Err(spec.wrong("strategy", "strategy backup-store needs spec.target.cnpg.backup: the store to move to"))
        }
        _ => Ok(()),
    }
}
