//! The instance manager: one task per instance pod, from the start of its container to the end of the pod.
//!
//! It lives on while the operator's half is paused: promotion is its work alone, the restart after it is not.
use super::{
    CLUSTERS, Operator,
    cluster::Cluster,
    conf::{self, Role},
    manager::{Manager, Why},
    objects::{VERSION, now_micro},
    place::Place,
    podlog,
    pods::{self, State},
    secrets, shutdown,
};
use crate::lab::workloads::pod::release;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What the pod's status endpoint says (`/pg/status` of the real one).
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The endpoint answers: the container runs.
    pub manager: bool,
    /// PostgreSQL answers.
    pub running: bool,
    pub primary: bool,
    pub timeline: Option<u32>,
    pub system_id: Option<String>,
    pub pending_restart: bool,
    pub ready: bool,
    /// A configuration has been reloaded and its effect is being looked at.
    pub applying: bool,
    /// When PostgreSQL was last started.
    pub started: Option<Instant>,
}

pub struct Instance {
    pub place: Place,
    pub serial: u32,
    /// uid of the pod object.
    pub uid: String,
    report: Mutex<Report>,
    /// The pod is to end.
    pub gone: CancellationToken,
    pub restarts: Mutex<u32>,
}

impl Instance {
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn tell(&self, operator: &Operator, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
        operator.news.notify_waiters();
    }

    /// The Cluster as it is now; None: it is gone.
    pub fn cluster(&self, operator: &Operator) -> Option<Cluster> {
        operator.store.get(CLUSTERS, &self.place.namespace, &self.place.cluster).map(|object| Cluster::of(&object))
    }

    fn fenced(&self, operator: &Operator) -> bool {
        self.cluster(operator).is_some_and(|cluster| cluster.fenced(&self.place.pod))
    }

    pub fn restarts(&self) -> u32 {
        *self.restarts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the container's state, and with it Ready, into the pod.
    pub fn show(&self, operator: &Operator, state: &State) {
        pods::set(operator, &self.place, &self.uid, state, self.restarts());
    }

    pub fn set_ready(&self, operator: &Operator, ready: bool) {
        if self.report().ready != ready {
            self.show(operator, &State::Running { ready });
            self.tell(operator, |report| report.ready = ready);
        }
    }
}

/// Starts the task of a pod that was just created.
pub fn start(operator: &Arc<Operator>, place: Place, serial: u32, uid: String) {
    let key = (place.namespace.clone(), place.pod.clone());
    let (report, restarts) = (Mutex::default(), Mutex::default());
    // Not a child of the lab's token: at its end the cluster's task ends the instances, each in order.
    let instance = Arc::new(Instance { place, serial, uid, report, gone: CancellationToken::new(), restarts });
    operator.instances().insert(key.clone(), instance.clone());
    let operator = operator.clone();
    tokio::spawn(async move {
        instance.place.attach(&operator, "postgres");
        live(&operator, &instance).await;
        // As the kubelet does: the end is shown, then the pod goes.
        instance.show(&operator, &State::Ended { code: 0 });
        let same = |pod: &Arc<serde_json::Value>| pod["metadata"]["uid"] == instance.uid;
        if let Some(pod) = operator.store.get("pods", &key.0, &key.1).filter(same) {
            release(&operator.store, &pod);
        }
        operator.node.detach(&key.0, &key.1);
        operator.instances().remove(&key);
        operator.news.notify_waiters();
    });
}

/// Containers one after the other, with Kubernetes' back-off, until the pod is gone.
async fn live(operator: &Operator, instance: &Instance) {
    let mut pause = Duration::ZERO;
    while !instance.gone.is_cancelled() {
        let begun = Instant::now();
        let Some(code) = container(operator, instance).await else { break };
        instance.tell(operator, |report| *report = Report::default());
        instance.show(operator, &State::Ended { code });
        if begun.elapsed() > Duration::from_secs(600) {
            pause = Duration::ZERO;
        }
        if !pause.is_zero() {
            let (pod, namespace) = (&instance.place.pod, &instance.place.namespace);
            let message = format!(
                "back-off {}s restarting failed container=postgres pod={pod}_{namespace}({})",
                pause.as_secs(),
                instance.uid
            );
            instance.show(operator, &State::Waiting { reason: "CrashLoopBackOff", message });
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = instance.gone.cancelled() => break,
        }
        pause = if pause.is_zero() {
            operator.options.crash_backoff
        } else {
            (pause * 2).min(operator.options.crash_backoff * 30)
        };
        *instance.restarts.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
    leave(operator, instance).await;
}

/// The pod's end: as gentle as the spec says, or at once when nobody will need the data.
async fn leave(operator: &Operator, instance: &Instance) {
    let unwanted = || operator.stop.is_cancelled() || instance.cluster(operator).is_none();
    let patience = instance.cluster(operator).map_or(Duration::ZERO, |cluster| cluster.smart_shutdown_timeout());
    if instance.place.server.running() && !unwanted() {
        tokio::select! {
            () = shutdown::smart_then_fast(&instance.place, patience, |_| {}) => {}
            () = async { while !unwanted() { tokio::time::sleep(Duration::from_millis(100)).await } } => {}
        }
    }
    shutdown::immediate(&instance.place).await;
}

/// One container's life: its exit code, or None when the pod is gone.
async fn container(operator: &Operator, instance: &Instance) -> Option<i32> {
    let place = &instance.place;
    instance.show(operator, &State::Running { ready: false });
    instance.tell(operator, |report| report.manager = true);
    place.log.info_with("Starting CloudNativePG Instance Manager", serde_json::json!({"version": VERSION}));
    register(operator, instance);
    let mut manager = Manager::default();
    fence_check(operator, instance, &mut manager).await?;
    loop {
        if let Err(error) = start_postmaster(operator, instance).await? {
            place.log.error("PostgreSQL process exited with errors", &error);
            // One that was only too slow must not hold the data directory when the next container comes.
            shutdown::immediate(place).await;
            if manager.lifted {
                // The real manager lives on without its server (seen with 1.30.0).
                instance.gone.cancelled().await;
                return None;
            }
            // The real container ends with 0 all the same (observed-physical.md 1.1).
            return Some(0);
        }
        let why = manager.watch(operator, instance).await;
        instance.tell(operator, |report| {
            *report = Report { manager: true, ready: report.ready, primary: report.primary, ..Report::default() }
        });
        instance.set_ready(operator, false);
        match why {
            Why::Gone => return None,
            Why::Fenced => wait_fenced(operator, instance, &mut manager).await?,
            Why::Died if manager.wedged => {
                // Whoever stopped it by `pg_ctl stop -w` must find it gone: that looks every 100 ms.
                tokio::time::sleep(Duration::from_millis(250)).await;
                place.log.info("PostgreSQL is shut down, starting the postmaster");
                manager.wedged = false;
            }
            Why::Died => {
                place.log.error("PostgreSQL process exited with errors", "exit status 1");
                return Some(0);
            }
        }
    }
}

/// The manager notes the fence, and a moment later the postmaster's own loop looks for it. None when the pod is gone.
async fn fence_check(operator: &Operator, instance: &Instance, manager: &mut Manager) -> Option<()> {
    let fenced = instance.fenced(operator);
    tokio::select! {
        () = tokio::time::sleep(operator.options.fence_window) => {}
        () = instance.gone.cancelled() => return None,
    }
    match (fenced, instance.fenced(operator)) {
        (_, true) => wait_fenced(operator, instance, manager).await?,
        // Lifted between SetFencing and the postmaster's own look: its loop now waits for the end of a postmaster
        // that has just been started (observed-physical.md 1.4).
        (true, false) if !operator.options.fence_window.is_zero() => {
            instance.place.log.info("Instance restart requested, waiting for PostgreSQL to shut down");
            manager.wedged = true;
        }
        _ => {}
    }
    Some(())
}

/// The target primary says that it is here.
fn register(operator: &Operator, instance: &Instance) {
    let (namespace, cluster) = (&instance.place.namespace, &instance.place.cluster);
    let _ = operator.store.update(CLUSTERS, namespace, cluster, |object| {
        let status = &mut object["status"];
        if status["targetPrimary"] == instance.place.pod.as_str() && status["currentPrimary"] != status["targetPrimary"]
        {
            status["currentPrimary"] = status["targetPrimary"].clone();
            status["currentPrimaryTimestamp"] = now_micro().into();
        }
    });
}

/// None when the pod is gone.
async fn wait_fenced(operator: &Operator, instance: &Instance, manager: &mut Manager) -> Option<()> {
    let log = &instance.place.log;
    log.info("Instance is fenced, won't start postgres right now");
    while instance.fenced(operator) {
        tokio::select! {
            () = operator.nap(Duration::from_millis(250)) => {}
            () = instance.gone.cancelled() => return None,
        }
    }
    log.info("Fencing status changed, will not proceed with the reconciliation loop");
    log.info("Instance restart requested, waiting for PostgreSQL to shut down");
    log.info("PostgreSQL is shut down, starting the postmaster");
    manager.not_before = Some(Instant::now() + operator.options.unfence_pause);
    manager.lifted = true;
    Some(())
}

/// Configuration, then the server. None: the pod is gone. Err: why it did not come up.
pub async fn start_postmaster(operator: &Operator, instance: &Instance) -> Option<Result<(), String>> {
    let cluster = instance.cluster(operator).filter(|_| !operator.stop.is_cancelled())?;
    let place = &instance.place;
    let role = conf::role(&cluster, &place.pod);
    let prepared = || -> Result<(), String> {
        secrets::install(operator, place).map_err(|error| error.to_string())?;
        conf::refresh(operator, &cluster, place, role)?;
        let signal = place.data().join("standby.signal");
        // Taken away only by a promotion.
        if role != Role::Primary && !signal.exists() { super::basebackup::standby_signal(place) } else { Ok(()) }
    };
    if let Err(error) = prepared() {
        return Some(Err(error));
    }
    let follow = tokio::spawn(podlog::follow(place.server.log.clone(), place.log.clone()));
    place.follower.replace(follow.abort_handle());
    if let Some((parameter, path)) = conf::foreign_file(place.data()) {
        refuse(place, &parameter, &path);
        return Some(Err("exit status 1".into()));
    }
    tokio::select! {
        started = place.server.start(&[]) => Some(started.map_err(|failure| failure.0)),
        () = instance.gone.cancelled() => None,
    }
}

/// What the server says in a pod where the source's paths do not exist.
fn refuse(place: &Place, parameter: &str, path: &str) {
    if parameter == "hba_file" {
        place.log.server("LOG", "58P01", &format!("could not open file \"{path}\": No such file or directory"));
        place.log.server("FATAL", "XX000", &format!("could not load {path}"));
        place.log.server("LOG", "00000", "database system is shut down");
    } else {
        place.log.server("FATAL", "58P01", &format!("data directory \"{path}\" does not exist"));
    }
}
