//! The objects around a Cluster: Services, disruption budgets, Lease, volumes (names and labels: cnpg.md 4).
use super::{LEASES, Operator, PDBS, PVCS, cluster::Cluster};
use serde_json::{Value, json};

pub const VERSION: &str = "1.30.0";

/// Name, labels and the owner of everything a Cluster has.
pub fn metadata(cluster: &Cluster, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": cluster.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": "cloudnative-pg",
            "cnpg.io/cluster": cluster.name,
        },
        "annotations": {"cnpg.io/operatorVersion": VERSION},
        "ownerReferences": [{
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": cluster.name, "uid": cluster.uid,
            "controller": true, "blockOwnerDeletion": true,
        }],
    })
}

/// The labels of what holds data: pods, jobs, volumes, Services.
pub fn component_labels(cluster: &Cluster, metadata: &mut Value) {
    metadata["labels"]["app.kubernetes.io/name"] = "postgresql".into();
    metadata["labels"]["app.kubernetes.io/instance"] = cluster.name.clone().into();
    metadata["labels"]["app.kubernetes.io/component"] = "database".into();
}

/// Creates what is missing of Services, budgets, ServiceAccount and Lease.
pub fn ensure(operator: &Operator, cluster: &Cluster) {
    let (name, namespace) = (&cluster.name, &cluster.namespace);
    let missing = |resource: &str, name: &str| operator.store.get(resource, namespace, name).is_none();
    for (suffix, role) in [("rw", Some("primary")), ("ro", Some("replica")), ("r", None)] {
        let service = format!("{name}-{suffix}");
        if missing("services", &service) {
            create(operator, "services", self::service(cluster, &service, role));
        }
    }
    for additional in cluster.spec()["managed"]["services"]["additional"].as_array().into_iter().flatten() {
        let template = &additional["serviceTemplate"];
        let Some(service) = template["metadata"]["name"].as_str() else { continue };
        if missing("services", service) {
            let role = match additional["selectorType"].as_str() {
                Some("rw") => Some("primary"),
                Some("ro") => Some("replica"),
                _ => None,
            };
            create(operator, "services", self::service(cluster, service, role));
        }
    }
    if cluster.spec()["enablePDB"] != false {
        for budget in [name.clone(), format!("{name}-primary")] {
            if missing(PDBS, &budget) {
                operator.store.event(
                    &cluster.object,
                    "Normal",
                    "CreatingPodDisruptionBudget",
                    &format!("Creating PodDisruptionBudget {budget}"),
                );
                let selector = json!({"matchLabels": {"cnpg.io/cluster": name, "cnpg.io/podRole": "instance"}});
                let spec = json!({"minAvailable": 1, "selector": selector});
                create(operator, PDBS, json!({"metadata": metadata(cluster, &budget), "spec": spec}));
            }
        }
    }
    if missing("serviceaccounts", name) {
        create(operator, "serviceaccounts", json!({"metadata": metadata(cluster, name)}));
    }
    // Without a holder until a primary takes it: the API's only sign that nothing has been promoted (observed-physical.md 2).
    if missing(LEASES, name) {
        create(operator, LEASES, json!({"metadata": metadata(cluster, name), "spec": {}}));
    }
}

fn service(cluster: &Cluster, name: &str, role: Option<&str>) -> Value {
    let mut metadata = metadata(cluster, name);
    component_labels(cluster, &mut metadata);
    let selector = match role {
        Some(role) => json!({"cnpg.io/cluster": cluster.name, "cnpg.io/instanceRole": role}),
        None => json!({"cnpg.io/cluster": cluster.name, "cnpg.io/podRole": "instance"}),
    };
    let ports = json!([{"name": "postgres", "protocol": "TCP", "port": 5432, "targetPort": 5432}]);
    json!({"metadata": metadata, "spec": {"type": "ClusterIP", "ports": ports, "selector": selector}})
}

/// The volume of an instance, bound at once.
pub fn ensure_volume(operator: &Operator, cluster: &Cluster, serial: u32) {
    let name = cluster.pod(serial);
    if operator.store.get(PVCS, &cluster.namespace, &name).is_some() {
        return;
    }
    let mut metadata = metadata(cluster, &name);
    component_labels(cluster, &mut metadata);
    metadata["labels"]["cnpg.io/instanceName"] = name.into();
    metadata["labels"]["cnpg.io/pvcRole"] = "PG_DATA".into();
    metadata["annotations"]["cnpg.io/nodeSerial"] = serial.to_string().into();
    metadata["annotations"]["cnpg.io/pvcStatus"] = "initializing".into();
    let size = cluster.spec()["storage"]["size"].as_str().unwrap_or("1Gi");
    let mut spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
    if let Some(class) = cluster.spec()["storage"]["storageClass"].as_str() {
        spec["storageClassName"] = class.into();
    }
    let status = json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}});
    create(operator, PVCS, json!({"metadata": metadata, "spec": spec, "status": status}));
}

pub fn volume_status(operator: &Operator, cluster: &Cluster, instance: &str) -> Option<String> {
    let volume = operator.store.get(PVCS, &cluster.namespace, instance)?;
    volume["metadata"]["annotations"]["cnpg.io/pvcStatus"].as_str().map(str::to_owned)
}

pub fn set_volume_status(operator: &Operator, cluster: &Cluster, instance: &str, status: &str) {
    let set = |volume: &mut Value| volume["metadata"]["annotations"]["cnpg.io/pvcStatus"] = status.into();
    let _ = operator.store.update(PVCS, &cluster.namespace, instance, set);
}

/// Already there is as good as created: another look will find it.
fn create(operator: &Operator, resource: &str, object: Value) {
    if let Err(refusal) = operator.store.create(resource, object)
        && refusal.reason != "AlreadyExists"
    {
        tracing::warn!("cannot create an object of {resource}: {}", refusal.message);
    }
}

/// RFC 3339 with microseconds, as in `*Timestamp` fields.
pub fn now_micro() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// RFC 3339 in whole seconds, as in conditions.
pub fn now() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}
