//! The leader's replication slots: those of members and of /config are made, foreign ones dropped (zalando.md, 6, slots.py).
use super::{
    conf,
    manifest::{fields, text},
    member::{Member, Work},
};
use crate::{lab::servers::Failure, postgres::quote::Literal};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

struct Slot {
    kind: String,
    database: String,
    plugin: String,
    idle: bool,
}

pub async fn settle(member: &Arc<Member>, work: &mut Work) -> Result<(), Failure> {
    let config = member.dcs.config().unwrap_or_default();
    let (wanted, there) = (wanted(member, &config), there(member).await?);
    let mut created = false;
    for (name, slot) in wanted.iter().filter(|(name, _)| !there.contains_key(*name)) {
        create(member, name, slot).await?;
        (work.slots_stale, created) = (true, true);
    }
    // A slot that somebody made by hand may live for days: it is unknown until the list is read again.
    if std::mem::take(&mut work.slots_stale) {
        work.slots = there.keys().cloned().collect();
        work.slots_stale = created;
    }
    if member.dcs.paused() {
        return Ok(());
    }
    let ignored = config["ignore_slots"].as_array().cloned().unwrap_or_default();
    let foreign = |(name, slot): &(&String, &Slot)| {
        let unwanted = work.slots.contains(*name) && !wanted.contains_key(*name);
        slot.idle && unwanted && !ignored.iter().any(|rule| matches(rule, name, slot))
    };
    for (name, _) in there.iter().filter(foreign) {
        member.info(format!("Trying to drop unknown replication slot '{name}'"));
        let name = Literal::new(name.as_str());
        member.server.sql("postgres", &format!("SELECT pg_drop_replication_slot({name})")).await?;
    }
    Ok(())
}

/// Slots of the other members, and the permanent ones.
fn wanted(member: &Member, config: &Value) -> BTreeMap<String, Value> {
    let labels = [("application", "spilo"), ("cluster-name", member.dcs.cluster.as_str())];
    let pods = member.context.store.list_labelled("pods", &member.dcs.namespace, &labels);
    let others = pods.iter().map(|pod| text(&pod["metadata"]["name"])).filter(|name| *name != member.name);
    let mut slots: BTreeMap<_, _> = others.map(|name| (conf::slot(&name), json!({"type": "physical"}))).collect();
    slots.extend(fields(&config["slots"]).filter(|(_, slot)| slot.is_object()).map(|(n, s)| (n.clone(), s.clone())));
    slots
}

async fn there(member: &Member) -> Result<BTreeMap<String, Slot>, Failure> {
    let sql = "SELECT slot_name, slot_type, database, plugin, NOT active FROM pg_replication_slots WHERE NOT temporary";
    let rows = member.heartbeat.rows(&member.server, sql).await?;
    let slot = |row: Vec<String>| {
        let [name, kind, database, plugin, idle] = row.try_into().ok()?;
        Some((name, Slot { kind, database, plugin, idle: idle == "t" }))
    };
    Ok(rows.into_iter().filter_map(slot).collect())
}

async fn create(member: &Member, name: &str, slot: &Value) -> Result<(), Failure> {
    let (database, sql) = if slot["type"] == "logical" {
        let plugin = Literal::new(text(&slot["plugin"]));
        (
            text(&slot["database"]),
            format!("SELECT pg_create_logical_replication_slot({}, {plugin})", Literal::new(name)),
        )
    } else {
        ("postgres".into(), format!("SELECT pg_create_physical_replication_slot({}, true)", Literal::new(name)))
    };
    member.server.sql(&database, &sql).await.map(drop)
}

/// A rule of ignore_slots: every key it has must be equal.
fn matches(rule: &Value, name: &str, slot: &Slot) -> bool {
    let own = [("name", name), ("type", &slot.kind), ("database", &slot.database), ("plugin", &slot.plugin)];
    rule.is_object() && own.iter().all(|(key, value)| rule[*key].is_null() || rule[*key] == *value)
}
