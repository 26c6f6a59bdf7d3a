//! The world as it is: for "as before" and "as without a crash".
use crate::{bench::Bench, kill::Point};
use pgmigrate::patroni;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

pub const LEADER: &str = "mastodon-postgresql-0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Of one lab at two times: every value.
    Exact,
    /// Of two labs: without addresses and passwords.
    Alike,
}

/// What comes and goes by itself, or is looked at elsewhere.
const PASSING: [&str; 9] = [
    "events",
    "leases",
    "pods",
    "replicasets",
    "jobs",
    "endpoints",
    "endpointslices",
    "controllerrevisions",
    "persistentvolumes",
];

fn plural(resource: &str) -> &str {
    resource.split('.').next().unwrap_or_default()
}

fn part(kind: &str, object: &Value, shape: Shape) -> Value {
    let keys = |value: &Value| json!(value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()));
    // An annotation that was taken away can leave an empty map.
    let annotations = object["metadata"]["annotations"].as_object().filter(|map| !map.is_empty());
    let annotations = &json!(annotations);
    let mine = matches!(kind, "deployments" | "cronjobs" | "horizontalpodautoscalers" | "clusters" | "postgresqls");
    match shape {
        Shape::Exact => json!({ "annotations": annotations, "spec": object["spec"], "data": object["data"] }),
        Shape::Alike if mine => json!({ "annotations": keys(annotations), "spec": object["spec"] }),
        Shape::Alike if kind == "configmaps" => json!({ "data": object["data"] }),
        Shape::Alike => json!({ "data": keys(&object["data"]) }),
    }
}

impl Bench {
    /// Every object of the migration's namespace, the source's Patroni, its pg_hba and its roles.
    pub async fn look(&self, shape: Shape) -> Value {
        let mut seen = Map::new();
        let mut objects: BTreeMap<String, Value> = BTreeMap::new();
        for (resource, object) in self.lab.store.everything() {
            let (kind, meta) = (plural(&resource), &object["metadata"]);
            let name = meta["name"].as_str().unwrap_or_default();
            let journal = !meta["labels"]["pgmigrate.dev/journal"].is_null();
            if meta["namespace"] == "mastodon" && !PASSING.contains(&kind) && !journal && name != "lab-app-report" {
                objects.insert(format!("{kind}/{name}"), part(kind, &object, shape));
            }
        }
        seen.extend(objects);
        if shape == Shape::Exact {
            seen.insert("patroni".into(), patroni::config(&self.kube, LEADER).await.expect("Patroni's configuration"));
            let rules =
                "SELECT type, database, user_name, address, auth_method FROM pg_hba_file_rules ORDER BY line_number";
            seen.insert("hba".into(), self.source(rules).await.into());
            seen.insert("roles".into(), self.source("SELECT rolname FROM pg_roles ORDER BY 1").await.into());
            let standbys = "SELECT application_name, state FROM pg_stat_replication ORDER BY 1";
            seen.insert("standbys".into(), self.source(standbys).await.into());
        }
        Value::Object(seen)
    }

    /// Asks the source's server.
    pub async fn source(&self, query: &str) -> String {
        self.ask(LEADER, query).await
    }

    /// Asks the server of a pod, as its superuser.
    pub async fn ask(&self, pod: &str, query: &str) -> String {
        let argv = ["psql", "-U", "postgres", "-d", "postgres", "-XAtc", query];
        let answer = self.kube.exec_ok(pod, "postgres", &argv, Duration::from_secs(20)).await;
        answer.unwrap_or_else(|error| panic!("{query}: {}", error.chain()))
    }

    /// As it was then. Standbys and controllers take a moment to be back: looked at until it is so.
    pub async fn is_as(&self, before: &Value, point: &Point) {
        let began = std::time::Instant::now();
        loop {
            let now = self.look(Shape::Exact).await;
            let different = differences(before, &now);
            if different.is_empty() {
                return;
            }
            let late = began.elapsed() > Duration::from_secs(30);
            assert!(!late, "after {point:?} and the way back, not as before:\n{}", different.join("\n"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// No object carries our label or name, or the target's; no process, no file of ours is in the source's pod.
    pub async fn nothing_left(&self, point: &Point) {
        let left: Vec<String> = self.lab.store.everything().iter().filter_map(|(kind, o)| ours(kind, o)).collect();
        assert!(left.is_empty(), "left behind after {point:?}: {left:?}");
    }
}

fn ours(resource: &str, object: &Value) -> Option<String> {
    let meta = &object["metadata"];
    let name = meta["name"].as_str().unwrap_or_default();
    let labelled = !meta["labels"]["pgmigrate.dev/migration"].is_null();
    let named = name.starts_with("pgmigrate") || name.starts_with("database-cnpg");
    ((labelled || named) && plural(resource) != "events").then(|| format!("{resource}/{name}"))
}

fn differences(before: &Value, now: &Value) -> Vec<String> {
    let (before, now) = (before.as_object().expect("a look"), now.as_object().expect("a look"));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let of = |all: &Map<String, Value>, name: &String| all.get(name).map_or("not there".into(), Value::to_string);
    let different = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    different.map(|name| format!("{name}: was {}\n   is {}", of(before, name), of(now, name))).collect()
}

/// The end of the migration that was cut everywhere, and of one that was left alone: whichever comes second compares.
pub fn agree(strategy: &str, end: Value) {
    static ENDS: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let other = ENDS.lock().unwrap_or_else(PoisonError::into_inner).insert(strategy.into(), end.clone());
    if let Some(other) = other {
        let different = differences(&other, &end);
        assert!(different.is_empty(), "{strategy}: two ends of one migration differ:\n{}", different.join("\n"));
    }
}
