//! A Cluster's phase, and the restarts that go with it.
use super::{
    JOBS, Operator,
    cluster::Cluster,
    jobs, pods, promotion,
    status::{self, Seen},
};
use std::time::Duration;

const WAITING: &str = "Waiting for the instances to become active";
const RESTART_NEEDED: &str = "Postgres needs a restart to apply some configuration changes";

/// The phase, and the restarts that go with it.
pub fn advance(operator: &Operator, cluster: &Cluster, serials: &[u32]) {
    let seen = status::seen(operator, cluster, serials);
    let phase = |phase: &str, reason: &str| {
        status::change(operator, cluster, |status| status::set_phase(status, phase, reason))
    };
    if let Some(failed) = failed_jobs(operator, cluster) {
        let reason = format!(
            "Instance creation failed for the following jobs: {failed}. Check the job logs to investigate the cause of the failure."
        );
        return phase("Cluster is unrecoverable and needs manual intervention", &reason);
    }
    // A job is at work: its phase stands.
    if seen.iter().any(|s| s.volume.as_deref() != Some("ready")) {
        return;
    }
    if restarting_in_place(operator, cluster, &seen) || seen.iter().any(applying) {
        return;
    }
    let all_ready = seen.iter().all(|s| s.instance.as_ref().is_some_and(|i| i.report().ready));
    if !all_ready {
        let registered = cluster.status()["currentPrimary"].is_string() && cluster.status()["readyInstances"].is_null();
        let first = registered && cluster.status()["phaseReason"].is_null() && cluster.status()["phase"] == WAITING;
        return phase(WAITING, if first { "" } else { "Some instances are not yet active. Please wait." });
    }
    if let Some((pod, reason)) = to_roll(cluster, &seen) {
        let primary = cluster.current_primary() == Some(&pod);
        if reason == RESTART_NEEDED && primary {
            return phase(promotion::IN_PLACE, RESTART_NEEDED);
        }
        if primary {
            phase("Primary instance is being restarted without a switchover", &reason);
        } else {
            phase("Upgrading cluster", &format!("Restarting instance {pod}, because: {reason}"));
        }
        let _ = operator.store.delete("pods", &cluster.namespace, &pod);
        return;
    }
    // Reported as pending by the instance manager a moment ago, or settled: the next look tells.
    if seen.len() >= cluster.instances() as usize {
        phase(status::HEALTHY, "");
    }
}

fn applying(one: &Seen) -> bool {
    one.instance.as_ref().is_some_and(|instance| instance.report().applying)
}

/// The instance manager ends that phase itself, unless its pod was lost in the middle.
fn restarting_in_place(operator: &Operator, cluster: &Cluster, seen: &[Seen]) -> bool {
    if cluster.status()["phase"] != promotion::IN_PLACE {
        return false;
    }
    let primary = seen.iter().find(|s| cluster.current_primary() == Some(&s.pod)).and_then(|s| s.instance.as_ref());
    let Some(primary) = primary else { return false };
    let report = primary.report();
    let grace = operator.options.ready_delay + Duration::from_secs(3);
    let settled = report.ready && !report.pending_restart && report.started.is_some_and(|at| at.elapsed() > grace);
    !settled
}

fn failed_jobs(operator: &Operator, cluster: &Cluster) -> Option<String> {
    let jobs = operator.store.list_labelled(JOBS, &cluster.namespace, &[("cnpg.io/cluster", &cluster.name)]);
    let failed = jobs.iter().filter(|job| jobs::outcome(job) == Some("Failed"));
    let names: Vec<&str> = failed.filter_map(|job| job["metadata"]["name"].as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The next pod to restart and why: standbys before the primary.
fn to_roll(cluster: &Cluster, seen: &[Seen]) -> Option<(String, String)> {
    let mut ordered: Vec<&Seen> = seen.iter().collect();
    ordered.sort_by_key(|s| cluster.current_primary() == Some(&s.pod));
    ordered.into_iter().find_map(|s| Some((s.pod.clone(), why_restart(cluster, s)?)))
}

fn why_restart(cluster: &Cluster, one: &Seen) -> Option<String> {
    let pod = one.object.as_ref()?;
    let restarted = "kubectl.kubernetes.io/restartedAt";
    if cluster.annotation(restarted).is_some_and(|at| pod["metadata"]["annotations"][restarted] != at) {
        return Some("cluster has been explicitly restarted via annotation".into());
    }
    let image = &pod["spec"]["containers"][0]["image"];
    if *image != cluster.image().as_str() {
        return Some(format!(
            "the instance is using a different image: {} -> {}",
            image.as_str().unwrap_or_default(),
            cluster.image()
        ));
    }
    if pods::has_plugin_volume(pod) != pods::wants_plugin_volume(cluster) {
        let what = if pods::wants_plugin_volume(cluster) { "added" } else { "removed" };
        return Some(format!(
            "original and target PodSpec differ in containers: container postgres differs in volume-mounts: element plugins has been {what}"
        ));
    }
    one.instance.as_ref()?.report().pending_restart.then(|| RESTART_NEEDED.to_owned())
}
