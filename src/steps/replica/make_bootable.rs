//! Repairs the copied postgresql.conf while the target is fenced, then lifts the fence and sees it run.
//!
//! Patroni's file names its own absolute hba and ident files and, on a leader that was ever a replica, a slot and
//! recovery settings: with those the target does not boot, or boots and never streams, looking healthy. The fence is
//! lifted only after the instance manager said that it saw it: earlier can wedge it for good (observed-physical.md 1.4).
//! Nothing to undo (the file belongs to the copy). A crash leaves the target fenced; running again goes on.

use crate::{
    error::{Context, Error, Result},
    kube::{
        Probe,
        kind::{CLUSTER, POD},
    },
    step::*,
    steps::ends,
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
const ANNOTATION: &str = "cnpg.io/fencedInstances";

/// Deletes what must not be in the copy, and fails if any of it is left.
const REPAIR: &str = r#"cd "$PGDATA" || exit 1
bad='^[[:space:]]*(hba_file|ident_file|data_directory|config_file|external_pid_file|primary_slot_name|primary_conninfo|restore_command|recovery_[a-z_]+|archive_cleanup_command|promote_trigger_file|standby_mode)[[:space:]]*='
sed -i -E "/$bad/d" postgresql.conf || exit 1
if grep -nE "$bad" postgresql.conf; then echo 'settings of the source are still in postgresql.conf' >&2; exit 1; fi"#;

impl MakeBootable {
    async fn pod(&self, world: &World) -> String {
        format!("{}-1", world.migration.target.cluster)
    }

    /// Waits for the copy and for the instance manager's word that it sees the fence.
    async fn wait_fenced(&self, world: &World, pod: &str) -> Result<()> {
        let running = |seen: Option<&Value>| match seen {
            Some(pod) if pod["status"]["phase"] == "Running" => Probe::Done,
            Some(pod) => Probe::Pending(format!("pod is {}", pod["status"]["phase"].as_str().unwrap_or("pending"))),
            None => Probe::Pending("the copy is being made".into()),
        };
        let what = "the target's pod to run";
        let runs = world.kube.wait(&POD, pod, what, self.limit, &world.cancel, &world.events, running);
        tokio::select! {
            running = runs => drop(running?),
            never = attend_copy(world) => match never {},
        }
        loop {
            // The container may not have started to log yet: no log is not an answer.
            let log = world.kube.logs(pod, "postgres", None).await.unwrap_or_default();
            if log.contains(FENCED) {
                return Ok(());
            }
            world.events.detail("waiting for the instance manager to see the fence");
            world.sleep(Duration::from_millis(300)).await?;
        }
    }

    async fn wait_ready(&self, world: &World, pod: &str) -> Result<()> {
        let ready = |seen: Option<&Value>| match seen {
            Some(pod) if is_ready(pod) => Probe::Done,
            Some(_) => Probe::Pending("pod is not ready yet".into()),
            None => Probe::Pending("pod is being made".into()),
        };
        let limit = Duration::from_secs(300);
        world.kube.wait(&POD, pod, "the target to be ready", limit, &world.cancel, &world.events, ready).await?;
        let log = world.kube.logs(pod, "postgres", None).await.context("read the target's log")?;
        match log.rfind(RESTART_ASKED) {
            Some(asked) if !log[asked..].contains(RESTARTED) => {
                Err(Error::failed("the instance manager is wedged: it asked for a restart that never came")
                    .hint(format!("kubectl delete pod -n {} {pod} --grace-period=0 --force", world.kube.namespace())))
            }
            _ => Ok(()),
        }
    }
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

fn unfence() -> Value {
    json!({ "metadata": { "annotations": { ANNOTATION: null } } })
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
        if !ends::cluster(world).await?["metadata"]["annotations"][ANNOTATION].is_null() {
            return Ok(Observed::Absent);
        }
        Ok(match world.kube.get(&POD, &self.pod(world).await).await? {
            Some(pod) if is_ready(&pod) => Observed::Done,
            _ => Observed::Partial("unfenced, not ready".into()),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let pod = self.pod(world).await;
        if !ends::cluster(world).await?["metadata"]["annotations"][ANNOTATION].is_null() {
            self.wait_fenced(world, &pod).await?;
            world
                .kube
                .exec_ok(&pod, "postgres", &["sh", "-c", REPAIR], Duration::from_secs(30))
                .await
                .context("repair the copied postgresql.conf")?;
            world.kube.merge(&CLUSTER, &world.migration.target.cluster, &unfence()).await?;
        }
        self.wait_ready(world, &pod).await?;
        Ok(Value::Null)
    }
}
