//! `kubectl get`'s columns, printed by the server (metav1.Table).

use super::resources::Resource;
use jiff::Timestamp;
use serde_json::{Value, json};

type Column = (&'static str, fn(&Value) -> String);

fn columns(plural: &str) -> &'static [Column] {
    match plural {
        "pods" => &[
            ("Ready", pod_ready),
            ("Status", pod_status),
            ("Restarts", |o| number(&o["status"]["containerStatuses"][0]["restartCount"])),
        ],
        "deployments" | "statefulsets" => {
            &[("Ready", |o| format!("{}/{}", number(&o["status"]["readyReplicas"]), number(&o["spec"]["replicas"])))]
        }
        "postgresqls" => &[
            ("Team", |o| text(&o["spec"]["teamId"])),
            ("Version", |o| text(&o["spec"]["postgresql"]["version"])),
            ("Pods", |o| number(&o["spec"]["numberOfInstances"])),
            ("Volume", |o| text(&o["spec"]["volume"]["size"])),
            ("Status", |o| text(&o["status"]["PostgresClusterStatus"])),
        ],
        "clusters" => &[
            ("Instances", |o| number(&o["status"]["instances"])),
            ("Ready", |o| number(&o["status"]["readyInstances"])),
            ("Status", |o| text(&o["status"]["phase"])),
            ("Primary", |o| text(&o["status"]["currentPrimary"])),
        ],
        "jobs" => &[("Completions", |o| {
            format!("{}/{}", number(&o["status"]["succeeded"]), number(&o["spec"]["completions"]))
        })],
        "cronjobs" => &[
            ("Schedule", |o| text(&o["spec"]["schedule"])),
            ("Suspend", |o| (o["spec"]["suspend"] == true).to_string()),
        ],
        "services" => &[
            ("Type", |_| "ClusterIP".into()),
            ("Cluster-IP", |o| text(&o["spec"]["clusterIP"])),
            ("Port(s)", |o| number(&o["spec"]["ports"][0]["port"])),
        ],
        "configmaps" | "secrets" => &[("Data", |o| o["data"].as_object().map_or(0, |d| d.len()).to_string())],
        "leases" => &[("Holder", |o| text(&o["spec"]["holderIdentity"]))],
        "events" => &[
            ("Type", |o| text(&o["type"])),
            ("Reason", |o| text(&o["reason"])),
            ("Object", |o| {
                format!("{}/{}", text(&o["involvedObject"]["kind"]).to_lowercase(), text(&o["involvedObject"]["name"]))
            }),
            ("Message", |o| text(&o["message"])),
        ],
        _ => &[],
    }
}

pub fn of(resource: &Resource, objects: &[Value], meta: &Value) -> Value {
    let columns = columns(resource.plural);
    let definition = |name: &str, format: &str| json!({ "name": name, "type": "string", "format": format, "description": "", "priority": 0 });
    let mut definitions = vec![definition("Name", "name")];
    definitions.extend(columns.iter().map(|(name, _)| definition(name, "")));
    definitions.push(definition("Age", ""));
    let row = |object: &Value| {
        let mut cells = vec![text(&object["metadata"]["name"])];
        cells.extend(columns.iter().map(|(_, cell)| cell(object)));
        cells.push(age(&object["metadata"]["creationTimestamp"]));
        let partial =
            json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] });
        json!({ "cells": cells, "object": partial })
    };
    let rows: Vec<Value> = objects.iter().map(row).collect();
    json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": definitions, "rows": rows })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn number(value: &Value) -> String {
    value.as_i64().unwrap_or(0).to_string()
}

fn pod_ready(pod: &Value) -> String {
    let statuses = pod["status"]["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    format!(
        "{}/{}",
        statuses.iter().filter(|s| s["ready"] == true).count(),
        pod["spec"]["containers"].as_array().map_or(0, Vec::len)
    )
}

fn pod_status(pod: &Value) -> String {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".into();
    }
    let waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].as_str();
    waiting.or(pod["status"]["phase"].as_str()).unwrap_or("Pending").into()
}

fn age(created: &Value) -> String {
    let Some(created) = created.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".into();
    };
    match Timestamp::now().duration_since(created).as_secs() {
        s if s < 120 => format!("{s}s"),
        s if s < 7200 => format!("{}m", s / 60),
        s => format!("{}h", s / 3600),
    }
}
