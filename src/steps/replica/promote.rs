//! The point of no return: `spec.replica.enabled: false`.
//!
//! The patch itself is one-way, not the promotion that follows: taken back half a second later it promoted all the
//! same (observed-physical.md 7). So the fence is looked at once more right before it. A crash before the patch leaves
//! the way back open, after it only the way on; the Cluster's spec says which.

use super::{control, fence_source, prove_caught_up};
use crate::{
    error::{Error, Result},
    kube::kind::CLUSTER,
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Promote {
    /// The CNPG cluster.
    pub target: String,
}

/// The name in the journal.
pub const ID: &str = "promote";

fn patch() -> Value {
    json!({ "spec": { "replica": { "enabled": false } } })
}

#[async_trait::async_trait]
impl Step for Promote {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "promote the target".into(),
            details:
                "sets spec.replica.enabled=false after a last look that the source is still stopped; cannot be undone"
                    .into(),
            objects: vec![format!("cluster/{}", self.target)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::OneWay
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Patch { object: format!("cluster/{}", self.target), patch: patch() }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let cluster = ends::cluster(world).await?;
        Ok(if cluster["spec"]["replica"]["enabled"] == true { Observed::Absent } else { Observed::Done })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let (proved, _) = prove_caught_up::proof(world)?;
        let now = control::read(world, &fence_source::pod(world).await?).await?;
        if !now.is_shut_down() || now.checkpoint != proved {
            return Err(Error::failed(format!(
                "the source is not as it was when the target was proved equal: '{}' at {}",
                now.state, now.checkpoint.location
            )));
        }
        world.kube.merge(&CLUSTER, &world.migration.target.cluster, &patch()).await?;
        Ok(Value::Null)
    }
}
