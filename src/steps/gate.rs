//! The gate in front of the window: what would make it long or make it fail is looked for while the apps are up.
//!
//! It also opens the SQL sessions that the window uses, and checkpoints the source, so that the shutdown has less to write.

use super::{ends, replica::streaming};
use crate::{
    error::{Context, Error, Kind, Result},
    facts::{cnpg, server},
    postgres::Db,
    spec::Strategy,
    step::*,
};
use serde_json::json;
use std::time::{Duration, Instant};

pub struct Gate;

/// After a restore the source has just been restarted: a receiver tries again every 5 s (wal_retrieve_retry_interval).
const PATIENCE: Duration = Duration::from_secs(15);

impl Gate {
    /// The target streams from the source and is close behind; waited for a short while.
    async fn follows(&self, world: &World, source: &mut Db) -> Result<String> {
        let application = format!("pgmigrate-{}", world.migration.target.cluster);
        let (began, allowed) = (Instant::now(), world.migration.guardrails.lag_before);
        loop {
            let sent = streaming::sender(source, &application).await?;
            let seen = match (sent.state.as_deref(), sent.lag) {
                (Some("streaming"), Some(lag)) if lag <= allowed as i64 => {
                    return Ok(format!("target {lag} bytes behind"));
                }
                (Some("streaming"), Some(lag)) => format!("is {lag} bytes behind, {allowed} allowed"),
                _ => "does not stream from the source".to_string(),
            };
            if began.elapsed() > PATIENCE {
                let waited = PATIENCE.as_secs();
                return Err(refuse(format!("the target {seen}, also after {waited} s"))
                    .hint(format!("kubectl pgmigrate status {}", world.migration.name)));
            }
            world.events.detail(format!("the target {seen}; waiting {} s at most", PATIENCE.as_secs()));
            world.sleep(Duration::from_millis(200)).await?;
        }
    }
}

#[async_trait::async_trait]
impl Step for Gate {
    fn id(&self) -> String {
        "gate".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "look whether the window may open".into(),
            details: "operator ready, no long or prepared transaction, lag small; opens sessions; looks only".into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let guard = &world.migration.guardrails;
        if let cnpg::Operator::NotReady { why, .. } = cnpg::operator(&world.kube).await {
            return Err(refuse(format!("the CNPG operator is not ready: {why}")));
        }
        let mut source = ends::source(world).await?;
        for t in server::transactions(&mut source).await? {
            if t.kind == "prepared" && guard.prepared_transactions == 0 {
                return Err(refuse(format!("prepared transaction {} can commit at any time", t.id)).hint(format!(
                    "COMMIT PREPARED or ROLLBACK PREPARED '{}' in database {}",
                    t.id,
                    t.database.unwrap_or_default()
                )));
            }
            if t.kind != "prepared" && t.seconds > guard.longest_transaction.as_secs_f64() {
                let who = format!("{} in {}", t.user.unwrap_or_default(), t.database.unwrap_or_default());
                let limit = guard.longest_transaction.as_secs();
                return Err(refuse(format!(
                    "process {} of {who} has a transaction open for {:.0} s ({limit} s allowed)",
                    t.id, t.seconds
                )));
            }
        }
        source.run("CHECKPOINT").await.context("checkpoint the source")?;
        let mut note = "nothing in the way".to_string();
        if world.migration.strategy == Strategy::Replica {
            note = self.follows(world, &mut source).await?;
            let mut target = ends::target(world).await?;
            let pending: i64 = target.value("SELECT count(*) AS n FROM pg_settings WHERE pending_restart", &[]).await?;
            if pending > 0 {
                return Err(refuse(format!("{pending} settings of the target wait for a restart")));
            }
            ends::keep_target(world, target).await;
        }
        ends::keep_source(world, source).await;
        Ok(json!({ "note": note }))
    }
}

fn refuse(what: String) -> Error {
    Error::new(Kind::Check, what)
}
