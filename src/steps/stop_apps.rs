//! Stops the apps, last to first, and returns when nothing of them runs any more.
//!
//! The receipt holds every size, so undo starts what ran and leaves down what was down. A crash leaves some apps
//! down; running the step again, or undoing it, goes by the receipt of the first time.
//!
//! While their pods end a source that will be shut down writes a checkpoint: so much less has the shutdown to write.

use super::{
    ends,
    workloads::{self, Size},
};
use crate::{
    error::{Error, Result},
    spec::Strategy,
    step::*,
};
use futures::future::{Either, select};
use serde_json::{Value, json};
use std::{pin::pin, time::Duration};

pub struct StopApps {
    /// Shown in the plan.
    pub apps: Vec<String>,
    /// `guardrails.stopApps`.
    pub limit: Duration,
    pub strategy: Strategy,
}

const CHECKPOINT: &str = "CHECKPOINT";

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
        let checkpoint = Sent::Sql { at: "source".into(), text: CHECKPOINT.into() };
        let stops = self.apps.iter().map(|app| workloads::sent(app, &json!(0), true));
        stops.chain((self.strategy == Strategy::Replica).then_some(checkpoint)).collect()
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
        let gone = pin!(futures::future::try_join_all(gone));
        // The window does not wait for the checkpoint.
        let gone = match select(gone, pin!(self.checkpoint(world))).await {
            Either::Left((gone, _)) => gone,
            Either::Right(((), gone)) => gone.await,
        };
        gone.map(|_| Value::Null)
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        workloads::start(world, &sizes(receipt), Duration::from_secs(300)).await
    }
}

impl StopApps {
    /// Saves time, proves nothing: without it the shutdown writes more.
    async fn checkpoint(&self, world: &World) {
        if self.strategy != Strategy::Replica {
            return;
        }
        let written = async {
            let mut source = ends::source(world).await?;
            source.run(CHECKPOINT).await?;
            ends::keep_source(world, source).await;
            Ok::<_, Error>(())
        };
        if let Err(error) = written.await {
            world.events.detail(format!("no checkpoint of the source: {}", error.chain()));
        }
    }
}
