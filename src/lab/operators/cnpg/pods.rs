//! Pod objects and what the kubelet would write into their status.
use super::{
    Operator,
    cluster::Cluster,
    objects::{component_labels, metadata, now},
    place::Place,
};
use crate::lab::workloads::pod::FINALIZER;
use serde_json::{Value, json};

/// What the pod's one container does now.
pub enum State<'a> {
    Running { ready: bool },
    Waiting { reason: &'a str, message: String },
    Ended { code: i32 },
}

/// The pod of an instance; its role label comes when the instance reports.
pub fn instance(cluster: &Cluster, place: &Place, serial: u32) -> Value {
    let mut metadata = metadata(cluster, &place.pod);
    component_labels(cluster, &mut metadata);
    metadata["labels"]["cnpg.io/instanceName"] = place.pod.clone().into();
    metadata["labels"]["cnpg.io/podRole"] = "instance".into();
    metadata["finalizers"] = json!([FINALIZER]);
    metadata["annotations"]["cnpg.io/nodeSerial"] = serial.to_string().into();
    if let Some(at) = cluster.annotation("kubectl.kubernetes.io/restartedAt") {
        metadata["annotations"]["kubectl.kubernetes.io/restartedAt"] = at.into();
    }
    let mut pod = pod(cluster, place, metadata, "postgres", "Always", &place.pod);
    if wants_plugin_volume(cluster) {
        let mount = json!({"name": "plugins", "mountPath": "/plugins"});
        pod["spec"]["containers"][0]["volumeMounts"]
            .as_array_mut()
            .into_iter()
            .for_each(|list| list.push(mount.clone()));
        pod["spec"]["volumes"]
            .as_array_mut()
            .into_iter()
            .for_each(|list| list.push(json!({"name": "plugins", "emptyDir": {}})));
    }
    pod
}

/// A plugin's sidecar is part of the pod: a plugin that comes later re-creates it (observed-physical.md 5).
pub fn wants_plugin_volume(cluster: &Cluster) -> bool {
    let plugins = cluster.spec()["plugins"].as_array();
    plugins.is_some_and(|list| list.iter().any(|plugin| plugin["enabled"] != false))
}

pub fn has_plugin_volume(pod: &Value) -> bool {
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array();
    mounts.is_some_and(|list| list.iter().any(|mount| mount["name"] == "plugins"))
}

/// A pod of the Job `job`, which owns it.
pub fn of_job(cluster: &Cluster, place: &Place, job: &Value, role: &str, instance: &str) -> Value {
    let mut metadata = metadata(cluster, &place.pod);
    component_labels(cluster, &mut metadata);
    let name = &job["metadata"]["name"];
    metadata["labels"]["cnpg.io/instanceName"] = instance.into();
    metadata["labels"]["cnpg.io/jobRole"] = role.into();
    metadata["labels"]["batch.kubernetes.io/job-name"] = name.clone();
    metadata["labels"]["job-name"] = name.clone();
    metadata["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": name,
        "uid": job["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]);
    pod(cluster, place, metadata, role, "Never", instance)
}

fn pod(cluster: &Cluster, place: &Place, metadata: Value, container: &str, restart: &str, volume: &str) -> Value {
    let env = |name: &str, value: String| json!({"name": name, "value": value});
    let variables = json!([
        env("PGDATA", place.data().display().to_string()),
        env("POD_NAME", place.pod.clone()),
        env("NAMESPACE", place.namespace.clone()),
        env("CLUSTER_NAME", place.cluster.clone()),
        env("PGPORT", "5432".into()),
        env("PGHOST", place.server.socket.display().to_string()),
    ]);
    let mut container = json!({"name": container, "image": cluster.image(), "env": variables,
        "volumeMounts": [{"name": "pgdata", "mountPath": "/var/lib/postgresql/data"}]});
    if container["name"] == "postgres" {
        container["ports"] = json!([{"name": "postgresql", "containerPort": 5432, "protocol": "TCP"}]);
    }
    if cluster.spec()["resources"].is_object() {
        container["resources"] = cluster.spec()["resources"].clone();
    }
    let volumes = json!([{"name": "pgdata", "persistentVolumeClaim": {"claimName": volume}}]);
    let spec = json!({"containers": [container], "volumes": volumes, "restartPolicy": restart,
        "terminationGracePeriodSeconds": cluster.spec()["stopDelay"].as_u64().unwrap_or(1800),
        "serviceAccountName": cluster.name, "hostname": place.pod});
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending", "conditions": [condition("PodScheduled", true, None)]}})
}

fn condition(kind: &str, status: bool, reason: Option<&str>) -> Value {
    let mut condition =
        json!({"type": kind, "status": if status { "True" } else { "False" }, "lastTransitionTime": now()});
    if let Some(reason) = reason {
        condition["reason"] = reason.into();
    }
    condition
}

/// Writes the container's state; `uid` keeps it from landing on a later pod of the same name.
pub fn set(operator: &Operator, place: &Place, uid: &str, state: &State, restarts: u32) {
    let _ = operator.store.update("pods", &place.namespace, &place.pod, |pod| {
        if uid.is_empty() || pod["metadata"]["uid"] == uid {
            write(pod, place, state, restarts);
        }
    });
}

fn write(pod: &mut Value, place: &Place, state: &State, restarts: u32) {
    let once = pod["spec"]["restartPolicy"] == "Never" || pod["metadata"]["deletionTimestamp"].is_string();
    let old = pod["status"]["containerStatuses"][0].clone();
    let (ready, mut reason) = (matches!(state, State::Running { ready: true }), None);
    let started = old["state"]["running"]["startedAt"].as_str().map_or_else(now, str::to_owned);
    let mut status = json!({"name": pod["spec"]["containers"][0]["name"], "image": pod["spec"]["containers"][0]["image"],
        "ready": ready, "restartCount": restarts, "lastState": if old.is_null() { json!({}) } else { old["lastState"].clone() }});
    match state {
        State::Running { .. } => {
            status["state"] = json!({"running": {"startedAt": started}});
            status["started"] = ready.into();
            pod["status"]["phase"] = "Running".into();
        }
        State::Waiting { reason, message } => {
            if old["state"]["terminated"].is_object() {
                status["lastState"] = old["state"].clone();
            }
            status["state"] = json!({"waiting": {"reason": reason, "message": message}});
        }
        State::Ended { code } => {
            let why = if *code == 0 { "Completed" } else { "Error" };
            status["state"] =
                json!({"terminated": {"exitCode": code, "reason": why, "startedAt": started, "finishedAt": now()}});
            status["lastState"] = if once { json!({}) } else { status["state"].clone() };
            if once {
                pod["status"]["phase"] = if *code == 0 { "Succeeded" } else { "Failed" }.into();
                reason = Some(if *code == 0 { "PodCompleted" } else { "PodFailed" });
            }
        }
    }
    pod["status"]["containerStatuses"] = json!([status]);
    pod["status"]["podIP"] = place.ip().to_string().into();
    pod["status"]["podIPs"] = json!([{"ip": place.ip().to_string()}]);
    if pod["status"]["startTime"].is_null() {
        pod["status"]["startTime"] = now().into();
    }
    let reason = reason.or((!ready).then_some("ContainersNotReady"));
    for (kind, value, reason) in
        [("Initialized", true, None), ("ContainersReady", ready, reason), ("Ready", ready, reason)]
    {
        set_condition(&mut pod["status"], kind, condition(kind, value, reason));
    }
}

/// Replaces the condition of its type; an unchanged status keeps its transition time.
pub fn set_condition(status: &mut Value, kind: &str, mut condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    match list.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => list.push(condition),
    }
}

pub fn ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|list| list.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}
