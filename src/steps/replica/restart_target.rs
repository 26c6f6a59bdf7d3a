//! Deletes the target's pod once after its first boot, and sees it ready again.
//!
//! The simplest guard against an instance manager wedged by the fence (observed-physical.md 1.4), found otherwise only
//! at promotion; 15 s, the source untouched. Nothing to undo. A crash leaves the pod or its successor.

use super::make_bootable::is_ready;
use crate::{
    error::Result,
    kube::{Probe, kind::POD},
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct RestartTarget {
    /// The CNPG cluster.
    pub target: String,
}

fn pod(world: &World) -> String {
    format!("{}-1", world.migration.target.cluster)
}

#[async_trait::async_trait]
impl Step for RestartTarget {
    fn id(&self) -> String {
        "restart-target".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "restart the target's pod once".into(),
            details: "proves that it boots by itself and that its instance manager obeys; nothing to undo".into(),
            objects: vec![format!("pod/{}-1", self.target)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Delete { object: format!("pod/{}-1", self.target) }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let first = world.journal.receipt(&self.id())["uid"].clone();
        Ok(match world.kube.get(&POD, &pod(world)).await? {
            Some(now) if !first.is_null() && now["metadata"]["uid"] != first && is_ready(&now) => Observed::Done,
            _ => Observed::Absent,
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let now = world.kube.get(&POD, &pod(world)).await?.unwrap_or_default();
        Ok(json!({ "uid": now["metadata"]["uid"] }))
    }
    async fn apply(&self, world: &World, receipt: &Receipt) -> Result<Evidence> {
        world.sessions.close("target").await;
        let name = pod(world);
        if let Some(now) = world.kube.get(&POD, &name).await?
            && now["metadata"]["uid"] == receipt["uid"]
        {
            world.kube.delete(&POD, &name).await?;
        }
        let anew = |seen: Option<&Value>| match seen {
            Some(pod) if pod["metadata"]["uid"] != receipt["uid"] && is_ready(pod) => Probe::Done,
            Some(_) => Probe::Pending("the new pod is not ready yet".into()),
            None => Probe::Pending("the pod is gone, the next one is being made".into()),
        };
        world
            .kube
            .wait(&POD, &name, "the target to be back", self.deadline(), &world.cancel, &world.events, anew)
            .await?;
        Ok(Value::Null)
    }
}
