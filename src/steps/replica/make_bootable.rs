//! Repairs the copied postgresql.conf while the target is fenced, then lifts the fence and sees it run.
//!
//! Patroni's file names its own absolute hba and ident files and, on a leader that was ever a replica, a slot and
//! recovery settings: with those the target does not boot, or boots and never streams, looking healthy. The fence is
//! lifted only after the instance manager said that it saw it: earlier can wedge it for good (observed-physical.md 1.4).
//! Where somebody has lifted it too early, the target is fenced again, or its server stopped once.
//! Nothing to undo (the file belongs to the copy). A crash leaves the target fenced; running again goes on.

use crate::{
    error::{Context, Error, Result},
    kube::{
        Probe,
        kind::{CLUSTER, POD},
    },
    step::*,
    steps::{bootstrap, ends},
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct MakeBootable {
    /// The CNPG cluster.
    pub target: String,
    /// The base backup's time is in it.
    pub limit: Duration,
}

const FENCED: &str = "Instance is fenced, won't start postgres right now";
const RESTART_ASKED: &str = "Instance restart requested";
const RESTARTED: &str = "PostgreSQL is shut down, starting the postmaster";
const ENDED: &str = "PostgreSQL process exited with errors";
const ANNOTATION: &str = "cnpg.io/fencedInstances";
const STOP: &str = r#"pg_ctl -D "$PGDATA" stop -m fast -w"#;
const TRIES: u32 = 3;
/// Exit code of `pg_ctl status`.
const NO_SERVER: i32 = 3;

/// Deletes what must not be in the copy, and fails if any of it is left.
const REPAIR: &str = r#"cd "$PGDATA" || exit 1
bad='^[[:space:]]*(hba_file|ident_file|data_directory|config_file|external_pid_file|primary_slot_name|primary_conninfo|restore_command|recovery_[a-z_]+|archive_cleanup_command|promote_trigger_file|standby_mode)[[:space:]]*='
sed -i -E "/$bad/d" postgresql.conf || exit 1
if grep -nE "$bad" postgresql.conf; then echo 'settings of the source are still in postgresql.conf' >&2; exit 1; fi"#;

impl MakeBootable {
    async fn pod(&self, world: &World) -> String {
        format!("{}-1", world.migration.target.cluster)
    }

    /// Waits for the copy and for the instance manager's word that it sees the fence. False: somebody has lifted it.
    async fn wait_fenced(&self, world: &World, pod: &str) -> Result<bool> {
        let running = |seen: Option<&Value>| match seen {
            Some(pod) if pod["status"]["phase"] == "Running" => Probe::Done,
            Some(pod) => Probe::Pending(format!("pod is {}", pod["status"]["phase"].as_str().unwrap_or("pending"))),
            None => Probe::Pending("the copy is being made".into()),
        };
        let what = "the target's pod to run";
        let runs = world.kube.wait(&POD, pod, what, self.limit, &world.cancel, &world.events, running);
        tokio::select! {
            running = runs => drop(running?),
            failed = copy_failed(world) => return Err(failed),
            never = attend_copy(world) => match never {},
        }
        while is_fenced(world).await? {
            // The container may not have started to log yet: no log is not an answer.
            let log = world.kube.logs(pod, "postgres", None).await.unwrap_or_default();
            if log.contains(FENCED) {
                return Ok(true);
            }
            world.events.detail("waiting for the instance manager to see the fence");
            world.sleep(Duration::from_millis(300)).await?;
        }
        Ok(false)
    }

    /// Waits until the unfenced target is ready or has died.
    async fn boot(&self, world: &World, pod: &str) -> Result<Boot> {
        let settled = |seen: Option<&Value>| match seen {
            Some(pod) if is_ready(pod) || has_died(pod) => Probe::Done,
            Some(_) => Probe::Pending("pod is not ready yet".into()),
            None => Probe::Pending("pod is being made".into()),
        };
        let limit = Duration::from_secs(300);
        let seen = world.kube.wait(&POD, pod, "the target to be ready", limit, &world.cancel, &world.events, settled);
        let seen = tokio::select! {
            seen = seen => seen?,
            () = stands_still(world, pod) => return Ok(Boot::Died),
        };
        Ok(match seen {
            Some(pod) if !is_ready(&pod) => Boot::Died,
            _ if is_wedged(world, pod).await? => Boot::Wedged,
            _ => Boot::Ready,
        })
    }

    /// What was unfenced before its settings were repaired dies at each start. Fenced again, in a pod whose log begins
    /// anew, and without Kubernetes' back-off.
    async fn fence_again(&self, world: &World, pod: &str) -> Result<()> {
        world.events.warn("the target's server ended at its start: fenced again");
        world.kube.merge(&CLUSTER, &world.migration.target.cluster, &fence()).await?;
        let Some(old) = world.kube.get(&POD, pod).await? else { return Ok(()) };
        world.kube.delete(&POD, pod).await?;
        let another = |seen: Option<&Value>| match seen {
            Some(pod) if pod["metadata"]["uid"] != old["metadata"]["uid"] => Probe::Done,
            _ => Probe::Pending("the next pod is being made".into()),
        };
        let (what, limit) = ("the target's next pod", Duration::from_secs(120));
        world.kube.wait(&POD, pod, what, limit, &world.cancel, &world.events, another).await.map(drop)
    }
}

/// How the target came up without its fence.
enum Boot {
    Ready,
    /// Its instance manager waits for the end of a server that has only just begun (observed-physical.md 1.4): it streams,
    /// and obeys nothing.
    Wedged,
    Died,
}

async fn is_wedged(world: &World, pod: &str) -> Result<bool> {
    let log = world.kube.logs(pod, "postgres", None).await.context("read the target's log")?;
    Ok(log.rfind(RESTART_ASKED).is_some_and(|asked| !log[asked..].contains(RESTARTED)))
}

/// Returns when the manager is seen to live on without its server: one that ended at once, with the source's settings, just
/// after a fence was lifted, leaves it so, and neither pod nor container ever changes (docs/real-cluster.md).
async fn stands_still(world: &World, pod: &str) {
    let status = ["sh", "-c", r#"pg_ctl -D "$PGDATA" status"#];
    let mut seen = 0;
    while seen < 2 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let server = world.kube.exec(pod, "postgres", &status, Duration::from_secs(10)).await;
        let none = server.is_ok_and(|answer| answer.code == NO_SERVER);
        let ended = none && world.kube.logs(pod, "postgres", None).await.is_ok_and(|log| log.contains(ENDED));
        seen = if ended { seen + 1 } else { 0 };
    }
}

/// The server's end is what a wedged manager waits for; it starts it again.
async fn free(world: &World, pod: &str) -> Result<()> {
    world.events.warn("the target's instance manager is wedged: its server is stopped once");
    let stop = world.kube.exec_ok(pod, "postgres", &["sh", "-c", STOP], Duration::from_secs(100)).await;
    stop.context("stop the target's server")?;
    while is_wedged(world, pod).await? {
        world.sleep(Duration::from_millis(300)).await?;
    }
    Ok(())
}

fn has_died(pod: &Value) -> bool {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    containers.into_iter().any(|c| c["restartCount"].as_u64() > Some(0) || c["state"]["terminated"].is_object())
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
        && pod["metadata"]["deletionTimestamp"].is_null()
}

const COPY: &str =
    "SELECT phase, backup_streamed AS sent, backup_total AS total FROM pg_stat_progress_basebackup LIMIT 1";

/// Tells how far the base backup is, and spares it the wait for a spread checkpoint: CNPG asks for no fast one, so it may
/// take minutes before the first byte; a CHECKPOINT meanwhile makes the one that is running hurry.
async fn attend_copy(world: &World) -> std::convert::Infallible {
    let mut hurried = false;
    loop {
        if let Ok(mut source) = ends::source(world).await {
            while let Ok(rows) = source.rows(COPY, &[]).await {
                if let Some(copy) = rows.first() {
                    let waits = copy["phase"] == "waiting for checkpoint to finish";
                    let mib = |field: &str| copy[field].as_u64().unwrap_or(0) >> 20;
                    world.events.detail(match waits {
                        true => "base backup: waiting for a checkpoint of the source".into(),
                        false => format!("base backup: {} of {} MiB", mib("sent"), mib("total")),
                    });
                    if waits && !hurried {
                        hurried = source.run("CHECKPOINT").await.is_ok();
                    }
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn fence() -> Value {
    json!({ "metadata": { "annotations": { ANNOTATION: r#"["*"]"# } } })
}

fn unfence() -> Value {
    json!({ "metadata": { "annotations": { ANNOTATION: null } } })
}

async fn is_fenced(world: &World) -> Result<bool> {
    Ok(!ends::cluster(world).await?["metadata"]["annotations"][ANNOTATION].is_null())
}

/// Ends with the reason when the copy's job has failed and is not being tried again just now.
async fn copy_failed(world: &World) -> Error {
    let (cluster, role) = (&world.migration.target.cluster, "pgbasebackup");
    loop {
        let pods = bootstrap::pods(world, cluster, role).await.unwrap_or_default();
        if let Some(failed) = pods.last().filter(|_| pods.iter().all(bootstrap::has_failed)) {
            let again = format!("kubectl pgmigrate rollback {} --remove-target", world.migration.name);
            return bootstrap::failure(world, cluster, role, failed).await.hint(again);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[async_trait::async_trait]
impl Step for MakeBootable {
    fn id(&self) -> String {
        "make-bootable".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "make the copy boot under CNPG".into(),
            details: "removes Patroni's settings from the copied postgresql.conf while fenced, then lifts the fence"
                .into(),
            objects: vec![format!("cluster/{}", self.target), format!("pod/{}-1", self.target)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let at = format!("pod {}-1", self.target);
        let repair = Sent::Call { at, call: "sh -c".into(), body: json!(REPAIR) };
        vec![repair, Sent::Patch { object: format!("cluster/{}", self.target), patch: unfence() }]
    }
    fn deadline(&self) -> Duration {
        self.limit + Duration::from_secs(400)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        if is_fenced(world).await? {
            return Ok(Observed::Absent);
        }
        let pod = self.pod(world).await;
        Ok(match world.kube.get(&POD, &pod).await? {
            Some(seen) if !is_ready(&seen) => Observed::Partial("unfenced, not ready".into()),
            Some(_) if is_wedged(world, &pod).await? => Observed::Partial("its instance manager is wedged".into()),
            Some(_) => Observed::Done,
            None => Observed::Partial("unfenced, without a pod".into()),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let pod = self.pod(world).await;
        for attempt in 1..=TRIES {
            if is_fenced(world).await? && self.wait_fenced(world, &pod).await? {
                let repair = world.kube.exec_ok(&pod, "postgres", &["sh", "-c", REPAIR], Duration::from_secs(30)).await;
                repair.context("repair the copied postgresql.conf")?;
                world.kube.merge(&CLUSTER, &world.migration.target.cluster, &unfence()).await?;
            }
            match self.boot(world, &pod).await? {
                Boot::Ready => return Ok(Value::Null),
                Boot::Wedged => free(world, &pod).await?,
                // The last one stays as it is: its log says why.
                Boot::Died if attempt == TRIES => break,
                Boot::Died => self.fence_again(world, &pod).await?,
            }
        }
        Err(Error::failed(format!("the target does not boot in {TRIES} tries"))
            .hint(format!("kubectl logs -n {} {pod} -c postgres", world.kube.namespace())))
    }
}
