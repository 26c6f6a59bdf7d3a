//! After the window: the target gets its standbys and its normal shutdown time.
//!
//! One instance and `smartShutdownTimeout: 1` were for the promotion (observed-physical.md 4.2). Nothing to undo.

use crate::{
    error::Result,
    kube::{Probe, kind::CLUSTER},
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct GrowTarget {
    /// The CNPG cluster.
    pub target: String,
    pub instances: u32,
    /// None: CNPG's own default (180 s).
    pub smart_shutdown: Option<i64>,
}

impl GrowTarget {
    fn patch(&self) -> Value {
        let smart_shutdown = self.smart_shutdown.unwrap_or(180);
        json!({ "spec": { "instances": self.instances, "smartShutdownTimeout": smart_shutdown } })
    }
}

#[async_trait::async_trait]
impl Step for GrowTarget {
    fn id(&self) -> String {
        "grow-target".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!(
                "give the target its {}",
                if self.instances == 1 { "one instance".into() } else { format!("{} instances", self.instances) }
            ),
            details: "and its normal smartShutdownTimeout; the primary is not restarted".into(),
            objects: vec![format!("cluster/{}", self.target)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Patch { object: format!("cluster/{}", self.target), patch: self.patch() }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(1800)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let cluster = ends::cluster(world).await?;
        let ready = cluster["status"]["readyInstances"].as_u64().unwrap_or(0);
        let sized = cluster["spec"]["instances"] == self.instances && cluster["spec"]["smartShutdownTimeout"] != 1;
        Ok(match (sized, ready >= u64::from(self.instances)) {
            (true, true) => Observed::Done,
            (true, false) => Observed::Partial("standbys are joining".into()),
            _ => Observed::Absent,
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let name = &world.migration.target.cluster;
        world.kube.merge(&CLUSTER, name, &self.patch()).await?;
        let wanted = u64::from(self.instances);
        let ready = |seen: Option<&Value>| match seen {
            Some(c) if c["status"]["readyInstances"].as_u64() >= Some(wanted) => Probe::Done,
            Some(c) => Probe::Pending(c["status"]["phase"].as_str().unwrap_or("no phase yet").to_string()),
            None => Probe::Failed("the cluster is gone".into()),
        };
        world
            .kube
            .wait(&CLUSTER, name, "the target's standbys", self.deadline(), &world.cancel, &world.events, ready)
            .await?;
        Ok(Value::Null)
    }
}
