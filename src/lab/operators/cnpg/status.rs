//! A Cluster's status: fields and phases in the order they were seen to change (recordings physical-bootstrap, -cutover).
use super::{
    CLUSTERS, JOBS, Operator,
    cluster::Cluster,
    instance::Instance,
    objects::{self, now},
    pods,
};
use serde_json::{Value, json};
use std::sync::Arc;

pub const HEALTHY: &str = "Cluster in healthy state";

pub fn change(operator: &Operator, cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    let _ = operator.store.update(CLUSTERS, &cluster.namespace, &cluster.name, |object| {
        if object["metadata"]["uid"] == cluster.uid.as_str() {
            if object["status"].is_null() {
                object["status"] = json!({});
            }
            change(&mut object["status"]);
        }
    });
}

/// Phase, reason and Ready, which is True for the healthy phase alone.
pub fn set_phase(status: &mut Value, phase: &str, reason: &str) {
    status["phase"] = phase.into();
    set_or_remove(status, "phaseReason", (!reason.is_empty()).then(|| reason.into()));
    let (value, why, message) = match phase == HEALTHY {
        true => ("True", "ClusterIsReady", "Cluster is Ready"),
        false => ("False", "ClusterIsNotReady", "Cluster Is Not Ready"),
    };
    set_condition(status, "Ready", value, why, message);
}

pub fn set_condition(status: &mut Value, kind: &str, value: &str, reason: &str, message: &str) {
    let condition =
        json!({"type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": now()});
    pods::set_condition(status, kind, condition);
}

fn set_or_remove(status: &mut Value, field: &str, value: Option<Value>) {
    match (value, status.as_object_mut()) {
        (Some(value), _) => status[field] = value,
        (None, Some(status)) => drop(status.shift_remove(field)),
        (None, None) => {}
    }
}

fn list_or_remove(status: &mut Value, field: &str, list: &[String]) {
    set_or_remove(status, field, (!list.is_empty()).then(|| json!(list)));
}

/// What is known before anything runs.
pub fn basics(operator: &Operator, cluster: &Cluster) {
    if cluster.status()["writeService"].is_string() && cluster.status()["image"] == cluster.image().as_str() {
        return;
    }
    let name = &cluster.name;
    change(operator, cluster, |status| {
        let image = cluster.image();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let major: u32 = tag
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|major| major.parse().ok())
            .unwrap_or(operator.install.major);
        status["pgDataImageInfo"] = json!({"image": image, "majorVersion": major});
        status["image"] = image.into();
        status["writeService"] = format!("{name}-rw").into();
        status["readService"] = format!("{name}-r").into();
        status["selector"] = format!("cnpg.io/cluster={name},cnpg.io/podRole=instance").into();
        status["certificates"] = json!({"clientCASecret": format!("{name}-ca"), "serverCASecret": format!("{name}-ca"),
            "serverTLSSecret": format!("{name}-server"), "replicationTLSSecret": format!("{name}-replication")});
        if status["conditions"].is_null() {
            set_condition(status, "Initialized", "False", "BootstrapPending", "Cluster has not been bootstrapped yet");
            let none = "No instances are present in the cluster to report a system ID.";
            set_condition(status, "ConsistentSystemID", "False", "NotFound", none);
        }
    });
}

/// An instance as the status sees it.
pub struct Seen {
    pub pod: String,
    pub object: Option<Arc<Value>>,
    pub instance: Option<Arc<Instance>>,
    pub volume: Option<String>,
}

pub fn seen(operator: &Operator, cluster: &Cluster, serials: &[u32]) -> Vec<Seen> {
    let look = |&serial: &u32| {
        let pod = cluster.pod(serial);
        Seen {
            object: operator.store.get("pods", &cluster.namespace, &pod),
            instance: operator.instance(&cluster.namespace, &pod).filter(|instance| !instance.gone.is_cancelled()),
            volume: objects::volume_status(operator, cluster, &pod),
            pod,
        }
    };
    serials.iter().map(look).collect()
}

/// Counts, states and identities; not the phase.
pub fn publish(operator: &Operator, cluster: &Cluster, serials: &[u32]) {
    let seen = seen(operator, cluster, serials);
    label_roles(operator, cluster, &seen);
    let jobs = operator.store.list_labelled(JOBS, &cluster.namespace, &[("cnpg.io/cluster", &cluster.name)]).len();
    change(operator, cluster, |status| {
        let names = |keep: &dyn Fn(&Seen) -> bool| -> Vec<String> {
            seen.iter().filter(|s| keep(s)).map(|s| s.pod.clone()).collect()
        };
        // The trap: True from the moment the first volume exists, failing import or not (observed-import-logical.md 1).
        set_condition(status, "Initialized", "True", "BootstrapCompleted", "Cluster has been bootstrapped");
        status["instances"] = seen.len().into();
        status["pvcCount"] = seen.len().into();
        status["instanceNames"] = json!(names(&|_| true));
        set_or_remove(status, "jobCount", (jobs > 0).then(|| jobs.into()));
        let ready = |s: &Seen| s.volume.as_deref() == Some("ready");
        list_or_remove(status, "initializingPVC", &names(&|s| !ready(s)));
        list_or_remove(status, "danglingPVC", &names(&|s| ready(s) && s.object.is_none()));
        list_or_remove(status, "healthyPVC", &names(&|s| ready(s) && s.object.is_some()));
        let healthy = names(&|s| s.object.as_ref().is_some_and(|pod| pods::ready(pod)));
        let running = |s: &Seen| s.object.as_ref().is_some_and(|pod| pod["status"]["phase"] == "Running");
        let mut states = json!({});
        list_or_remove(&mut states, "healthy", &healthy);
        list_or_remove(&mut states, "replicating", &names(&|s| running(s) && !healthy.contains(&s.pod)));
        list_or_remove(&mut states, "failed", &names(&|s| s.object.is_some() && !running(s)));
        status["instancesStatus"] = states;
        set_or_remove(status, "readyInstances", (!healthy.is_empty()).then(|| healthy.len().into()));
        report_states(status, &seen);
    });
}

fn report_states(status: &mut Value, seen: &[Seen]) {
    let (mut states, mut systems) = (json!({}), Vec::new());
    for (pod, instance) in seen.iter().filter_map(|s| Some((&s.pod, s.instance.as_ref()?))) {
        let report = instance.report();
        if !report.manager {
            continue;
        }
        states[pod] = json!({"ip": instance.place.ip().to_string(), "isPrimary": report.primary});
        if let Some(timeline) = report.timeline {
            states[pod]["timeLineID"] = timeline.into();
            if report.primary {
                status["timelineID"] = timeline.into();
            }
        }
        if let Some(system) = report.system_id
            && !systems.contains(&system)
        {
            systems.push(system);
        }
    }
    status["instancesReportedState"] = states;
    report_identity(status, &systems);
}

/// One system identifier, none (nothing runs), or a mixture that must not be.
fn report_identity(status: &mut Value, systems: &[String]) {
    match systems {
        [] => {
            set_or_remove(status, "systemID", None);
            let none = "No instances are present in the cluster to report a system ID.";
            set_condition(status, "ConsistentSystemID", "False", "NotFound", none);
        }
        [one] => {
            status["systemID"] = one.clone().into();
            let message = "A single, unique system ID was found across reporting instances.";
            set_condition(status, "ConsistentSystemID", "True", "Unique", message);
            // True without any backup too: there is nothing to archive to (cnpg.md 3.2).
            set_condition(
                status,
                "ContinuousArchiving",
                "True",
                "ContinuousArchivingSuccess",
                "Continuous archiving is working",
            );
        }
        _ => {
            set_or_remove(status, "systemID", None);
            set_condition(
                status,
                "ConsistentSystemID",
                "False",
                "Mismatch",
                "Multiple differing system IDs reported by instances",
            );
        }
    }
}

/// The designated primary of a replica cluster is labelled primary too (cnpg.md 4).
fn label_roles(operator: &Operator, cluster: &Cluster, seen: &[Seen]) {
    for one in seen.iter().filter(|s| s.instance.as_ref().is_some_and(|i| i.report().manager)) {
        let role = if cluster.current_primary() == Some(&one.pod) { "primary" } else { "replica" };
        let label = |object: &mut Value| {
            object["metadata"]["labels"]["cnpg.io/instanceRole"] = role.into();
            object["metadata"]["labels"]["role"] = role.into();
        };
        let _ = operator.store.update("pods", &cluster.namespace, &one.pod, label);
        let _ = operator.store.update(super::PVCS, &cluster.namespace, &one.pod, label);
    }
}

pub fn hibernated(operator: &Operator, cluster: &Cluster, asleep: bool) {
    let (value, reason, message) = match asleep {
        true => ("True", "Hibernated", "Cluster has been hibernated"),
        false => ("False", "DeletingPods", "Hibernation is in progress"),
    };
    change(operator, cluster, |status| set_condition(status, "cnpg.io/hibernation", value, reason, message));
}
