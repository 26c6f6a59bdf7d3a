//! The operator's half: one task per Cluster that makes objects, jobs and pods, and reads instance managers' reports.
use super::{
    CLUSTERS, JOBS, Operator, PVCS, backups,
    cluster::Cluster,
    instance::{self, Instance},
    jobs, objects, phase,
    place::{self, Place},
    pods, pooler, secrets, shutdown, status,
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What runs for one Cluster besides its instances.
#[derive(Default)]
pub struct Work {
    jobs: HashMap<String, JoinHandle<()>>,
    backups: backups::Running,
    pooler: pooler::Running,
}

/// Until the Cluster is gone or the lab ends.
pub async fn serve(operator: Arc<Operator>, first: Cluster) {
    let cancel = CancellationToken::new();
    let mut work = Work::default();
    loop {
        if operator.stop.is_cancelled() {
            break end(&operator, &first, &cancel, work, false).await;
        }
        let there = operator.store.get(CLUSTERS, &first.namespace, &first.name).map(|object| Cluster::of(&object));
        let Some(cluster) = there.filter(|cluster| cluster.uid == first.uid) else {
            break end(&operator, &first, &cancel, work, true).await;
        };
        follow_pods(&operator, &cluster);
        if !operator.away() && cluster.annotation("cnpg.io/reconciliationLoop") != Some("disabled") {
            step(&operator, &cluster, &cancel, &mut work).await;
        }
        tokio::select! {
            () = operator.nap(Duration::from_millis(500)) => {}
            () = operator.stop.cancelled() => {}
        }
    }
}

/// The kubelet's part: a pod that is gone from the API ends.
fn follow_pods(operator: &Operator, cluster: &Cluster) {
    for instance in all(operator, cluster) {
        let pod = operator.store.get("pods", &cluster.namespace, &instance.place.pod);
        let same =
            |pod: &Arc<Value>| pod["metadata"]["uid"] == instance.uid && pod["metadata"]["deletionTimestamp"].is_null();
        if !pod.as_ref().is_some_and(same) {
            instance.gone.cancel();
        }
    }
}

/// The Cluster's living instances, by serial.
pub fn all(operator: &Operator, cluster: &Cluster) -> Vec<Arc<Instance>> {
    let mine = |instance: &&Arc<Instance>| {
        instance.place.namespace == cluster.namespace && instance.place.cluster == cluster.name
    };
    let mut found: Vec<Arc<Instance>> = operator.instances().values().filter(mine).cloned().collect();
    found.sort_by_key(|instance| instance.serial);
    found
}

/// Stops everything of a Cluster; `gone`: its data too.
async fn end(operator: &Operator, cluster: &Cluster, cancel: &CancellationToken, work: Work, gone: bool) {
    cancel.cancel();
    work.pooler.stop().await;
    for (_, job) in work.jobs {
        let _ = job.await;
    }
    let instances = all(operator, cluster);
    instances.iter().for_each(|instance| instance.gone.cancel());
    for instance in &instances {
        while operator.instance(&cluster.namespace, &instance.place.pod).is_some_and(|now| now.uid == instance.uid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    if !gone {
        return;
    }
    for serial in 1..=instances.iter().map(|i| i.serial).max().unwrap_or(0).max(cluster.instances()).max(16) {
        place::remove(&operator.node, &cluster.namespace, &cluster.pod(serial));
    }
}

/// One reconciliation. Small steps in the real order; what cannot be done yet is done by a later one.
async fn step(operator: &Arc<Operator>, cluster: &Cluster, cancel: &CancellationToken, work: &mut Work) {
    secrets::ensure(operator, cluster);
    objects::ensure(operator, cluster);
    status::basics(operator, cluster);
    if cluster.hibernated() {
        return hibernate(operator, cluster);
    }
    let serials = volumes(operator, cluster);
    if serials.is_empty() {
        begin(operator, cluster);
        return start_job(operator, cluster, 1, cluster.job_role(), cancel, work);
    }
    for &serial in &serials {
        volume_to_pod(operator, cluster, serial);
    }
    status::publish(operator, cluster, &serials);
    let Some(cluster) = operator.store.get(CLUSTERS, &cluster.namespace, &cluster.name).map(|o| Cluster::of(&o)) else {
        return;
    };
    scale(operator, &cluster, &serials, cancel, work);
    phase::advance(operator, &cluster, &serials);
    remove_finished_jobs(operator, &cluster, &serials);
    work.backups.look(operator, &cluster);
    work.pooler.look(operator, &cluster);
}

/// Serials of the volumes that exist.
pub fn volumes(operator: &Operator, cluster: &Cluster) -> Vec<u32> {
    let labels = [("cnpg.io/cluster", cluster.name.as_str()), ("cnpg.io/pvcRole", "PG_DATA")];
    let serial = |volume: &Arc<Value>| volume["metadata"]["annotations"]["cnpg.io/nodeSerial"].as_str()?.parse().ok();
    let mut serials: Vec<u32> =
        operator.store.list_labelled(PVCS, &cluster.namespace, &labels).iter().filter_map(serial).collect();
    serials.sort_unstable();
    serials
}

fn begin(operator: &Operator, cluster: &Cluster) {
    objects::ensure_volume(operator, cluster, 1);
    let pod = cluster.pod(1);
    let how =
        format!("Primary instance ({})", if cluster.job_role() == "import" { "initdb" } else { cluster.job_role() });
    operator.store.event(&cluster.object, "Normal", "CreatingInstance", &how);
    status::change(operator, cluster, |status| {
        status["targetPrimary"] = pod.clone().into();
        status["targetPrimaryTimestamp"] = objects::now_micro().into();
        status::set_phase(status, "Setting up primary", &format!("Creating primary instance {pod}"));
    });
}

fn start_job(
    operator: &Arc<Operator>,
    cluster: &Cluster,
    serial: u32,
    role: &'static str,
    cancel: &CancellationToken,
    work: &mut Work,
) {
    let name = jobs::name(&cluster.pod(serial), role);
    if operator.store.get(JOBS, &cluster.namespace, &name).is_some() {
        return;
    }
    let task = jobs::run(operator.clone(), cluster.clone(), serial, role, cancel.child_token());
    work.jobs.retain(|_, job| !job.is_finished());
    work.jobs.insert(name, tokio::spawn(task));
}

/// A finished job's volume becomes ready; a ready volume gets its pod.
fn volume_to_pod(operator: &Arc<Operator>, cluster: &Cluster, serial: u32) {
    let pod = cluster.pod(serial);
    let role = if serial == 1 { cluster.job_role() } else { "join" };
    if objects::volume_status(operator, cluster, &pod).as_deref() == Some("initializing") {
        let job = operator.store.get(JOBS, &cluster.namespace, &jobs::name(&pod, role));
        if job.is_some_and(|job| jobs::outcome(&job) == Some("Complete")) {
            objects::set_volume_status(operator, cluster, &pod, "ready");
        } else {
            return;
        }
    }
    let gone = operator.store.get("pods", &cluster.namespace, &pod).is_none();
    // The last pod's server may still be shutting down.
    if gone && operator.instance(&cluster.namespace, &pod).is_none() {
        create_pod(operator, cluster, serial);
    }
}

fn create_pod(operator: &Arc<Operator>, cluster: &Cluster, serial: u32) {
    let name = cluster.pod(serial);
    let place = match Place::new(operator, cluster, &name, &name) {
        Ok(place) => place,
        Err(error) => return tracing::error!("cannot make the place of pod {name}: {error}"),
    };
    match operator.store.create("pods", pods::instance(cluster, &place, serial)) {
        Ok(pod) => {
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            instance::start(operator, place, serial, uid);
        }
        Err(refusal) => tracing::warn!("cannot create pod {name}: {}", refusal.message),
    }
}

/// One instance more or less at a time, and only from a settled state.
fn scale(operator: &Arc<Operator>, cluster: &Cluster, serials: &[u32], cancel: &CancellationToken, work: &mut Work) {
    let settled = serials
        .iter()
        .all(|&serial| operator.instance(&cluster.namespace, &cluster.pod(serial)).is_some_and(|i| i.report().ready));
    let wanted = cluster.instances() as usize;
    if let Some(&serial) = serials.iter().find(|&&s| s > 1 && !ready_volume(operator, cluster, s)) {
        return start_job(operator, cluster, serial, "join", cancel, work);
    }
    if settled && serials.len() < wanted {
        let serial = (1..).find(|serial| !serials.contains(serial)).unwrap_or(1);
        objects::ensure_volume(operator, cluster, serial);
        let reason = format!("Creating replica {}", jobs::name(&cluster.pod(serial), "join"));
        status::change(operator, cluster, |status| status::set_phase(status, "Creating a new replica", &reason));
        start_job(operator, cluster, serial, "join", cancel, work);
    } else if serials.len() > wanted.max(1) {
        let spare = serials.iter().rev().map(|&s| cluster.pod(s)).find(|pod| cluster.current_primary() != Some(pod));
        if let Some(pod) = spare {
            remove_instance(operator, cluster, &pod);
        }
    }
}

fn ready_volume(operator: &Operator, cluster: &Cluster, serial: u32) -> bool {
    objects::volume_status(operator, cluster, &cluster.pod(serial)).as_deref() == Some("ready")
}

fn remove_instance(operator: &Arc<Operator>, cluster: &Cluster, pod: &str) {
    let _ = operator.store.delete("pods", &cluster.namespace, pod);
    let _ = operator.store.delete(PVCS, &cluster.namespace, pod);
    let Some(instance) = operator.instance(&cluster.namespace, pod) else { return };
    instance.gone.cancel();
    let node = operator.node.clone();
    tokio::spawn(async move {
        shutdown::immediate(&instance.place).await;
        place::remove(&node, &instance.place.namespace, &instance.place.instance);
    });
}

/// When every instance reports (cnpg.md 2.5).
fn remove_finished_jobs(operator: &Operator, cluster: &Cluster, serials: &[u32]) {
    let ready =
        |&serial: &u32| operator.instance(&cluster.namespace, &cluster.pod(serial)).is_some_and(|i| i.report().ready);
    if !serials.iter().all(ready) {
        return;
    }
    for job in operator.store.list_labelled(JOBS, &cluster.namespace, &[("cnpg.io/cluster", &cluster.name)]) {
        if jobs::outcome(&job) == Some("Complete")
            && let Some(name) = job["metadata"]["name"].as_str()
        {
            jobs::remove(operator, cluster, name);
        }
    }
}

/// Pods go, volumes stay.
fn hibernate(operator: &Operator, cluster: &Cluster) {
    for instance in all(operator, cluster) {
        let _ = operator.store.delete("pods", &cluster.namespace, &instance.place.pod);
        instance.gone.cancel();
    }
    let asleep = all(operator, cluster).is_empty();
    status::hibernated(operator, cluster, asleep);
}
