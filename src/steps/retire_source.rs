//! Gives up the way back: the source's pods go, its volumes, Secrets and CR stay for whoever deletes them.
//!
//! The operator is detached, so it does not bring them back. Undone by the old number of replicas. Deleting the CR is
//! left to a human on purpose: under the operator's defaults that deletes the volumes too.

use crate::{
    error::{Error, Result},
    kube::{
        Probe,
        kind::{POSTGRESQL, STATEFUL_SET},
    },
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct RetireSource {
    /// The Zalando cluster.
    pub source: String,
}

#[async_trait::async_trait]
impl Step for RetireSource {
    fn id(&self) -> String {
        "retire-source".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "retire the source".into(),
            details: "scales its StatefulSet to 0; volumes, Secrets and the postgresql object stay".into(),
            objects: vec![format!("statefulset/{}", self.source)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        let patch = json!({ "spec": { "replicas": 0 } });
        vec![Sent::Patch { object: format!("statefulset/{}", self.source), patch }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        Ok(match world.kube.get(&STATEFUL_SET, &world.migration.source).await? {
            Some(set) if set["spec"]["replicas"].as_i64().unwrap_or(1) > 0 => Observed::Absent,
            _ => Observed::Done,
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let set = world.kube.get(&STATEFUL_SET, &world.migration.source).await?.unwrap_or_default();
        Ok(json!({ "replicas": set["spec"]["replicas"] }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let name = &world.migration.source;
        let cr = world.kube.get(&POSTGRESQL, name).await?.unwrap_or_default();
        if cr["metadata"]["annotations"]["acid.zalan.do/controller"].is_null() {
            return Err(Error::failed(format!("the operator serves {name} again: it would start the pods anew")));
        }
        world.kube.merge(&STATEFUL_SET, name, &json!({ "spec": { "replicas": 0 } })).await?;
        let gone = |seen: Option<&Value>| match seen.map(|set| set["status"]["replicas"].as_i64().unwrap_or(0)) {
            None | Some(0) => Probe::Done,
            Some(n) => Probe::Pending(format!("{n} pods left")),
        };
        let limit = Duration::from_secs(240);
        world
            .kube
            .wait(&STATEFUL_SET, name, "the source's pods to be gone", limit, &world.cancel, &world.events, gone)
            .await?;
        let note = format!(
            "to delete it with its volumes, when sure: kubectl delete postgresql -n {} {name}",
            world.kube.namespace()
        );
        Ok(json!({ "note": note }))
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        let patch = json!({ "spec": { "replicas": receipt["replicas"] } });
        world.kube.merge(&STATEFUL_SET, &world.migration.source, &patch).await.map(drop)
    }
}
