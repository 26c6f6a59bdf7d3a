//! The Kubernetes objects of a cluster, with the operator's names and labels.
use super::manifest::{Manifest, text};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

pub const IMAGE: &str = "ghcr.io/zalando/spilo-17:4.0-p3";

fn metadata(manifest: &Manifest, name: &str, role: Option<&str>) -> Value {
    let mut labels = manifest.labels();
    if let Some(role) = role {
        labels["spilo-role"] = role.into();
    }
    json!({"name": name, "namespace": manifest.namespace, "labels": labels})
}

pub fn secret(manifest: &Manifest, user: &str, password: &str) -> Value {
    let data = json!({"username": STANDARD.encode(user), "password": STANDARD.encode(password)});
    json!({"metadata": metadata(manifest, &manifest.secret(user), None), "type": "Opaque", "data": data})
}

/// A key of a Secret in clear.
pub fn secret_value(secret: &Value, key: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok()
}

/// 64 characters, as the operator makes them.
pub fn password() -> String {
    (0..2).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect()
}

/// Services `<c>` (no selector: Patroni writes its Endpoints), `<c>-repl` and `<c>-config`, in this order.
pub fn services(manifest: &Manifest) -> [Value; 3] {
    let ports = json!([{"name": "postgresql", "port": 5432, "protocol": "TCP", "targetPort": 5432}]);
    let (name, mut selector) = (&manifest.name, manifest.labels());
    selector["spilo-role"] = "replica".into();
    let primary = json!({"type": "ClusterIP", "ports": ports});
    let replicas = json!({"type": "ClusterIP", "ports": ports, "selector": selector});
    let config = json!({"type": "ClusterIP", "clusterIP": "None"});
    [
        json!({"metadata": metadata(manifest, name, Some("master")), "spec": primary}),
        json!({"metadata": metadata(manifest, &format!("{name}-repl"), Some("replica")), "spec": replicas}),
        json!({"metadata": metadata(manifest, &format!("{name}-config"), None), "spec": config}),
    ]
}

/// The Endpoints that Patroni uses as its store: of the leader, and of its configuration.
pub fn endpoints(manifest: &Manifest) -> [Value; 2] {
    let config = format!("{}-config", manifest.name);
    [
        json!({"metadata": metadata(manifest, &manifest.name, Some("master"))}),
        json!({"metadata": metadata(manifest, &config, None)}),
    ]
}

pub fn disruption_budget(manifest: &Manifest) -> Value {
    let mut selector = manifest.labels();
    selector["spilo-role"] = "master".into();
    let name = format!("postgres-{}-pdb", manifest.name);
    let least = u64::from(manifest.instances > 0);
    json!({"metadata": metadata(manifest, &name, None), "spec": {"minAvailable": least, "selector": {"matchLabels": selector}}})
}

pub fn stateful_set(manifest: &Manifest) -> Value {
    let labels = manifest.labels();
    let claim = json!({
        "metadata": {"name": "pgdata", "labels": labels},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": manifest.volume}}},
    });
    let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(manifest)});
    json!({
        "metadata": metadata(manifest, &manifest.name, None),
        "spec": {
            "replicas": manifest.instances, "serviceName": manifest.name, "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "OnDelete"}, "selector": {"matchLabels": labels},
            "template": template, "volumeClaimTemplates": [claim],
        },
    })
}

fn pod_spec(manifest: &Manifest) -> Value {
    let value = |name: &str, value: &str| json!({"name": name, "value": value});
    let password = |name: &str, user: &str| {
        let key = json!({"name": manifest.secret(user), "key": "password"});
        json!({"name": name, "valueFrom": {"secretKeyRef": key}})
    };
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    // What the lab's Spilo reads back at container start, as the real one does.
    let (_, local) = manifest.split_parameters();
    let configuration = json!({
        "postgresql": {"parameters": local, "pg_hba": manifest.patroni["pg_hba"]},
        "bootstrap": {"initdb": manifest.patroni["initdb"], "dcs": dynamic_configuration(manifest)},
    });
    let env = json!([
        value("SCOPE", &manifest.name),
        value("PGROOT", "/home/postgres/pgdata/pgroot"),
        field("POD_IP", "status.podIP"),
        field("POD_NAMESPACE", "metadata.namespace"),
        value("PGUSER_SUPERUSER", "postgres"),
        value("KUBERNETES_SCOPE_LABEL", "cluster-name"),
        value("KUBERNETES_ROLE_LABEL", "spilo-role"),
        password("PGPASSWORD_SUPERUSER", "postgres"),
        value("PGUSER_STANDBY", "standby"),
        password("PGPASSWORD_STANDBY", "standby"),
        value("HUMAN_ROLE", "zalandos"),
        value("PGVERSION", &manifest.version),
        value("KUBERNETES_LABELS", "{\"application\":\"spilo\"}"),
        value("SPILO_CONFIGURATION", &configuration.to_string()),
        value("DCS_ENABLE_KUBERNETES_API", "true"),
    ]);
    let ports = [(8008, "patroni"), (5432, "postgresql"), (8080, "ssl-proxy")];
    let ports: Vec<Value> =
        ports.iter().map(|(port, name)| json!({"containerPort": port, "name": name, "protocol": "TCP"})).collect();
    json!({
        "containers": [{
            "name": "postgres", "image": IMAGE, "env": env, "ports": ports,
            "volumeMounts": [{"name": "pgdata", "mountPath": "/home/postgres/pgdata"}],
        }],
        "serviceAccountName": "postgres-pod",
        "terminationGracePeriodSeconds": 300,
    })
}

/// What the manifest has for Patroni's dynamic configuration: all of spec.patroni but what Spilo keeps to itself, and parameters.
pub fn dynamic_configuration(manifest: &Manifest) -> Value {
    let mut config = json!({});
    for (key, value) in super::manifest::fields(&manifest.patroni) {
        if !matches!(key.as_str(), "initdb" | "pg_hba") {
            config[key] = value.clone();
        }
    }
    let (shared, _) = manifest.split_parameters();
    if !shared.is_empty() {
        config["postgresql"]["parameters"] = shared.into();
    }
    config
}

pub fn claim(set: &Value, pod: &str) -> Value {
    let template = &set["spec"]["volumeClaimTemplates"][0];
    let mut spec = template["spec"].clone();
    spec["volumeName"] = format!("pvc-{pod}").into();
    json!({
        "metadata": {"name": format!("pgdata-{pod}"), "namespace": set["metadata"]["namespace"], "labels": template["metadata"]["labels"]},
        "spec": spec,
        "status": {"phase": "Bound", "capacity": spec["resources"]["requests"]},
    })
}

/// Pod `name` of a StatefulSet, not yet scheduled; Patroni adds the role label.
pub fn pod(set: &Value, name: &str) -> Value {
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set["metadata"]["name"], "uid": set["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    });
    let mut labels = set["spec"]["template"]["metadata"]["labels"].clone();
    labels["statefulset.kubernetes.io/pod-name"] = name.into();
    let mut spec = set["spec"]["template"]["spec"].clone();
    spec["volumes"] = json!([{"name": "pgdata", "persistentVolumeClaim": {"claimName": format!("pgdata-{name}")}}]);
    spec["hostname"] = name.into();
    spec["nodeName"] = "lab".into();
    json!({
        "metadata": {"name": name, "namespace": set["metadata"]["namespace"], "labels": labels, "ownerReferences": [owner]},
        "spec": spec,
        "status": {"phase": "Pending"},
    })
}

/// Status of a pod whose container runs. Ready says only that: the operator sets no readiness probe by default, so a pod
/// with a stopped PostgreSQL stays 1/1 (observed-physical.md, 3).
pub fn running(ip: Ipv4Addr) -> Value {
    let now = now();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let kinds = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    let state = json!({"running": {"startedAt": now}});
    json!({
        "phase": "Running", "podIP": ip.to_string(), "podIPs": [{"ip": ip.to_string()}], "hostIP": "127.0.0.1", "startTime": now,
        "conditions": kinds.map(condition),
        "containerStatuses": [{"name": "postgres", "image": IMAGE, "imageID": IMAGE, "ready": true, "started": true, "restartCount": 0, "state": state}],
    })
}

/// Seconds, as Kubernetes writes its times.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// spec.template's environment variable of the database container.
pub fn env_value(pod: &Value, name: &str) -> Option<String> {
    let env = pod["spec"]["containers"][0]["env"].as_array()?;
    env.iter().find(|variable| variable["name"] == name).map(|variable| text(&variable["value"]))
}
