use super::context::Context;
use crate::{
    discover::{self, Everything},
    error::{Error, Result},
    facts::{cnpg, text, uses::Place},
    journal::{Journal, LABEL, State},
    kube::lease,
    spec::Strategy,
    strategy::{choose::choose, estimate::Basis},
    term::{self, status::Status},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(clap::Args)]
pub struct List {
    /// In every namespace
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl List {
    pub async fn run(self, context: &Context) -> Result<()> {
        let kube = context.kube().await?;
        let seen = Everything::read(&kube, self.all_namespaces).await;
        let kind = |resource: &str| seen.unread.iter().find(|(kind, _)| kind.starts_with(resource));
        if let (Some((what, why)), Some(_)) = (kind("postgresqls"), kind("clusters")) {
            return Err(Error::failed(format!("cannot list {what}: {why}")));
        }
        for (kind, why) in &seen.unread {
            context.ui.warn(format!("{kind} could not be listed: {why}"));
        }
        let migrations = migrations(&seen);
        let mut items: Vec<Value> = seen.zalando.iter().map(|object| zalando(&seen, object, &migrations)).collect();
        items.extend(seen.cnpg.iter().map(cluster));
        items.extend(migrations);
        tracing::info!("{} API calls", kube.calls());
        context.ui.print(term::list::page(items, self.all_namespaces))
    }
}

fn zalando(seen: &Everything, object: &Value, migrations: &[Value]) -> Value {
    let (name, namespace) = (text(object, "/metadata/name"), text(object, "/metadata/namespace"));
    let place = Place { cluster: name, namespace };
    let users = seen.users(&place).into_iter().map(|(here, user)| match here == namespace {
        true => user.workload.to_string(),
        false => format!("{} in {here}", user.workload),
    });
    let major = discover::major(object);
    let standby = object["spec"]["standby"].is_object();
    let suggestion = (!standby).then(|| {
        let choice = choose(major, None);
        // The size of the data is not asked here: what a dump takes is told of a full volume.
        let bytes = if choice.strategy == Strategy::Dump { bytes(text(object, "/spec/volume/size")) } else { 0 };
        let outage = Basis { bytes, ..Basis::default() }.outage_of(choice.strategy);
        json!({ "strategy": choice.strategy.name(), "reasons": choice.reasons, "outageSeconds": outage })
    });
    let mine = |m: &&Value| m["namespace"] == namespace && m["source"] == name;
    json!({
        "kind": "postgresql.acid.zalan.do", "namespace": namespace, "name": name,
        "version": text(object, "/spec/postgresql/version"), "size": text(object, "/spec/volume/size"),
        "instances": object["spec"]["numberOfInstances"], "state": state(text(object, "/status/PostgresClusterStatus")),
        "standby": standby, "usedBy": users.collect::<Vec<_>>(), "usedByUnknown": seen.users_unknown(),
        "suggestion": suggestion, "migration": migrations.iter().find(mine).map(|m| m["name"].clone()),
    })
}

fn cluster(object: &Value) -> Value {
    let target = cnpg::read(object);
    let tag = target.image.rsplit_once(':').map_or("", |(_, tag)| tag.split('@').next().unwrap_or(tag));
    json!({
        "kind": "cluster.postgresql.cnpg.io", "namespace": target.namespace, "name": target.cluster,
        "version": tag, "size": text(object, "/spec/storage/size"), "instances": target.instances,
        "readyInstances": target.ready_instances, "state": state(&target.phase), "healthy": target.healthy(),
        "migration": target.migration,
    })
}

fn state(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// A row a journal, from the ConfigMaps and Leases that were read: no further call, however many there are.
fn migrations(seen: &Everything) -> Vec<Value> {
    let name = |map: &Value| {
        let meta = &map["metadata"];
        Some((meta["namespace"].as_str()?.to_string(), meta["labels"][LABEL].as_str()?.to_string()))
    };
    let journals = seen.config_maps.iter().filter(|map| map["data"]["entries"].is_string());
    let places: BTreeSet<(String, String)> = journals.filter_map(name).collect();
    let row = |(namespace, name): (String, String)| {
        let maps: Vec<Value> =
            seen.config_maps.iter().filter(|map| map["metadata"]["namespace"] == *namespace).cloned().collect();
        let lease = seen.leases.iter().find(|lease| {
            lease["metadata"]["namespace"] == *namespace && lease["metadata"]["name"] == format!("pgmigrate-{name}")
        });
        let state = Journal::state_in(&name, &maps);
        let (standing, next, source) = match &state {
            Ok(state) => standing(&name, &namespace, state, lease),
            Err(error) => (format!("unknown: {}", error.chain()), None, Value::Null),
        };
        json!({ "kind": "migration", "namespace": namespace, "name": name, "state": standing, "next": next, "source": source })
    };
    places.into_iter().map(row).collect()
}

fn standing(name: &str, namespace: &str, state: &State, lease: Option<&Value>) -> (String, Option<String>, Value) {
    let holder = lease.and_then(lease::holder);
    let status = Status { name, namespace, state, plan: None, holder: holder.as_ref(), target: None };
    (status.standing(), status.next(), state.facts["source"]["cluster"].clone())
}

/// Of a Kubernetes quantity; 0 for what is none.
fn bytes(quantity: &str) -> u64 {
    let end = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(end);
    let binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi"].iter().position(|u| *u == unit).map(|n| 1024f64.powi(n as i32));
    let decimal = ["", "k", "M", "G", "T", "P"].iter().position(|u| *u == unit).map(|n| 1000f64.powi(n as i32));
    number.parse().map_or(0, |n: f64| (n * binary.or(decimal).unwrap_or(0.0)) as u64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn quantities() {
        assert_eq!([bytes("2Gi"), bytes("1500M"), bytes("1.5Ki"), bytes("x")], [2 << 30, 1_500_000_000, 1536, 0]);
    }
}
