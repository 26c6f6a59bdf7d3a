//! Stops the apps, last to first, and returns when nothing of them runs any more.
//!
//! The receipt holds every size, so undo starts what ran and leaves down what was down. A crash leaves some apps
//! down; running the step again, or undoing it, goes by the receipt of the first time.

use super::workloads::{self, Size};
use crate::{
    error::{Error, Result},
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct StopApps {
    /// Shown in the plan.
    pub apps: Vec<String>,
    /// `guardrails.stopApps`.
    pub limit: Duration,
}

pub const ID: &str = "stop-apps";

/// An app that somebody has started since would keep the old connection: stopped again before it is switched.
pub async fn once_more(world: &World) -> Result<()> {
    let looks = world.migration.apps.iter().map(|app| async move {
        let object = workloads::fetch(world, &app.workload).await?;
        if workloads::size(&app.workload, &object) == 0 {
            return Ok(());
        }
        world.events.warn(format!("{} was started by somebody else in the window; stopped again", app.workload));
        workloads::resize(world, &app.workload, 0).await?;
        workloads::wait_gone(world, app, world.migration.guardrails.stop_apps).await
    });
    futures::future::try_join_all(looks).await.map(drop)
}

pub fn sizes(receipt: &Value) -> Vec<Size> {
    serde_json::from_value(receipt["sizes"].clone()).unwrap_or_default()
}

#[async_trait::async_trait]
impl Step for StopApps {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "stop the apps".into(),
            details:
                "scales them to 0 (where autoscalers idle), last to first, and waits until their pods have ended; undone by \
                 starting what ran"
                    .into(),
            objects: self.apps.clone(),
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn outage(&self) -> Outage {
        Outage::Begins
    }
    fn sends(&self) -> Vec<Sent> {
        self.apps.iter().map(|app| workloads::sent(app, &json!(0), true)).collect()
    }
    fn deadline(&self) -> Duration {
        self.limit + Duration::from_secs(5)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let looks = world.migration.apps.iter().map(|app| async move {
            let object = workloads::fetch(world, &app.workload).await?;
            let up = workloads::size(&app.workload, &object) > 0;
            Ok::<_, Error>((up, up || !workloads::remains(world, &app.workload, &object).await?.is_empty()))
        });
        let seen = futures::future::try_join_all(looks).await?;
        Ok(if seen.iter().all(|(_, remains)| !remains) {
            Observed::Done
        } else if seen.iter().all(|(up, _)| *up) {
            Observed::Absent
        } else {
            Observed::Partial("some apps are stopped, some are not".into())
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let looks = world.migration.apps.iter().map(|app| async move {
            let object = workloads::fetch(world, &app.workload).await?;
            Ok::<_, Error>(Size { workload: app.workload.to_string(), size: workloads::size(&app.workload, &object) })
        });
        Ok(json!({ "sizes": futures::future::try_join_all(looks).await? }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let apps = world.migration.apps.iter().rev();
        futures::future::try_join_all(apps.map(|app| workloads::resize(world, &app.workload, 0))).await?;
        let gone = world.migration.apps.iter().map(|app| workloads::wait_gone(world, app, self.limit));
        futures::future::try_join_all(gone).await?;
        Ok(Value::Null)
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        workloads::start(world, &sizes(receipt), Duration::from_secs(300)).await
    }
}
