//! The jobs that make a data directory: the Job object, its pods with back-off, and their logs (cnpg.md 2.5, 6.1).
use super::{
    JOBS, Operator, basebackup,
    cluster::Cluster,
    import, initdb,
    objects::{component_labels, metadata, now},
    place::Place,
    pods::{self, State},
    shutdown,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Kubernetes' default backoffLimit of 6: the first pod and six more.
const PODS: u32 = 7;

pub fn name(instance: &str, role: &str) -> String {
    format!("{instance}-{role}")
}

/// Runs the job for the volume of `serial` to its end: Complete, or Failed after seven pods. Ends early on `cancel`.
pub async fn run(
    operator: Arc<Operator>,
    cluster: Cluster,
    serial: u32,
    role: &'static str,
    cancel: CancellationToken,
) {
    let instance = cluster.pod(serial);
    let job_name = name(&instance, role);
    let Some(job) = create(&operator, &cluster, &instance, role) else { return };
    let mut pause = operator.options.job_backoff;
    for attempt in 1..=PODS {
        let pod = format!("{job_name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..5]);
        let place = match Place::new(&operator, &cluster, &instance, &pod) {
            Ok(place) => place,
            Err(error) => return tracing::error!("cannot make the place of job pod {pod}: {error}"),
        };
        let object = pods::of_job(&cluster, &place, &job, role, &instance);
        if let Err(refusal) = operator.store.create("pods", object) {
            return tracing::error!("cannot create job pod {pod}: {}", refusal.message);
        }
        place.attach(&operator, role);
        set(&operator, &cluster, &job_name, |status| status["active"] = 1.into());
        pods::set(&operator, &place, "", &State::Running { ready: true }, 0);
        let result = tokio::select! {
            result = work(&operator, &cluster, &place, role) => result,
            () = cancel.cancelled() => Err("cancelled".to_owned()),
        };
        // A failed import leaves its server running.
        shutdown::immediate(&place).await;
        if cancel.is_cancelled() {
            return;
        }
        if let Err(error) = &result {
            let copies = role == "pgbasebackup";
            let last = if copies { "Unable to bootstrap cluster" } else { "Error while bootstrapping data directory" };
            place.log.error(last, error);
        }
        pods::set(&operator, &place, "", &State::Ended { code: i32::from(result.is_err()) }, 0);
        finish(&operator, &cluster, &job_name, attempt, result.is_ok());
        if result.is_ok() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause *= 2,
            () = cancel.cancelled() => return,
        }
    }
}

async fn work(operator: &Operator, cluster: &Cluster, place: &Place, role: &str) -> Result<(), String> {
    match role {
        "initdb" => initdb::bootstrap(operator, cluster, place).await,
        "import" => import::bootstrap(operator, cluster, place).await,
        "pgbasebackup" => basebackup::from_external(operator, cluster, place).await,
        "join" => basebackup::from_primary(operator, cluster, place).await,
        other => Err(format!("the lab has no bootstrap method {other}")),
    }
}

fn create(operator: &Operator, cluster: &Cluster, instance: &str, role: &str) -> Option<Arc<Value>> {
    let mut metadata = metadata(cluster, &name(instance, role));
    component_labels(cluster, &mut metadata);
    metadata["labels"]["cnpg.io/instanceName"] = instance.into();
    metadata["labels"]["cnpg.io/jobRole"] = role.into();
    let mut labels = metadata["labels"].clone();
    labels["job-name"] = metadata["name"].clone();
    let container = json!({"name": role, "image": cluster.image()});
    let template =
        json!({"metadata": {"labels": labels}, "spec": {"containers": [container], "restartPolicy": "Never"}});
    let spec = json!({"backoffLimit": PODS - 1, "completions": 1, "parallelism": 1, "template": template});
    let job = json!({"metadata": metadata, "spec": spec, "status": {"startTime": now()}});
    match operator.store.create(JOBS, job) {
        Ok(job) => Some(job),
        Err(refusal) => {
            tracing::warn!("cannot create job {}: {}", name(instance, role), refusal.message);
            None
        }
    }
}

fn finish(operator: &Operator, cluster: &Cluster, job: &str, attempt: u32, done: bool) {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now(), "lastProbeTime": now()});
    set(operator, cluster, job, |status| {
        if let Some(status) = status.as_object_mut() {
            status.remove("active");
        }
        if done {
            status["succeeded"] = 1.into();
            status["completionTime"] = now().into();
            let message = "Reached expected number of succeeded pods";
            status["conditions"] = json!([
                condition("SuccessCriteriaMet", "CompletionsReached", message),
                condition("Complete", "CompletionsReached", message),
            ]);
        } else {
            status["failed"] = attempt.into();
            if attempt == PODS {
                let message = "Job has reached the specified backoff limit";
                status["conditions"] = json!([condition("Failed", "BackoffLimitExceeded", message)]);
            }
        }
    });
}

fn set(operator: &Operator, cluster: &Cluster, job: &str, change: impl FnOnce(&mut Value)) {
    let _ = operator.store.update(JOBS, &cluster.namespace, job, |job| change(&mut job["status"]));
}

/// `Complete`, `Failed`, or not yet either.
pub fn outcome(job: &Value) -> Option<&str> {
    let conditions = job["status"]["conditions"].as_array()?;
    let ended = conditions.iter().filter(|c| c["status"] == "True").filter_map(|c| c["type"].as_str());
    ended.into_iter().find(|kind| matches!(*kind, "Complete" | "Failed"))
}

/// Removes the Job with its pods.
pub fn remove(operator: &Operator, cluster: &Cluster, job: &str) {
    for pod in operator.store.list_labelled("pods", &cluster.namespace, &[("job-name", job)]) {
        if let Some(pod) = pod["metadata"]["name"].as_str() {
            operator.node.detach(&cluster.namespace, pod);
            let _ = operator.store.delete("pods", &cluster.namespace, pod);
        }
    }
    let _ = operator.store.delete(JOBS, &cluster.namespace, job);
}
