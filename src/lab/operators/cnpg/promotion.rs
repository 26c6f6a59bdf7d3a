//! Becoming a primary, becoming a replica again, and the restart in between (observed-physical.md 4.1).
use super::{
    CLUSTERS, LEASES, Operator,
    cluster::Cluster,
    conf,
    instance::{Instance, start_postmaster},
    manager::Manager,
    objects::now_micro,
    process, shutdown, sql, status,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

pub const IN_PLACE: &str = "Primary instance is being restarted in-place";
pub const RESTARTED: &str = "Primary instance restarted in-place";
pub const APPLYING: &str = "Applying configuration";

/// At once and without a look at what has been received. The Lease comes first, then `pg_ctl promote`.
pub async fn promote(operator: &Operator, instance: &Instance, manager: &mut Manager) {
    let place = &instance.place;
    let _ = operator.store.update(LEASES, &place.namespace, &place.cluster, |lease| {
        let spec = &mut lease["spec"];
        if spec["holderIdentity"] != place.pod.as_str() {
            spec["leaseTransitions"] = (spec["leaseTransitions"].as_u64().unwrap_or(0) + 1).into();
            spec["acquireTime"] = now_micro().into();
        }
        spec["holderIdentity"] = place.pod.clone().into();
        spec["leaseDurationSeconds"] = 15.into();
        spec["renewTime"] = now_micro().into();
    });
    place.log.info("Acquired primary lease");
    place.log.info("Setting myself as primary");
    place.log.info("Promoting instance");
    let args = ["promote", "-w", "-D", &place.data().display().to_string()].map(str::to_owned);
    match process::quiet(place, "pg_ctl", &args, &BTreeMap::new()).await {
        Ok(ended) if ended.ok() => place.log.info("The PostgreSQL instance has been promoted successfully"),
        Ok(ended) => return place.log.error("Error while promoting the instance", &ended.stderr.join("\n")),
        Err(error) => return place.log.error("Error while promoting the instance", &error.to_string()),
    }
    // Reported before the configuration is touched: read-write comes first, the pending restart after it.
    manager.look(operator, instance).await;
}

/// `replica.enabled` set back to true after the promotion: in recovery again, on a timeline of its own.
pub async fn demote(operator: &Operator, instance: &Instance, manager: &mut Manager) {
    instance.place.log.info("This is an old primary instance, waiting for the switchover to finish");
    instance.place.log.info("Demoting instance in place");
    shutdown::fast(&instance.place, || {}).await;
    begin_again(operator, instance, manager).await;
}

async fn begin_again(operator: &Operator, instance: &Instance, manager: &mut Manager) {
    match start_postmaster(operator, instance).await {
        Some(Ok(())) => {
            manager.started(operator, instance);
            manager.look(operator, instance).await;
        }
        // The watch finds it dead.
        Some(Err(error)) => instance.place.log.error("Error while starting the instance", &error),
        None => {}
    }
}

/// Writes what the spec says and reloads. What needs a restart is said in the phase, by the instance manager itself.
pub async fn apply_configuration(operator: &Operator, instance: &Instance, cluster: &Cluster, manager: &mut Manager) {
    let place = &instance.place;
    match conf::refresh(operator, cluster, place, conf::role(cluster, &place.pod)) {
        Ok(false) => return,
        Ok(true) => {}
        Err(error) => return place.log.error("while reconciling the configuration", &error),
    }
    place.log.info("Requesting configuration reload");
    instance.tell(operator, |report| report.applying = true);
    match sql::run(place, "postgres", "SELECT pg_reload_conf()").await {
        Ok(()) => await_effect(operator, instance, cluster).await,
        Err(error) => place.log.error("while requesting configuration reload", &error),
    }
    manager.look(operator, instance).await;
    instance.tell(operator, |report| report.applying = false);
}

/// The postmaster reads the files when its signal arrives; pending_restart shows in a session begun after that.
async fn await_effect(operator: &Operator, instance: &Instance, cluster: &Cluster) {
    const PENDING: &str = "SELECT count(*) FROM pg_settings WHERE pending_restart";
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let pending = sql::value(&instance.place, "postgres", PENDING).await.is_ok_and(|count| count != "0");
        if pending && cluster.current_primary() == Some(&instance.place.pod) {
            phase(operator, instance, APPLYING, "PostgreSQL configuration changed");
        }
        if pending {
            return;
        }
    }
}

/// The operator asks for the restart through the phase.
pub async fn restart_if_asked(operator: &Operator, instance: &Instance, manager: &mut Manager) {
    let place = &instance.place;
    let Some(cluster) = instance.cluster(operator) else { return };
    let asked = cluster.status()["phase"] == IN_PLACE && cluster.current_primary() == Some(&place.pod);
    if !asked || manager.healthy_at.is_some() {
        return;
    }
    place.log.info("Restarting primary instance in-place");
    instance.tell(operator, |report| {
        report.running = false;
        report.timeline = None;
        report.system_id = None;
        report.pending_restart = false;
    });
    place.log.info("Instance restart requested, waiting for PostgreSQL to shut down");
    let unready = |waited: Duration| {
        // Three missed readiness probes (seen: 26 s).
        if waited > Duration::from_secs(25) {
            instance.set_ready(operator, false);
        }
    };
    tokio::select! {
        () = shutdown::smart_then_fast(place, cluster.smart_shutdown_timeout(), unready) => {}
        () = instance.gone.cancelled() => return,
    }
    place.log.info("PostgreSQL is shut down, starting the postmaster");
    begin_again(operator, instance, manager).await;
    manager.healthy_at = Some(Instant::now() + operator.options.ready_delay);
}

/// Says that the restart is over, some seconds after it is.
pub fn restart_is_over(operator: &Operator, instance: &Instance, manager: &mut Manager) {
    if manager.healthy_at.is_none_or(|at| at > Instant::now()) {
        return;
    }
    manager.healthy_at = None;
    let (namespace, cluster) = (&instance.place.namespace, &instance.place.cluster);
    let _ = operator.store.update(CLUSTERS, namespace, cluster, |object| {
        if object["status"]["phase"] == IN_PLACE {
            status::set_phase(&mut object["status"], status::HEALTHY, RESTARTED);
        }
    });
}

fn phase(operator: &Operator, instance: &Instance, phase: &str, reason: &str) {
    let (namespace, cluster) = (&instance.place.namespace, &instance.place.cluster);
    let set = |object: &mut Value| status::set_phase(&mut object["status"], phase, reason);
    let _ = operator.store.update(CLUSTERS, namespace, cluster, set);
}
