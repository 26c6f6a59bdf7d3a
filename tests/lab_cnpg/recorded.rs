//! The stand-in's Cluster goes through what the real operator's was recorded to go through, in every field that our code
//! reads (tests/fixtures/recordings: merge patches of one boot and one promotion, redacted to those fields).
use super::world::World;
use pgmigrate::facts::cnpg;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BOOT: &str = include_str!("../fixtures/recordings/cnpg-boot-fenced.jsonl");
const PROMOTION: &str = include_str!("../fixtures/recordings/cnpg-promotion.jsonl");
const CLUSTERS: &str = "clusters.postgresql.cnpg.io";
const LEASES: &str = "leases.coordination.k8s.io";

/// Each field's values in their order, without repetition.
#[derive(Default, Debug, PartialEq)]
struct Course(BTreeMap<&'static str, Vec<Value>>);

impl Course {
    fn cluster(&mut self, object: &Value) {
        let seen = json!(cnpg::read(object));
        for field in ["phase", "phase_reason", "ready", "pod", "ready_instances", "in_replica_mode", "fenced"] {
            self.note(field, seen[field].clone());
        }
        self.note("has a system id", (seen["system_id"] != "").into());
    }

    fn lease(&mut self, object: &Value) {
        self.note("holder of the lease", object["spec"]["holderIdentity"].clone());
    }

    fn note(&mut self, field: &'static str, value: Value) {
        let values = self.0.entry(field).or_default();
        if values.last() != Some(&value) {
            values.push(value);
        }
    }
}

fn recorded(recordings: &[&str]) -> Course {
    let (mut course, mut cluster, mut lease) = (Course::default(), json!({}), json!({}));
    course.lease(&lease);
    for line in recordings.iter().flat_map(|recording| recording.lines()) {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        if event["kind"] == "clusters" {
            merge(&mut cluster, &event["patch"]);
            course.cluster(&cluster);
        } else {
            merge(&mut lease, &event["patch"]);
            course.lease(&lease);
        }
    }
    course
}

fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| merge(&mut into[key], value)),
        value => *into = value.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boot_and_promotion_are_as_recorded() {
    let Some(world) = World::start(206).await else { return };
    let source = world.source().await;
    let mut changes = world.store.changes();
    world.replica("db", &source, Some("[\"*\"]"));
    world.logged("db-1", "Instance is fenced, won't start postgres right now").await;
    world.until("it knows its primary", || async { world.status("db")["currentPrimary"] == "db-1" }).await;
    let repair = "/^(hba_file|ident_file|primary_slot_name)[[:space:]]*=/d";
    world.exec("db-1", "sed", &["-i", "-E", repair, "pgdata/postgresql.conf"]).await.expect("sed");
    world.annotate("db", "cnpg.io/fencedInstances", Value::Null);
    world.phase("db", cnpg::HEALTHY).await;
    source.stop("fast").await.expect("stopped");
    world.patch("db", |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    world.phase("db", "Primary instance is being restarted in-place").await;
    world.phase("db", cnpg::HEALTHY).await;
    world.until("no reason is left", || async { world.status("db")["phaseReason"].is_null() }).await;
    let mut course = Course::default();
    while let Ok(change) = changes.try_recv() {
        match change.resource.as_str() {
            CLUSTERS => course.cluster(&change.object),
            LEASES => course.lease(&change.object),
            _ => {}
        }
    }
    assert_eq!(course, recorded(&[BOOT, PROMOTION]));
    world.stop().await;
}

/// Fields of the recordings of whole scenarios (tests/support/course.rs).
const FIELDS: [&str; 18] = [
    "complete",
    "detached",
    "ended while leaving",
    "failed",
    "fenced",
    "has a system id",
    "in_replica_mode",
    "instances",
    "phase",
    "phase_reason",
    "pod",
    "ready",
    "ready_instances",
    "reason",
    "restarted",
    "role",
    "status",
    "there",
];

/// So that no secret of a real cluster can be among them.
#[test]
fn recordings_hold_no_other_fields() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings");
    let files = std::fs::read_dir(folder).expect("recordings").map(|file| file.expect("a file").path());
    let whole = files.filter(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cnpg-")));
    let mut looked = 0;
    for file in whole {
        for line in std::fs::read_to_string(&file).expect("text").lines() {
            let line: BTreeMap<String, Value> = serde_json::from_str(line).expect("a line of JSON");
            assert_eq!(line.keys().collect::<Vec<_>>(), ["at", "fields", "object", "of"], "{}", file.display());
            let fields = line["fields"].as_object().expect("fields");
            let strange: Vec<&String> = fields.keys().filter(|name| !FIELDS.contains(&name.as_str())).collect();
            assert!(strange.is_empty(), "{strange:?} in {}", file.display());
        }
        looked += 1;
    }
    assert!(looked > 20, "{looked} recordings");
}
