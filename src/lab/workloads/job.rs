//! Jobs: pods that are to succeed. Those of CloudNativePG are run by its stand-in.
use super::{
    object::{self, condition, count, is_active, is_ready, name, namespace, owned, set_status, text, told},
    pod,
};
use crate::lab::api::store::Store;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

const RESOURCE: &str = "jobs.batch";

pub fn settle(store: &Store) {
    for job in store.list(RESOURCE, None) {
        let foreign = job["metadata"]["labels"]["cnpg.io/cluster"].is_string();
        if !foreign && !object::leaving(&job) {
            match finished(&job) {
                Some(at) => expire(store, &job, at),
                None => go_on(store, &job),
            }
        }
    }
}

/// When the Job came to its end, one way or the other.
pub fn finished(job: &Value) -> Option<Timestamp> {
    let ended = |c: &&Value| matches!(text(&c["type"]), "Complete" | "Failed") && c["status"] == "True";
    let end = object::array(&job["status"]["conditions"]).iter().find(ended)?;
    text(&end["lastTransitionTime"]).parse().ok()
}

pub fn succeeded(job: &Value) -> bool {
    object::array(&job["status"]["conditions"]).iter().any(|c| c["type"] == "Complete" && c["status"] == "True")
}

fn expire(store: &Store, job: &Value, ended: Timestamp) {
    if let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64()
        && Timestamp::now().duration_since(ended).as_secs() >= seconds
    {
        told(RESOURCE, job, store.delete(RESOURCE, namespace(job), name(job)));
    }
}

/// A Job's pods, counted.
struct Tally {
    active: Vec<Arc<Value>>,
    succeeded: usize,
    failed: Vec<Arc<Value>>,
}

fn tally(store: &Store, job: &Value) -> Tally {
    let pods = owned(store, "pods", job);
    let phase = |pod: &Arc<Value>, phase: &str| pod["status"]["phase"] == phase;
    Tally {
        succeeded: pods.iter().filter(|pod| phase(pod, "Succeeded")).count(),
        failed: pods.iter().filter(|pod| phase(pod, "Failed")).cloned().collect(),
        active: pods.into_iter().filter(|pod| is_active(pod)).collect(),
    }
}

fn go_on(store: &Store, job: &Value) {
    let spec = &job["spec"];
    let number = |key: &str, default: u64| spec[key].as_u64().unwrap_or(default) as usize;
    let seen = tally(store, job);
    let (completions, limit) = (number("completions", 1), number("backoffLimit", 6));
    let late = spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| age(job) >= seconds);
    let end = if seen.succeeded >= completions {
        Some(("Complete", "CompletionsReached", "Reached expected number of succeeded pods"))
    } else if seen.failed.len() > limit {
        Some(("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else if late {
        Some(("Failed", "DeadlineExceeded", "Job was active longer than specified deadline"))
    } else {
        None
    };
    let suspended = spec["suspend"] == true;
    if end.is_some() || suspended {
        seen.active.iter().for_each(|pod| pod::delete(store, pod));
    } else if may_retry(&seen.failed) {
        let wanted = number("parallelism", 1).min(completions - seen.succeeded);
        (seen.active.len()..wanted).for_each(|_| start(store, job));
    }
    report(store, job, end, suspended);
}

fn age(job: &Value) -> i64 {
    let started = text(&job["status"]["startTime"]).parse::<Timestamp>();
    started.map_or(0, |started| Timestamp::now().duration_since(started).as_secs())
}

/// After the n-th failure the next attempt waits 2^(n-1) s: a real cluster begins with 10 s.
fn may_retry(failed: &[Arc<Value>]) -> bool {
    let ended = |pod: &Arc<Value>| {
        let status = &pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"];
        text(status).parse::<Timestamp>().ok()
    };
    let Some(last) = failed.iter().filter_map(ended).max() else { return true };
    Timestamp::now().duration_since(last).as_secs() >= 1 << (failed.len() - 1).min(8)
}

fn start(store: &Store, job: &Value) {
    let pod = format!("{}-{}", name(job), object::random_suffix());
    let uid = text(&job["metadata"]["uid"]);
    let labels = [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name(job)),
        ("controller-uid", uid),
        ("job-name", name(job)),
    ];
    pod::create(store, job, &job["spec"]["template"], &pod, &labels);
}

fn report(store: &Store, job: &Value, end: Option<(&str, &str, &str)>, suspended: bool) {
    let seen = tally(store, job);
    set_status(store, RESOURCE, job, |status| {
        if status["startTime"].is_null() && !suspended {
            status["startTime"] = object::now().into();
        }
        let ready = seen.active.iter().filter(|pod| is_ready(pod)).count();
        count(status, "active", seen.active.len());
        count(status, "succeeded", seen.succeeded);
        count(status, "failed", seen.failed.len());
        status["ready"] = ready.into();
        if suspended || status["conditions"].is_array() {
            let (reason, message) =
                if suspended { ("JobSuspended", "Job suspended") } else { ("JobResumed", "Job resumed") };
            condition(status, "Suspended", suspended, reason, message);
        }
        if let Some((kind, reason, message)) = end {
            let first = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
            condition(status, first, true, reason, message);
            condition(status, kind, true, reason, message);
            if kind == "Complete" {
                status["completionTime"] = object::now().into();
            }
        }
    });
}
