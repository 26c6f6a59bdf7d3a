//! Sees the target stream from the source, by SQL on both ends: the API says "healthy" either way.

use crate::{
    error::{Context, Error, Result},
    postgres::{Db, Literal},
    step::*,
    steps::ends,
};
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

pub struct Streaming {
    /// Twice in a plan: before and after the target's first restart.
    pub id: &'static str,
    /// `guardrails.lagBefore`, bytes.
    pub lag: u64,
    pub limit: Duration,
}

#[derive(Deserialize)]
struct Receiver {
    recovery: bool,
    status: Option<String>,
    system: String,
}

#[derive(Deserialize)]
pub struct Sender {
    pub state: Option<String>,
    pub lag: Option<i64>,
    system: String,
}

const RECEIVER: &str = "SELECT pg_is_in_recovery() AS recovery, (SELECT status FROM pg_stat_wal_receiver) AS status, \
    system_identifier::text AS system FROM pg_control_system()";

/// How the source sees our receiver; `lag` is bytes not yet replayed.
pub async fn sender(source: &mut Db, application: &str) -> Result<Sender> {
    let query = format!(
        "SELECT s.state, pg_wal_lsn_diff(pg_current_wal_lsn(), s.replay_lsn)::bigint AS lag, c.system_identifier::text AS system \
         FROM pg_control_system() c LEFT JOIN pg_stat_replication s ON s.application_name = {}",
        Literal::new(application)
    );
    source.one(&query, &[]).await.context("ask the source for its standbys")
}

/// After a restore the source has just been restarted: a receiver tries again every 5 s (wal_retrieve_retry_interval).
const PATIENCE: Duration = Duration::from_secs(15);

/// The target streams and is as close behind as the window allows; waited for a short while. A source that is stopped
/// before can't send the rest any more.
pub async fn close_behind(world: &World, source: &mut Db) -> Result<String> {
    let application = format!("pgmigrate-{}", world.migration.target.cluster);
    let (began, allowed) = (Instant::now(), world.migration.guardrails.lag_before);
    loop {
        let sent = sender(source, &application).await?;
        let seen = match (sent.state.as_deref(), sent.lag) {
            (Some("streaming"), Some(lag)) if lag <= allowed as i64 => return Ok(format!("target {lag} bytes behind")),
            (Some("streaming"), Some(lag)) => format!("is {lag} bytes behind, {allowed} allowed"),
            _ => "does not stream from the source".to_string(),
        };
        let waited = PATIENCE.as_secs();
        if began.elapsed() > PATIENCE {
            return Err(Error::check(format!("the target {seen}, also after {waited} s"))
                .hint(format!("kubectl pgmigrate status {}", world.migration.name)));
        }
        world.events.detail(format!("the target {seen}; waiting {waited} s at most"));
        world.sleep(Duration::from_millis(200)).await?;
    }
}

#[async_trait::async_trait]
impl Step for Streaming {
    fn id(&self) -> String {
        self.id.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "see the target stream from the source".into(),
            details: "by SQL on both ends: same system identifier, receiver streaming, lag small; looks only".into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        self.limit
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let application = format!("pgmigrate-{}", world.migration.target.cluster);
        let (mut source, mut target) = (ends::source(world).await?, ends::target(world).await?);
        loop {
            let sent = sender(&mut source, &application).await?;
            let received: Receiver = target.one(RECEIVER, &[]).await?;
            if received.system != sent.system {
                return Err(Error::failed(format!(
                    "the target has system identifier {}, the source {}: it is not a copy of it",
                    received.system, sent.system
                )));
            }
            if !received.recovery {
                return Err(Error::failed("the target is not a replica any more: it has been promoted"));
            }
            let streaming =
                received.status.as_deref() == Some("streaming") && sent.state.as_deref() == Some("streaming");
            match sent.lag {
                Some(lag) if streaming && lag <= self.lag as i64 => {
                    ends::keep_source(world, source).await;
                    ends::keep_target(world, target).await;
                    return Ok(json!({ "note": format!("streaming, {lag} bytes behind"), "lag": lag }));
                }
                Some(lag) if streaming => world.events.detail(format!("{lag} bytes behind, {} allowed", self.lag)),
                _ => world.events.detail("not streaming yet"),
            }
            world.sleep(Duration::from_millis(300)).await?;
        }
    }
}
