//! Takes back a step of an earlier try whose journal is gone. A crash leaves it half taken back; applying again goes on.

use crate::{error::Result, step::*};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

pub struct TakeBack {
    pub id: &'static str,
    pub title: String,
    /// Its revert must need no receipt.
    pub step: Arc<dyn Step>,
}

#[async_trait::async_trait]
impl Step for TakeBack {
    fn id(&self) -> String {
        self.id.into()
    }
    fn describe(&self) -> Description {
        let details = "what an earlier try of this migration has left; it is not put back".into();
        Description { title: self.title.clone(), details, objects: self.step.describe().objects }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn deadline(&self) -> Duration {
        self.step.deadline()
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        Ok(match self.step.observe(world).await? {
            Observed::Done => Observed::Absent,
            Observed::Absent => Observed::Done,
            other => other,
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        self.step.revert(world, &Value::Null).await?;
        Ok(Value::Null)
    }
}
