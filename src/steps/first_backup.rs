//! The target's first base backup in its new store, and the schedule of those to come.
//!
//! After the window: only from here on can the target be restored to a point in time. Beyond the point of no return, so
//! there is nothing to undo. A crash leaves a backup under way; running again goes on waiting for it.

use crate::{
    error::{Error, Result},
    facts::cnpg::OURS,
    kube::{
        Probe,
        kind::{BACKUP, SCHEDULED_BACKUP},
    },
    spec,
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

pub struct FirstBackup {
    /// The migration's name.
    pub migration: String,
    /// The CNPG cluster.
    pub target: String,
    pub backup: spec::Backup,
    pub limit: Duration,
}

impl FirstBackup {
    fn first(&self) -> String {
        format!("{}-first", self.target)
    }

    fn scheduled(&self) -> String {
        format!("{}-scheduled", self.target)
    }

    fn object(&self, kind: &str, name: String) -> Value {
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": kind,
            "metadata": { "name": name, "labels": { OURS: self.migration } },
            "spec": {
                "cluster": { "name": self.target }, "method": "plugin", "pluginConfiguration": { "name": PLUGIN },
            },
        })
    }

    fn schedule(&self) -> Option<Value> {
        let mut scheduled = self.object("ScheduledBackup", self.scheduled());
        scheduled["spec"]["schedule"] = json!(self.backup.schedule.as_ref()?);
        Some(scheduled)
    }

    /// Of our Backup; an error for one that is older than the target: a Backup outlives its Cluster.
    async fn phase(&self, world: &World) -> Result<Option<String>> {
        let name = self.first();
        let (cluster, backup) = (ends::cluster(world).await?, world.kube.get(&BACKUP, &name).await?);
        let Some(backup) = backup else { return Ok(None) };
        // RFC 3339 in UTC by the second: their order is that of the text.
        let made = |object: &Value| object["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
        let ours = backup["metadata"]["labels"][OURS] == world.migration.name.as_str();
        if !ours || made(&backup) < made(&cluster) {
            let namespace = world.kube.namespace();
            return Err(Error::check(format!("backup {name} is there and is not one of this target")).hint(format!(
                "kubectl delete backup -n {namespace} {name}   # the object; what is in the store stays"
            )));
        }
        Ok(Some(backup["status"]["phase"].as_str().unwrap_or("new").to_owned()))
    }
}

#[async_trait::async_trait]
impl Step for FirstBackup {
    fn id(&self) -> String {
        "first-backup".into()
    }
    fn describe(&self) -> Description {
        let store = &self.backup.object_store;
        let schedule = self.backup.schedule.as_ref().map(|s| format!("; then at {s:?}")).unwrap_or_default();
        let mut objects = vec![format!("backup/{}", self.first())];
        objects.extend(self.backup.schedule.as_ref().map(|_| format!("scheduledbackup/{}", self.scheduled())));
        Description {
            title: "back up the target for the first time".into(),
            details: format!("a base backup in the object store {store}{schedule}"),
            objects,
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let all = std::iter::once(self.object("Backup", self.first())).chain(self.schedule());
        all.map(Sent::Object).collect()
    }
    fn deadline(&self) -> Duration {
        self.limit
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let phase = self.phase(world).await?;
        let scheduled = world.kube.get(&SCHEDULED_BACKUP, &self.scheduled()).await?.is_some();
        Ok(match phase.as_deref() {
            Some("completed") if scheduled || self.backup.schedule.is_none() => Observed::Done,
            None => Observed::Absent,
            Some(phase) => Observed::Partial(format!("backup {}", phase)),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let name = self.first();
        // A failed one stays failed: the operator does not try it again.
        if self.phase(world).await?.as_deref() == Some("failed") {
            world.kube.delete(&BACKUP, &name).await?;
        }
        if self.phase(world).await?.is_none() {
            world.kube.create(&BACKUP, &self.object("Backup", name.clone())).await?;
        }
        let ended = |seen: Option<&Value>| match seen.map(|backup| &backup["status"]) {
            None => Probe::Failed("it is gone".into()),
            Some(status) => match status["phase"].as_str() {
                Some("completed") => Probe::Done,
                Some("failed") => Probe::Failed(status["error"].as_str().unwrap_or("no reason given").to_owned()),
                phase => Probe::Pending(phase.unwrap_or("not begun").to_owned()),
            },
        };
        let (what, limit) = (format!("backup {name}"), self.limit);
        let backup = world.kube.wait(&BACKUP, &name, &what, limit, &world.cancel, &world.events, ended).await;
        let namespace = world.kube.namespace();
        let backup = backup.map_err(|e| e.hint(format!("kubectl describe backup -n {namespace} {name}")))?;
        if let Some(scheduled) = self.schedule() {
            world.kube.apply(&SCHEDULED_BACKUP, &scheduled).await?;
        }
        let status = &backup.as_ref().ok_or_else(|| Error::failed(format!("{what} is gone")))?["status"];
        let id = status["backupId"].as_str().unwrap_or_default();
        Ok(json!({ "note": format!("{id} in {}", self.backup.object_store), "backup": status }))
    }
}
