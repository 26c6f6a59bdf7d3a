//! Apps going down and coming up: what `stop-apps` and `start-apps` share.

use crate::{
    error::{Error, Result},
    kube::{
        Kind, Probe,
        kind::{CRON_JOB, DEPLOYMENT, JOB, POD, STATEFUL_SET},
    },
    spec::{App, Workload, WorkloadKind},
    step::{Sent, World},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

pub fn kind(workload: &Workload) -> &'static Kind {
    match workload.kind {
        WorkloadKind::Deployment => &DEPLOYMENT,
        WorkloadKind::StatefulSet => &STATEFUL_SET,
        WorkloadKind::CronJob => &CRON_JOB,
    }
}

/// How much of a workload ran: what starting it again needs. For a CronJob 0 is suspended, 1 is not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Size {
    pub workload: String,
    pub size: i64,
}

pub async fn fetch(world: &World, workload: &Workload) -> Result<Value> {
    let object = world.kube.get(kind(workload), &workload.name).await?;
    object.ok_or_else(|| Error::failed(format!("{workload} is not there")))
}

pub fn size(workload: &Workload, object: &Value) -> i64 {
    match workload.kind {
        WorkloadKind::CronJob => i64::from(object["spec"]["suspend"] != true),
        _ => object["spec"]["replicas"].as_i64().unwrap_or(1),
    }
}

pub async fn resize(world: &World, workload: &Workload, size: i64) -> Result<()> {
    let patch = match workload.kind {
        WorkloadKind::CronJob => json!({ "spec": { "suspend": size == 0 } }),
        _ => json!({ "spec": { "replicas": size } }),
    };
    world.kube.merge(kind(workload), &workload.name, &patch).await.map(drop)
}

/// How [`resize`] is shown before.
pub fn sent(app: &str, size: &Value, suspend: bool) -> Sent {
    let patch = match app.starts_with("cronjob/") {
        true => json!({ "spec": { "suspend": suspend } }),
        false => json!({ "spec": { "replicas": size } }),
    };
    Sent::Patch { object: app.into(), patch }
}

fn selector(object: &Value) -> String {
    let labels = object["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    pairs.join(",")
}

fn names(objects: &[Value]) -> String {
    let names: Vec<&str> = objects.iter().filter_map(|o| o["metadata"]["name"].as_str()).collect();
    names.join(", ")
}

/// Pods (of a CronJob: jobs) of a workload that may still run something.
pub async fn remains(world: &World, workload: &Workload, object: &Value) -> Result<Vec<Value>> {
    let (kind, labels) = parts(workload, object);
    Ok(world.kube.list(kind, &labels).await?.into_iter().filter(|part| runs(part, workload)).collect())
}

/// What a workload is made of, and the labels that lead to it.
fn parts(workload: &Workload, object: &Value) -> (&'static Kind, String) {
    match workload.kind {
        WorkloadKind::CronJob => (&JOB, String::new()),
        _ => (&POD, selector(object)),
    }
}

fn runs(part: &Value, workload: &Workload) -> bool {
    match workload.kind {
        WorkloadKind::CronJob => unfinished(part, workload),
        _ => !ended(part),
    }
}

/// A pod on its way out whose containers have all ended: nothing starts them again, and the object goes about a second
/// later (the kubelet unmounts first).
fn ended(pod: &Value) -> bool {
    let list = |field: &str| pod["status"][field].as_array().cloned().unwrap_or_default();
    let (sidecars, containers) = (list("initContainerStatuses"), list("containerStatuses"));
    let over = |one: &Value| one["state"]["terminated"].is_object();
    pod["metadata"]["deletionTimestamp"].is_string()
        && !containers.is_empty()
        && containers.iter().chain(&sidecars).all(over)
}

fn unfinished(job: &Value, cron: &Workload) -> bool {
    let owners = job["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
    owners.iter().any(|o| o["kind"] == "CronJob" && o["name"] == cron.name.as_str())
        && !conditions
            .iter()
            .any(|c| matches!(c["type"].as_str(), Some("Complete" | "Failed")) && c["status"] == "True")
}

/// Returns when nothing of the workload runs any more.
pub async fn wait_gone(world: &World, app: &App, deadline: Duration) -> Result<()> {
    let workload = &app.workload;
    let (kind, labels) = parts(workload, &fetch(world, workload).await?);
    let what = format!("{workload} to stop");
    let probe = |seen: &[Value]| {
        let left: Vec<Value> = seen.iter().filter(|part| runs(part, workload)).cloned().collect();
        if left.is_empty() { Probe::Done } else { Probe::Pending(format!("still there: {}", names(&left))) }
    };
    world.kube.wait_all(kind, &labels, &what, deadline, &world.cancel, &world.events, probe).await.map(drop)
}

/// True when as many replicas are ready as wanted, by a status that is about this spec.
pub fn is_ready(workload: &Workload, object: &Value) -> bool {
    if workload.kind == WorkloadKind::CronJob {
        return true;
    }
    let status = &object["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    status["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64()
        && count("readyReplicas") >= size(workload, object)
        && (workload.kind != WorkloadKind::Deployment || count("updatedReplicas") >= size(workload, object))
}

pub async fn wait_ready(world: &World, workload: &Workload, deadline: Duration) -> Result<()> {
    let probe = |seen: Option<&Value>| match seen {
        None => Probe::Failed("it is gone".into()),
        Some(object) if is_ready(workload, object) => Probe::Done,
        Some(object) => Probe::Pending(format!(
            "{} of {} ready",
            object["status"]["readyReplicas"].as_i64().unwrap_or(0),
            size(workload, object)
        )),
    };
    let what = format!("{workload} to be ready");
    world
        .kube
        .wait(kind(workload), &workload.name, &what, deadline, &world.cancel, &world.events, probe)
        .await
        .map(drop)
}

/// Brings apps back to their sizes, first to last, and returns when all of them are seen ready. An app that somebody
/// has scaled meanwhile keeps that size; one that was down before us stays down. One after the other: where starting is
/// the point of no return, a run that ends at the first has started none.
pub async fn start(world: &World, sizes: &[Size], deadline: Duration) -> Result<()> {
    let mut started = Vec::new();
    for app in &world.migration.apps {
        let Some(was) = sizes.iter().find(|s| s.workload == app.workload.to_string()) else { continue };
        if was.size == 0 {
            continue;
        }
        let now = size(&app.workload, &fetch(world, &app.workload).await?);
        if now == 0 {
            resize(world, &app.workload, was.size).await?;
        } else if now != was.size {
            world.events.warn(format!(
                "{} has been scaled to {now} by somebody else (was {}); left so",
                app.workload, was.size
            ));
        }
        if app.wait_ready {
            wait_ready(world, &app.workload, deadline).await?;
        }
        started.push(&app.workload);
    }
    futures::future::try_join_all(started.into_iter().map(|workload| wait_ready(world, workload, deadline))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_ended_when_all_its_containers_have_and_it_is_being_deleted() {
        let pod = |states: Value, leaving: bool| {
            let deleted = if leaving { json!("2026-11-21T03:00:00Z") } else { Value::Null };
            json!({"metadata": {"deletionTimestamp": deleted}, "status": {"containerStatuses": states}})
        };
        let (runs, over) = (json!({"state": {"running": {}}}), json!({"state": {"terminated": {"exitCode": 0}}}));
        assert!(ended(&pod(json!([over, over]), true)));
        assert!(!ended(&pod(json!([over, over]), false)), "it may be started again");
        assert!(!ended(&pod(json!([over, runs]), true)));
        assert!(!ended(&pod(json!([]), true)), "not known yet");
        assert!(!ended(&pod(Value::Null, true)));
    }
}
