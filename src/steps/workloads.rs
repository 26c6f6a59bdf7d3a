//! Apps going down and coming up: what `stop-apps` and `start-apps` share.

use crate::{
    error::{Error, Result},
    kube::{
        Kind, Probe,
        kind::{CRON_JOB, DEPLOYMENT, JOB, POD, STATEFUL_SET},
    },
    spec::{App, Workload, WorkloadKind},
    step::World,
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

fn selector(object: &Value) -> String {
    let labels = object["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    pairs.join(",")
}

fn names(objects: &[Value]) -> String {
    let names: Vec<&str> = objects.iter().filter_map(|o| o["metadata"]["name"].as_str()).collect();
    names.join(", ")
}

/// Pods (of a CronJob: unfinished jobs) that a workload still has.
pub async fn remains(world: &World, workload: &Workload, object: &Value) -> Result<Vec<Value>> {
    match workload.kind {
        WorkloadKind::CronJob => {
            Ok(world.kube.list(&JOB, "").await?.into_iter().filter(|j| unfinished(j, workload)).collect())
        }
        _ => world.kube.list(&POD, &selector(object)).await,
    }
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
    let object = fetch(world, workload).await?;
    let what = format!("{workload} to stop");
    let (kind, labels, cron) = match workload.kind {
        WorkloadKind::CronJob => (&JOB, String::new(), true),
        _ => (&POD, selector(&object), false),
    };
    let probe = |seen: &[Value]| {
        let left: Vec<Value> = seen.iter().filter(|o| !cron || unfinished(o, workload)).cloned().collect();
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
/// has scaled meanwhile keeps that size; one that was down before us stays down.
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
