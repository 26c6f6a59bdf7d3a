//! What a script changes. Each one: look, write the intent with what undo needs, do it, say that it is done.

use super::{JobFrom, Live, Row, Side, no_secrets, objects, undo::Receipt};
use crate::{
    error::{Error, Result},
    kube::{Kind, kind},
    spec::{Workload, WorkloadKind},
};
use serde_json::{Value, json};

impl Live {
    pub(super) async fn set_replicas(&self, workload: &Workload, replicas: i64) -> Result<()> {
        objects::not_an_end(&self.migration, objects::kind_of(workload), &workload.name)?;
        let before = self.read_replicas(workload).await?.wanted;
        let receipt = Receipt::Scale { workload: workload.to_string(), replicas: before };
        let patch = json!({"spec": {"replicas": replicas}});
        let (kind, name) = (objects::kind_of(workload), &workload.name);
        self.journaled(format!("scale({workload}, {replicas})"), receipt.into(), |_| async move {
            self.kube.merge(kind, name, &patch).await.map(|_| Value::Null)
        })
        .await
        .map(|_| ())
    }

    pub(super) async fn roll(&self, workload: &Workload) -> Result<()> {
        if workload.kind == WorkloadKind::CronJob {
            return Err(Error::usage(format!("{workload} runs by its schedule: there is nothing to restart")));
        }
        let (kind, name) = (objects::kind_of(workload), &workload.name);
        objects::not_an_end(&self.migration, kind, name)?;
        self.journaled(format!("restart({workload})"), Receipt::Nothing.into(), |_| async move {
            // kubectl rollout restart's own annotation.
            let now = jiff::Timestamp::now().to_string();
            let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
            let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
            self.kube.merge(kind, name, &patch).await.map(|_| Value::Null)
        })
        .await
        .map(|_| ())
    }

    pub(super) async fn set_annotation(&self, object: &str, key: &str, value: Option<&str>) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        let call = format!("annotate({object}, {key}, {})", json!(value));
        self.merge_journaled(call, object, &patch).await
    }

    pub(super) async fn merge(&self, object: &str, patch: &Value) -> Result<()> {
        if !patch.is_object() {
            return Err(Error::usage(format!("the patch of {object} is not a map")));
        }
        self.merge_journaled(format!("patch({object}, {patch})"), object, patch).await
    }

    async fn merge_journaled(&self, call: String, object: &str, patch: &Value) -> Result<()> {
        let (kind, name) = objects::object(object)?;
        objects::not_an_end(&self.migration, kind, name)?;
        let before = self.there(kind, name, object).await?;
        let receipt = Receipt::Patch { object: object.into(), inverse: super::undo::inverse(&before, patch) };
        self.journaled(call, receipt.into(), |_| async move {
            self.kube.merge(kind, name, patch).await.map(|_| Value::Null)
        })
        .await
        .map(|_| ())
    }

    async fn there(&self, kind: &Kind, name: &str, object: &str) -> Result<Value> {
        let found = self.kube.get(kind, name).await?;
        found.ok_or_else(|| Error::failed(format!("{object} is not in namespace {}", self.kube.namespace())))
    }

    pub(super) async fn write(&self, side: Side, statement: &str, args: &[String]) -> Result<Vec<Row>> {
        no_secrets(statement)?;
        let returning = statement.to_lowercase().contains("returning");
        if !args.is_empty() && !returning {
            return Err(Error::usage("execute() with arguments needs a statement with RETURNING"));
        }
        // The arguments are not journaled: they may be people's data. Their number tells an edited script.
        let call = format!("execute({side}, {statement:?}, {} arguments)", args.len());
        let effect = |_| {
            self.session(side, |mut db| async move {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let rows = match returning {
                    true => db.rows(statement, &args).await?,
                    false => db.run(statement).await.map(|()| Vec::new())?,
                };
                Ok((json!(rows), db))
            })
        };
        let value = self.journaled(call, Receipt::Nothing.into(), effect).await?;
        serde_json::from_value(value).map_err(|e| Error::bug("the journal's rows cannot be read").cause(e))
    }

    pub(super) async fn start_job(&self, from: JobFrom) -> Result<String> {
        let (call, mut job) = match from {
            JobFrom::CronJob(name) => {
                let cron = self.there(&kind::CRON_JOB, &name, &format!("cronjob/{name}")).await?;
                (format!("job(cronjob/{name})"), self.job_of(&name, &cron))
            }
            JobFrom::Manifest(manifest) => ("job(manifest)".into(), manifest),
        };
        let name = match objects::text(&job, "/metadata/name") {
            "" => format!("{}-{}", self.migration.object_prefix(), short_id()),
            given => given.to_string(),
        };
        let receipt = Receipt::Job { name };
        let effect = |receipt: Value| async move {
            // The first time's name, so that a second run finds what the first one made.
            let name = objects::text(&receipt, "/name").to_string();
            job["apiVersion"] = json!("batch/v1");
            job["kind"] = json!("Job");
            job["metadata"]["name"] = json!(name);
            let (label, value) = self.migration.label();
            job["metadata"]["labels"][label] = json!(value);
            if self.kube.get(&kind::JOB, &name).await?.is_none() {
                self.kube.create(&kind::JOB, &job).await?;
            }
            Ok(json!(name))
        };
        name_of(self.journaled(call, receipt.into(), effect).await?)
    }

    /// As `kubectl create job --from` does it, its annotation included.
    fn job_of(&self, name: &str, cron: &Value) -> Value {
        let template = &cron["spec"]["jobTemplate"];
        let mut job = json!({"metadata": {"labels": {}, "annotations": {}}, "spec": template["spec"]});
        for key in ["labels", "annotations"] {
            if template["metadata"][key].is_object() {
                job["metadata"][key] = template["metadata"][key].clone();
            }
        }
        job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] = json!("manual");
        // 63 characters at most in the pods' label job-name.
        let short: String = name.chars().take(20).collect();
        job["metadata"]["name"] = json!(format!("{}-{}-{}", self.migration.object_prefix(), short, short_id()));
        job
    }

    pub(super) async fn start_backup(&self, cluster: &str) -> Result<String> {
        let object = self.there(&kind::CLUSTER, cluster, &format!("cluster/{cluster}")).await?;
        let plugins = object.pointer("/spec/plugins").and_then(Value::as_array);
        let barman = plugins.into_iter().flatten().find(|p| objects::text(p, "/name").starts_with("barman-cloud."));
        let mut spec = json!({"cluster": {"name": cluster}});
        match barman {
            Some(plugin) => {
                spec["method"] = json!("plugin");
                spec["pluginConfiguration"] = json!({"name": plugin["name"]});
            }
            None if object.pointer("/spec/backup/barmanObjectStore").is_some() => {
                spec["method"] = json!("barmanObjectStore")
            }
            None => return Err(Error::failed(format!("cluster/{cluster} has no backup store"))),
        }
        let receipt = Receipt::Backup { name: format!("{}-{}", self.migration.object_prefix(), short_id()) };
        let effect = |receipt: Value| async move {
            let name = objects::text(&receipt, "/name").to_string();
            let (label, value) = self.migration.label();
            let metadata = json!({"name": name, "labels": {label: value}});
            let backup =
                json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec});
            if self.kube.get(&kind::BACKUP, &name).await?.is_none() {
                self.kube.create(&kind::BACKUP, &backup).await?;
            }
            Ok(json!(name))
        };
        name_of(self.journaled(format!("backup({cluster})"), receipt.into(), effect).await?)
    }
}

fn short_id() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(6).collect()
}
fn name_of(value: Value) -> Result<String> {
    serde_json::from_value(value).map_err(|e| Error::bug("the journal's object name cannot be read").cause(e))
}
