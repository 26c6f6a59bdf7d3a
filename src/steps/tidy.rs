//! Removes what only the way back needed: the kept connections. The journal stays, for the certificate.

use crate::{error::Result, kube::kind::SECRET, step::*};
use serde_json::Value;
use std::time::Duration;

pub struct Tidy {
    /// Holds the connections as they were.
    pub secret: String,
}

#[async_trait::async_trait]
impl Step for Tidy {
    fn id(&self) -> String {
        "tidy".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "remove what the migration kept".into(),
            details: "the Secret with the old connections; the journal stays for `report`".into(),
            objects: vec![format!("secret/{}", self.secret)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let kept = world.kube.get(&SECRET, &self.secret).await?;
        Ok(if kept.is_some() { Observed::Absent } else { Observed::Done })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        world.kube.delete(&SECRET, &self.secret).await?;
        Ok(Value::Null)
    }
}
