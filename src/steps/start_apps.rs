//! Starts the apps that `stop-apps` stopped, first to last, and returns when all of them are seen ready.
//!
//! For `dump` this is the point of no return: from the first write on the target on, going back loses rows. A crash
//! leaves some apps up; running the step again starts the rest.

use super::{stop_apps, workloads};
use crate::{
    error::{Error, Result},
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct StartApps {
    pub apps: Vec<String>,
    pub hazard: Hazard,
}

#[async_trait::async_trait]
impl Step for StartApps {
    fn id(&self) -> String {
        "start-apps".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "start the apps on the target".into(),
            details: "scales them back to what they were, first to last, and waits until they are ready".into(),
            objects: self.apps.clone(),
        }
    }
    fn hazard(&self) -> Hazard {
        self.hazard
    }
    fn outage(&self) -> Outage {
        Outage::Ends
    }
    fn sends(&self) -> Vec<Sent> {
        self.apps.iter().map(|app| workloads::sent(app, &json!("as it was"), false)).collect()
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(600)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let sizes = stop_apps::sizes(&world.journal.receipt(stop_apps::ID));
        let running: Vec<_> = world
            .migration
            .apps
            .iter()
            .filter(|app| sizes.iter().any(|s| s.size > 0 && s.workload == app.workload.to_string()))
            .collect();
        let looks = running.iter().map(|app| async move {
            let object = workloads::fetch(world, &app.workload).await?;
            let up = workloads::size(&app.workload, &object) > 0;
            Ok::<_, Error>((up, up && workloads::is_ready(&app.workload, &object)))
        });
        let seen = futures::future::try_join_all(looks).await?;
        Ok(if !seen.is_empty() && seen.iter().all(|(_, ready)| *ready) {
            Observed::Done
        } else if seen.iter().all(|(up, _)| !up) {
            // With nothing to start there is nothing to see: applying is a look that ends at once.
            if seen.is_empty() && world.journal.state().step(&self.id()).started.is_some() {
                Observed::Done
            } else {
                Observed::Absent
            }
        } else {
            Observed::Partial("not all apps are ready".into())
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let sizes = stop_apps::sizes(&world.journal.receipt(stop_apps::ID));
        if sizes.iter().all(|s| s.size == 0) {
            return Ok(json!({ "note": "no app ran before, none was started" }));
        }
        workloads::start(world, &sizes, Duration::from_secs(300)).await?;
        Ok(Value::Null)
    }
}
