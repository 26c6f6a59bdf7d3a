//! Pauses Patroni, so that a PostgreSQL that we stop stays stopped and no other member is promoted.
//!
//! Seen on every member before going on: an unpaused member would fail over (observed: 6.4 s after the stop).
//! Undone by restoring the previous value, and only once the leader runs again: clearing the pause while it is
//! stopped promotes the other member. A crash leaves Patroni paused: no automatic failover, nothing else.

use crate::{
    error::{Error, Result},
    facts::zalando,
    patroni,
    step::*,
    steps::replica::fence_source,
};
use serde_json::{Value, json};
use std::time::Duration;

pub const ID: &str = "pause-patroni";

pub struct PausePatroni {
    /// The Zalando cluster.
    pub source: String,
}

/// How a call of Patroni's REST API is shown before.
pub fn sent(source: &str, call: &str, body: Value) -> Sent {
    Sent::Call { at: format!("Patroni of postgresql/{source}"), call: call.into(), body }
}

async fn pods(world: &World) -> Result<Vec<String>> {
    let members = patroni::members(&world.kube, &world.migration.source).await?;
    let names: Vec<String> =
        members.iter().filter_map(|pod| pod["metadata"]["name"].as_str().map(String::from)).collect();
    if names.is_empty() {
        Err(Error::failed(format!("Zalando cluster {} has no pods", world.migration.source)))
    } else {
        Ok(names)
    }
}

/// Members that do not say `pause: true` yet.
async fn unpaused(world: &World, pods: &[String]) -> Result<Vec<String>> {
    let looks = pods.iter().map(|pod| async move { Ok::<_, Error>((pod, patroni::status(&world.kube, pod).await?)) });
    let seen = futures::future::try_join_all(looks).await?;
    Ok(seen.into_iter().filter(|(_, status)| status["pause"] != true).map(|(pod, _)| pod.clone()).collect())
}

#[async_trait::async_trait]
impl Step for PausePatroni {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "pause Patroni".into(),
            details: "no failover and no restart by itself until resumed; undone by restoring the previous value"
                .into(),
            objects: vec![format!("postgresql/{}", self.source)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![sent(&self.source, "PATCH /config", json!({ "pause": true }))]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let pods = pods(world).await?;
        if patroni::config(&world.kube, &pods[0]).await?["pause"] != true {
            return Ok(Observed::Absent);
        }
        Ok(match unpaused(world, &pods).await?.as_slice() {
            [] => Observed::Done,
            left => Observed::Partial(format!("not yet seen by {}", left.join(", "))),
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let pods = pods(world).await?;
        Ok(json!({ "pause": patroni::config(&world.kube, &pods[0]).await?["pause"] }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let pods = pods(world).await?;
        patroni::patch_config(&world.kube, &pods[0], &json!({ "pause": true })).await?;
        loop {
            let left = unpaused(world, &pods).await?;
            if left.is_empty() {
                // From here on Patroni changes no leader: looked up before the window, for the fence.
                let source = zalando::source(&world.kube, &self.source).await?;
                return Ok(json!({ "members": pods, "leader": fence_source::receipt(&source) }));
            }
            world.events.detail(format!("waiting for {} to see the pause", left.join(", ")));
            world.sleep(Duration::from_millis(200)).await?;
        }
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        let pods = pods(world).await?;
        let looks = futures::future::join_all(pods.iter().map(|pod| patroni::status(&world.kube, pod))).await;
        if !looks.iter().any(|status| matches!(status, Ok(status) if patroni::is_running_primary(status))) {
            return Err(Error::failed("no member runs as primary: resuming Patroni now would promote another one"));
        }
        patroni::patch_config(&world.kube, &pods[0], &json!({ "pause": receipt["pause"] })).await
    }
}
