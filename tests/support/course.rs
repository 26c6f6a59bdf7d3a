//! What the objects of a namespace go through, in the fields that our code reads: recorded on a real cluster
//! (`PGMIGRATE_E2E_RECORD`, tests/fixtures/recordings), and what the lab is held against.
use pgmigrate::facts::cnpg;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// What is recorded. Our code reads no Events: they tell a reader why.
pub const RESOURCES: [&str; 5] =
    ["clusters.postgresql.cnpg.io", "postgresqls.acid.zalan.do", "jobs.batch", "pods", "events"];

/// The changes of the fields, in their order.
pub struct Recording {
    began: Instant,
    /// By what it is one of, and its name.
    last: BTreeMap<String, Map<String, Value>>,
    lines: Vec<Value>,
}

impl Default for Recording {
    fn default() -> Recording {
        Recording { began: Instant::now(), last: BTreeMap::new(), lines: Vec::new() }
    }
}

impl Recording {
    /// An object as it is now, or as it was when it went.
    pub fn note(&mut self, resource: &str, object: &Value, gone: bool) {
        let Some((of, mut fields)) = read(resource, object) else { return };
        fields.insert("there".into(), (!gone).into());
        // An Event has a name of its own: a reason is told once for an object.
        let name = fields.get("reason").unwrap_or(&object["metadata"]["name"]).as_str().unwrap_or_default().to_owned();
        let last = self.last.entry(format!("{of}/{name}")).or_default();
        // What has gone is a change, too; what never was there is none.
        for key in last.keys() {
            fields.entry(key).or_insert(Value::Null);
        }
        let changed: Map<String, Value> = fields.into_iter().filter(|(key, now)| last.get(key) != Some(now)).collect();
        if changed.is_empty() {
            return;
        }
        last.extend(changed.clone());
        let at = (self.began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.lines.push(json!({"at": at, "object": name, "of": of, "fields": changed}));
    }

    /// A line of JSON for each change; `at` in seconds.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// For each field of each kind of object the ways it went: its values in their order. Pods of one workload go their ways
/// under names of their own: the ways are what is compared.
pub fn course(recording: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut ways: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
    for line in recording.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |key: &str| line[key].as_str().expect("text").to_owned();
        for (field, value) in line["fields"].as_object().expect("fields") {
            let way = ways.entry((text("of"), field.clone(), text("object"))).or_default();
            way.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let mut course: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((of, field, _), way) in ways {
        course.entry(format!("{of}: {field}")).or_default().insert(way.join(" > "));
    }
    course.retain(|name, _| !name.starts_with("event "));
    course
}

/// What kind of thing it is, and the fields that our code reads of it. None: it belongs to the bench.
fn read(resource: &str, object: &Value) -> Option<(String, Map<String, Value>)> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let fields = match resource {
        "clusters.postgresql.cnpg.io" => cluster(object),
        "postgresqls.acid.zalan.do" => json!({
            "status": object["status"]["PostgresClusterStatus"],
            "detached": object["metadata"]["annotations"]["acid.zalan.do/controller"],
            "instances": object["spec"]["numberOfInstances"],
        }),
        // A CronJob's come with the hour.
        "jobs.batch" if object["metadata"]["ownerReferences"][0]["kind"] == "CronJob" => return None,
        "jobs.batch" => json!({"complete": condition(object, "Complete"), "failed": condition(object, "Failed")}),
        "pods" => return pod(object),
        "events" => {
            let about = &object["involvedObject"];
            let (kind, about) = (about["kind"].as_str()?.to_lowercase(), about["name"].as_str()?);
            return Some((format!("event {kind}/{about}"), only(json!({"reason": object["reason"]}))));
        }
        _ => return None,
    };
    let kind = resource.split('.').next()?.trim_end_matches('s');
    Some((format!("{kind}/{name}"), only(fields)))
}

fn cluster(object: &Value) -> Value {
    let seen = json!(cnpg::read(object));
    let mut fields = json!({"has a system id": seen["system_id"] != ""});
    for field in ["phase", "phase_reason", "ready", "pod", "ready_instances", "in_replica_mode", "fenced"] {
        fields[field] = seen[field].clone();
    }
    fields
}

fn pod(object: &Value) -> Option<(String, Map<String, Value>)> {
    let (labels, status) = (&object["metadata"]["labels"], &object["status"]);
    let containers = status["containerStatuses"].as_array().cloned().unwrap_or_default();
    let over = |one: &Value| one["state"]["terminated"].is_object();
    let leaving = object["metadata"]["deletionTimestamp"].is_string();
    let mut fields = json!({"ready": condition(object, "Ready")});
    let name = object["metadata"]["name"].as_str()?;
    let of = if let Some(hash) = labels["pod-template-hash"].as_str() {
        fields["ended while leaving"] = (leaving && !containers.is_empty() && containers.iter().all(over)).into();
        name.split_once(&format!("-{hash}-"))?.0.to_owned()
    } else if let Some(role) = labels["cnpg.io/jobRole"].as_str() {
        fields["phase"] = status["phase"].clone();
        format!("{}-{role}", labels["cnpg.io/cluster"].as_str()?)
    } else if labels["cnpg.io/cluster"].is_string() {
        fields["phase"] = status["phase"].clone();
        fields["restarted"] = containers.iter().any(|one| one["restartCount"].as_u64() > Some(0)).into();
        name.to_owned()
    } else {
        fields["role"] = labels["spilo-role"].clone();
        labels["cluster-name"].is_string().then(|| name.to_owned())?
    };
    if of == "mastodon-book" {
        return None;
    }
    Some((format!("pod/{of}"), only(fields)))
}

fn condition(object: &Value, name: &str) -> bool {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.into_iter().any(|one| one["type"] == name && one["status"] == "True")
}

/// What is not there is no value.
fn only(fields: Value) -> Map<String, Value> {
    let fields = fields.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}
