//! Backup objects: a real base backup into the pod's own `backups` directory; failed for the reasons that were seen
//! (observed-physical.md 5, cnpg.md 8.2). ScheduledBackups are only kept.
use super::{
    BACKUPS, Operator, cluster::Cluster, conf, external, instance::Instance, objects::now, pods, process, status,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// Backups under way; dropped with the Cluster.
#[derive(Default)]
pub struct Running {
    tasks: JoinSet<()>,
}

impl Running {
    /// Starts what is new. A Backup waits as pending for an instance that can be backed up.
    pub fn look(&mut self, operator: &Arc<Operator>, cluster: &Cluster) {
        while self.tasks.try_join_next().is_some() {}
        for backup in operator.store.list(BACKUPS, Some(&cluster.namespace)) {
            let new = matches!(backup["status"]["phase"].as_str(), None | Some("" | "pending"));
            if !new || backup["spec"]["cluster"]["name"] != cluster.name.as_str() {
                continue;
            }
            let name = backup["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let method = backup["spec"]["method"].as_str().unwrap_or("barmanObjectStore").to_owned();
            if let Err(error) = possible(operator, cluster, &backup, &method) {
                fail(operator, cluster, &name, &method, &error);
                continue;
            }
            let primary = cluster.current_primary().and_then(|pod| operator.instance(&cluster.namespace, pod));
            let Some(primary) = primary.filter(|primary| primary.report().ready) else {
                set(operator, cluster, &name, |status| status["phase"] = "pending".into());
                continue;
            };
            set(operator, cluster, &name, |status| {
                status["phase"] = "started".into();
                status["method"] = method.clone().into();
                status["startedAt"] = now().into();
                status["instanceID"] = json!({"podName": primary.place.pod, "ContainerID": primary.uid});
            });
            condition(operator, cluster, "False", "BackupStarted", "New Backup starting up");
            self.tasks.spawn(take(operator.clone(), cluster.clone(), primary, name, method));
        }
    }
}

/// Final refusals, not retried.
fn possible(operator: &Operator, cluster: &Cluster, backup: &Value, method: &str) -> Result<(), String> {
    if method != "plugin" {
        let configured = cluster.spec()["backup"][method].is_object();
        return if configured {
            Ok(())
        } else {
            Err("cannot proceed with the backup as the cluster has no backup section".into())
        };
    }
    let plugin = backup["spec"]["pluginConfiguration"]["name"].as_str().unwrap_or_default();
    let listed = cluster.spec()["plugins"]
        .as_array()
        .is_some_and(|list| list.iter().any(|one| one["name"] == plugin && one["enabled"] != false));
    // Listed a moment ago is not enough: the sidecar comes with the next pod.
    let pod = cluster.current_primary().and_then(|pod| operator.store.get("pods", &cluster.namespace, pod));
    let loaded = pod.is_none_or(|pod| pods::has_plugin_volume(&pod));
    if listed && loaded { Ok(()) } else { Err(format!("requested plugin is not available: {plugin}")) }
}

async fn take(operator: Arc<Operator>, cluster: Cluster, primary: Arc<Instance>, name: String, method: String) {
    let id = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
    match base_backup(&operator, &cluster, &primary, &id).await {
        Ok(range) => {
            set(&operator, &cluster, &name, |status| {
                status["phase"] = "completed".into();
                status["backupId"] = id.clone().into();
                status["backupName"] = format!("backup-{}", id.replace('T', "")).into();
                status["stoppedAt"] = now().into();
                status["online"] = true.into();
                status["majorVersion"] = operator.install.major.into();
                for (field, value) in range {
                    status[field] = value.into();
                }
            });
            condition(&operator, &cluster, "True", "LastBackupSucceeded", "Backup was successful");
        }
        Err(error) => fail(&operator, &cluster, &name, &method, &error),
    }
}

async fn base_backup(
    operator: &Operator,
    cluster: &Cluster,
    primary: &Instance,
    id: &str,
) -> Result<Vec<(&'static str, String)>, String> {
    let place = &primary.place;
    let to = place.dir.join("backups").join(id);
    let connection = external::join(&conf::to_primary(operator, cluster, place)?);
    let target = to.display().to_string();
    let args = ["-D", &target, "-Ft", "-w", "-c", "fast", "--no-sync", "-d", &connection].map(str::to_owned);
    let ended =
        process::quiet(place, "pg_basebackup", &args, &BTreeMap::new()).await.map_err(|error| error.to_string())?;
    if !ended.ok() {
        return Err(ended.stderr.join("\n"));
    }
    let manifest = std::fs::read_to_string(to.join("backup_manifest")).map_err(|error| error.to_string())?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(|error| error.to_string())?;
    let range = &manifest["WAL-Ranges"][0];
    let (timeline, text) = (range["Timeline"].as_u64().unwrap_or_default(), |field: &str| {
        range[field].as_str().unwrap_or_default().to_owned()
    });
    let (begin, end) = (text("Start-LSN"), text("End-LSN"));
    let mut fields = vec![("beginWal", segment(timeline, &begin)), ("endWal", segment(timeline, &end))];
    fields.extend([("beginLSN", begin), ("endLSN", end)]);
    Ok(fields)
}

/// Name of the 16 MB segment that holds an LSN.
fn segment(timeline: u64, lsn: &str) -> String {
    let (high, low) = lsn.split_once('/').unwrap_or(("0", "0"));
    let low = u64::from_str_radix(low, 16).unwrap_or_default();
    let high = u64::from_str_radix(high, 16).unwrap_or_default();
    format!("{timeline:08X}{high:08X}{:08X}", low >> 24)
}

fn fail(operator: &Operator, cluster: &Cluster, name: &str, method: &str, error: &str) {
    set(operator, cluster, name, |status| {
        status["phase"] = "failed".into();
        status["method"] = method.into();
        status["error"] = error.into();
        status["stoppedAt"] = now().into();
    });
    condition(operator, cluster, "False", "LastBackupFailed", error);
}

fn set(operator: &Operator, cluster: &Cluster, name: &str, change: impl FnOnce(&mut Value)) {
    let _ = operator.store.update(BACKUPS, &cluster.namespace, name, |backup| {
        if backup["status"].is_null() {
            backup["status"] = json!({});
        }
        change(&mut backup["status"]);
    });
}

fn condition(operator: &Operator, cluster: &Cluster, value: &str, reason: &str, message: &str) {
    status::change(operator, cluster, |status| {
        status::set_condition(status, "LastBackupSucceeded", value, reason, message)
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_segment_of_an_lsn() {
        assert_eq!(super::segment(4, "1/25000028"), "000000040000000100000025");
    }
}
