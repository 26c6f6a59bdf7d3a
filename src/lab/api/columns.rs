//! The columns of `kubectl get`, by type: built-in ones as the API server prints them, the others as their CRDs say.

use super::{resources::Resource, table::age};
use serde_json::{Value, json};

/// A column's cell, from the object.
type Cell = fn(&Value) -> Value;

pub struct Column {
    pub name: &'static str,
    pub cell: Cell,
    /// Only with `-o wide`.
    pub wide: bool,
}

const fn column(name: &'static str, cell: Cell) -> Column {
    Column { name, cell, wide: false }
}
const fn wide(name: &'static str, cell: Cell) -> Column {
    Column { name, cell, wide: true }
}

const AGE: Column = column("Age", |o| json!(age(&o["metadata"]["creationTimestamp"])));

/// All but the name.
pub fn of(resource: &Resource) -> Vec<Column> {
    let key = resource.key();
    workloads(&key).or_else(|| core(&key)).or_else(|| databases(&key)).unwrap_or_else(|| vec![AGE])
}

/// Pods and what makes them.
fn workloads(key: &str) -> Option<Vec<Column>> {
    Some(match key {
        "pods" => vec![
            column("Ready", pod_ready),
            column("Status", pod_status),
            column("Restarts", |o| json!(sum(&o["status"]["containerStatuses"], "restartCount"))),
            AGE,
            wide("IP", |o| or_none(&o["status"]["podIP"])),
            wide("Node", |o| or_none(&o["spec"]["nodeName"])),
        ],
        "deployments.apps" => vec![
            column("Ready", ready),
            column("Up-to-date", |o| json!(number(&o["status"]["updatedReplicas"]))),
            column("Available", |o| json!(number(&o["status"]["availableReplicas"]))),
            AGE,
            wide("Containers", |o| names(&o["spec"]["template"]["spec"]["containers"], "name")),
            wide("Images", |o| names(&o["spec"]["template"]["spec"]["containers"], "image")),
        ],
        "statefulsets.apps" => vec![
            column("Ready", ready),
            AGE,
            wide("Containers", |o| names(&o["spec"]["template"]["spec"]["containers"], "name")),
            wide("Images", |o| names(&o["spec"]["template"]["spec"]["containers"], "image")),
        ],
        "replicasets.apps" => vec![
            column("Desired", |o| json!(number(&o["spec"]["replicas"]))),
            column("Current", |o| json!(number(&o["status"]["replicas"]))),
            column("Ready", |o| json!(number(&o["status"]["readyReplicas"]))),
            AGE,
        ],
        "jobs.batch" => vec![
            column("Status", job_status),
            column("Completions", |o| {
                let wanted = o["spec"]["completions"].as_i64().unwrap_or(1);
                json!(format!("{}/{wanted}", number(&o["status"]["succeeded"])))
            }),
            AGE,
        ],
        "cronjobs.batch" => vec![
            column("Schedule", |o| o["spec"]["schedule"].clone()),
            column("Timezone", |o| or_none(&o["spec"]["timeZone"])),
            column("Suspend", |o| json!(if o["spec"]["suspend"] == true { "True" } else { "False" })),
            column("Active", |o| json!(o["status"]["active"].as_array().map_or(0, Vec::len))),
            column("Last Schedule", |o| since(&o["status"]["lastScheduleTime"])),
            AGE,
        ],
        "horizontalpodautoscalers.autoscaling" => vec![
            column("Reference", |o| {
                let target = &o["spec"]["scaleTargetRef"];
                json!(format!("{}/{}", text(&target["kind"]), text(&target["name"])))
            }),
            column("MinPods", |o| json!(o["spec"]["minReplicas"].as_i64().unwrap_or(1))),
            column("MaxPods", |o| json!(number(&o["spec"]["maxReplicas"]))),
            column("Replicas", |o| json!(number(&o["status"]["currentReplicas"]))),
            AGE,
        ],
        _ => return None,
    })
}

/// The rest of the built-in types.
fn core(key: &str) -> Option<Vec<Column>> {
    Some(match key {
        "services" => vec![
            column("Type", |o| o["spec"]["type"].as_str().map_or(json!("ClusterIP"), |kind| json!(kind))),
            column("Cluster-IP", |o| or_none(&o["spec"]["clusterIP"])),
            column("External-IP", |_| json!("<none>")),
            column("Port(s)", service_ports),
            AGE,
        ],
        "configmaps" => vec![column("Data", data), AGE],
        "secrets" => vec![column("Type", |o| o["type"].clone()), column("Data", data), AGE],
        "namespaces" | "persistentvolumes" => vec![column("Status", |o| o["status"]["phase"].clone()), AGE],
        "persistentvolumeclaims" => vec![
            column("Status", |o| o["status"]["phase"].clone()),
            column("Volume", |o| o["spec"]["volumeName"].clone()),
            column("Capacity", |o| o["status"]["capacity"]["storage"].clone()),
            column("Access Modes", |o| json!(if o["status"]["accessModes"].is_array() { "RWO" } else { "" })),
            column("StorageClass", |o| o["spec"]["storageClassName"].clone()),
            AGE,
        ],
        "leases.coordination.k8s.io" => vec![column("Holder", |o| o["spec"]["holderIdentity"].clone()), AGE],
        "events" => vec![
            column("Last Seen", |o| since(&o["lastTimestamp"])),
            column("Type", |o| o["type"].clone()),
            column("Reason", |o| o["reason"].clone()),
            column("Object", |o| {
                let about = &o["involvedObject"];
                json!(format!("{}/{}", text(&about["kind"]).to_lowercase(), text(&about["name"])))
            }),
            column("Message", |o| json!(text(&o["message"]).trim())),
        ],
        _ => return None,
    })
}

/// The operators' own, as their CRDs' additionalPrinterColumns.
fn databases(key: &str) -> Option<Vec<Column>> {
    Some(match key {
        "postgresqls.acid.zalan.do" => vec![
            column("Team", |o| o["spec"]["teamId"].clone()),
            column("Version", |o| o["spec"]["postgresql"]["version"].clone()),
            column("Pods", |o| o["spec"]["numberOfInstances"].clone()),
            column("Volume", |o| o["spec"]["volume"]["size"].clone()),
            column("CPU-Request", |o| o["spec"]["resources"]["requests"]["cpu"].clone()),
            column("Memory-Request", |o| o["spec"]["resources"]["requests"]["memory"].clone()),
            AGE,
            column("Status", |o| o["status"]["PostgresClusterStatus"].clone()),
        ],
        "clusters.postgresql.cnpg.io" => vec![
            AGE,
            column("Instances", |o| o["status"]["instances"].clone()),
            column("Ready", |o| o["status"]["readyInstances"].clone()),
            column("Status", |o| o["status"]["phase"].clone()),
            column("Primary", |o| o["status"]["currentPrimary"].clone()),
        ],
        "poolers.postgresql.cnpg.io" => vec![
            AGE,
            column("Cluster", |o| o["spec"]["cluster"]["name"].clone()),
            column("Type", |o| o["spec"]["type"].clone()),
        ],
        "backups.postgresql.cnpg.io" => vec![
            AGE,
            column("Cluster", |o| o["spec"]["cluster"]["name"].clone()),
            column("Method", |o| o["spec"]["method"].clone()),
            column("Phase", |o| o["status"]["phase"].clone()),
            column("Error", |o| o["status"]["error"].clone()),
        ],
        "scheduledbackups.postgresql.cnpg.io" => vec![
            AGE,
            column("Cluster", |o| o["spec"]["cluster"]["name"].clone()),
            column("Last Backup", |o| since(&o["status"]["lastScheduleTime"])),
        ],
        _ => return None,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn or_none(value: &Value) -> Value {
    if text(value).is_empty() { json!("<none>") } else { value.clone() }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn sum(items: &Value, field: &str) -> i64 {
    list(items).iter().map(|item| number(&item[field])).sum()
}

fn names(items: &Value, field: &str) -> Value {
    json!(list(items).iter().map(|item| text(&item[field])).collect::<Vec<_>>().join(","))
}

fn since(time: &Value) -> Value {
    if time.is_null() { json!("<none>") } else { json!(age(time)) }
}

fn data(object: &Value) -> Value {
    let count = |field: &str| object[field].as_object().map_or(0, |data| data.len());
    json!(count("data") + count("binaryData"))
}

fn ready(object: &Value) -> Value {
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    json!(format!("{}/{wanted}", number(&object["status"]["readyReplicas"])))
}

fn service_ports(service: &Value) -> Value {
    let ports = list(&service["spec"]["ports"]).iter();
    let shown = ports.map(|port| format!("{}/{}", number(&port["port"]), port["protocol"].as_str().unwrap_or("TCP")));
    json!(shown.collect::<Vec<_>>().join(","))
}

fn job_status(job: &Value) -> Value {
    let has = |kind: &str| {
        list(&job["status"]["conditions"])
            .iter()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    json!(match (has("Complete"), has("Failed"), job["spec"]["suspend"] == true) {
        (true, ..) => "Complete",
        (_, true, _) => "Failed",
        (.., true) => "Suspended",
        _ => "Running",
    })
}

fn pod_ready(pod: &Value) -> Value {
    let ready = list(&pod["status"]["containerStatuses"]).iter().filter(|status| status["ready"] == true).count();
    json!(format!("{ready}/{}", list(&pod["spec"]["containers"]).len()))
}

fn pod_status(pod: &Value) -> Value {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    let statuses = list(&pod["status"]["containerStatuses"]);
    let reason = statuses.iter().find_map(|status| {
        let state = &status["state"];
        state["waiting"]["reason"].as_str().or(state["terminated"]["reason"].as_str())
    });
    json!(reason.or(pod["status"]["phase"].as_str()).unwrap_or("Pending"))
}
