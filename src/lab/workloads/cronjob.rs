//! CronJobs: a Job for every minute of the schedule, unless suspended.
use super::{
    job,
    object::{self, leaving, name, namespace, owned, rfc3339, set_status, text, told},
    schedule::Schedule,
};
use crate::lab::api::store::Store;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use std::sync::Arc;

const RESOURCE: &str = "cronjobs.batch";

pub fn settle(store: &Store) {
    for cron in store.list(RESOURCE, None) {
        if !leaving(&cron) {
            forget_old(store, &cron);
            if cron["spec"]["suspend"] != true {
                fire_if_due(store, &cron);
            }
            report(store, &cron);
        }
    }
}

/// Minutes that passed while nobody looked are not made up for (startingDeadlineSeconds is not looked at).
fn fire_if_due(store: &Store, cron: &Value) {
    let zone = cron["spec"]["timeZone"].as_str().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    let Some(schedule) = Schedule::parse(text(&cron["spec"]["schedule"])) else { return };
    let now = Timestamp::now();
    let minute = now.as_second() - now.as_second().rem_euclid(60);
    let Ok(minute) = Timestamp::from_second(minute) else { return };
    let created: Option<Timestamp> = text(&cron["metadata"]["creationTimestamp"]).parse().ok();
    let last: Option<Timestamp> = text(&cron["status"]["lastScheduleTime"]).parse().ok();
    let new = created.is_none_or(|created| created <= minute) && last.is_none_or(|last| last < minute);
    if !new || !schedule.matches(zone.to_datetime(minute)) {
        return;
    }
    let running = active(store, cron);
    match text(&cron["spec"]["concurrencyPolicy"]) {
        "Forbid" if !running.is_empty() => return,
        "Replace" => running.iter().for_each(|job| drop(store.delete("jobs.batch", namespace(job), name(job)))),
        _ => {}
    }
    create(store, cron, minute);
    set_status(store, RESOURCE, cron, |status| status["lastScheduleTime"] = rfc3339(minute).into());
}

fn create(store: &Store, cron: &Value, minute: Timestamp) {
    let template = &cron["spec"]["jobTemplate"];
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": format!("{}-{}", name(cron), minute.as_second() / 60), "namespace": namespace(cron),
            "labels": template["metadata"]["labels"], "annotations": template["metadata"]["annotations"],
            "ownerReferences": object::controller_reference(cron),
        },
        "spec": template["spec"], "status": {},
    });
    told(RESOURCE, cron, store.create("jobs.batch", job));
}

fn active(store: &Store, cron: &Value) -> Vec<Arc<Value>> {
    let mut jobs = owned(store, "jobs.batch", cron);
    jobs.retain(|job| job::finished(job).is_none());
    jobs
}

fn forget_old(store: &Store, cron: &Value) {
    for (good, key, default) in [(true, "successfulJobsHistoryLimit", 3), (false, "failedJobsHistoryLimit", 1)] {
        let limit = cron["spec"][key].as_u64().unwrap_or(default) as usize;
        let mut jobs = owned(store, "jobs.batch", cron);
        jobs.retain(|job| job::finished(job).is_some() && job::succeeded(job) == good);
        jobs.sort_by_key(|job| job::finished(job));
        for job in jobs.iter().take(jobs.len().saturating_sub(limit)) {
            told(RESOURCE, cron, store.delete("jobs.batch", namespace(job), name(job)));
        }
    }
}

fn report(store: &Store, cron: &Value) {
    let active = active(store, cron);
    let reference = |job: &Arc<Value>| json!({"apiVersion": "batch/v1", "kind": "Job", "namespace": namespace(job), "name": name(job), "uid": job["metadata"]["uid"]});
    let active: Vec<Value> = active.iter().map(reference).collect();
    set_status(store, RESOURCE, cron, |status| match (active.is_empty(), status.as_object_mut()) {
        (true, Some(fields)) => drop(fields.shift_remove("active")),
        (false, Some(fields)) => drop(fields.insert("active".into(), active.into())),
        (_, None) => {}
    });
}
