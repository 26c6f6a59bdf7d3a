//! The fence: PostgreSQL of the source is shut down cleanly, and Patroni, paused, leaves it so.
//!
//! A stopped server accepts no write; its last checkpoint is the position that the target must reach. Undone by
//! Patroni's `POST /restart` on the same pod (observed: 0.4-2.9 s, and Endpoints are back at once). A crash leaves
//! the server running or stopped; which one, its control file says.

use super::{control, streaming};
use crate::{
    error::{Error, Result},
    facts::zalando::{self, Source},
    kube::{Probe, kind::ENDPOINTS},
    patroni,
    step::*,
    steps::{ends, pause_patroni},
};
use serde_json::{Value, json};
use std::time::Duration;

pub const ID: &str = "fence-source";

pub struct FenceSource {
    /// The Zalando cluster.
    pub source: String,
}

/// The pod that was fenced; before that, the leader.
pub async fn pod(world: &World) -> Result<String> {
    let fenced = world.journal.receipt(ID);
    let receipt = if fenced["pod"].is_string() { fenced } else { leader(world).await? };
    Ok(receipt["pod"].as_str().unwrap_or_default().to_string())
}

/// What is written down of the server that will be stopped.
pub fn receipt(source: &Source) -> Receipt {
    json!({ "pod": source.leader, "timeline": source.timeline, "systemIdentifier": source.system_identifier })
}

/// As it was seen when Patroni was paused. Should somebody have switched over by hand since, the stopped server's control
/// file says so ("shut down in recovery").
async fn leader(world: &World) -> Result<Receipt> {
    let paused = &world.journal.evidence(pause_patroni::ID)["leader"];
    if paused["pod"].is_string() {
        return Ok(paused.clone());
    }
    Ok(receipt(&zalando::source(&world.kube, &world.migration.source).await?))
}

#[async_trait::async_trait]
impl Step for FenceSource {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "stop the source PostgreSQL cleanly".into(),
            details: "a fast shutdown; the fence that lets no write in. Undone by Patroni's POST /restart".into(),
            objects: vec![format!("the leader's pod of {}", self.source)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        let at = format!("the leader's pod of {}", self.source);
        vec![Sent::Call { at, call: "pg_ctl stop -m fast".into(), body: Value::Null }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let pod = pod(world).await?;
        let control = control::read(world, &pod).await?;
        Ok(match control.state.as_str() {
            "shut down" => Observed::Done,
            // The control file says so only when the last checkpoint is being written.
            "in production" if control::is_stopping(world, &pod).await? => Observed::Partial("shutting down".into()),
            "in production" => Observed::Absent,
            "shutting down" => Observed::Partial("shutting down".into()),
            other => Observed::Unknown(format!("the source's control file says '{other}'")),
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        leader(world).await
    }
    async fn apply(&self, world: &World, receipt: &Receipt) -> Result<Evidence> {
        let pod = receipt["pod"].as_str().unwrap_or_default();
        if let Ok(mut db) = ends::source(world).await {
            streaming::close_behind(world, &mut db).await?;
        }
        world.sessions.close("source").await;
        let control = control::stop(world, pod).await?;
        if !control.is_shut_down() {
            return Err(Error::failed(format!("pod {pod} stopped, but its control file says '{}'", control.state)));
        }
        if control.checkpoint.system_identifier != receipt["systemIdentifier"].as_str().unwrap_or_default() {
            return Err(Error::failed(format!(
                "pod {pod} holds another database system than the one that was recorded"
            )));
        }
        let note = format!("shut down at {}, timeline {}", control.checkpoint.location, control.checkpoint.timeline);
        Ok(json!({ "note": note, "control": control }))
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        let Some(pod) = receipt["pod"].as_str() else { return Ok(()) };
        // A shutdown that was begun goes on without us, and would take with it what is started now. One that can't be looked
        // at is waited for by Patroni's own restart.
        while let Ok(true) = control::is_stopping(world, pod).await {
            world.events.detail(format!("waiting for the shutdown of PostgreSQL in pod {pod} to end"));
            world.sleep(Duration::from_millis(200)).await?;
        }
        let running = |status: &Value| patroni::is_running_primary(status);
        if !running(&patroni::status(&world.kube, pod).await?) {
            patroni::restart(&world.kube, pod).await?;
        }
        while !running(&patroni::status(&world.kube, pod).await?) {
            world.events.detail(format!("waiting for PostgreSQL of pod {pod} to run as primary"));
            world.sleep(Duration::from_millis(200)).await?;
        }
        let addressed = |endpoints: Option<&Value>| match endpoints {
            Some(e) if e["subsets"][0]["addresses"][0]["ip"].is_string() => Probe::Done,
            _ => Probe::Pending("the source's Service has no endpoint yet".into()),
        };
        let cluster = &world.migration.source;
        let limit = Duration::from_secs(60);
        world
            .kube
            .wait(
                &ENDPOINTS,
                cluster,
                "the source's Service to have its primary",
                limit,
                &world.cancel,
                &world.events,
                addressed,
            )
            .await?;
        Ok(())
    }
}
