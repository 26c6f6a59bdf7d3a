//! The gate before promotion: the target holds every byte that the source ever wrote.
//!
//! First `pg_last_wal_replay_lsn()` beyond the shutdown checkpoint (strictly: equal would mean that the record itself
//! is missing), then, after a CHECKPOINT on the target, its control file equal to the stopped source's: location,
//! timeline, next transaction id, system identifier. Looks only; the restartpoint that CHECKPOINT makes harms nothing.

use super::fence_source;
use crate::{
    error::{Context, Error, Result},
    postgres::{
        Lsn,
        controldata::{Checkpoint, ControlData},
    },
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub const ID: &str = "prove-caught-up";

pub struct ProveCaughtUp {
    /// `guardrails.catchUp`.
    pub limit: Duration,
}

const CONTROL: &str = "SELECT checkpoint_lsn::text AS location, timeline_id AS timeline, next_xid, \
    system_identifier::text AS system_identifier FROM pg_control_checkpoint(), pg_control_system()";

/// Of a copy they are as at the source, until somebody switches them there.
const CHECKSUMS: &str = "SELECT data_page_checksum_version <> 0 AS checksums FROM pg_control_init()";

#[async_trait::async_trait]
impl Step for ProveCaughtUp {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "prove that the target has everything".into(),
            details:
                "the target has replayed the source's shutdown checkpoint and its control file equals the source's"
                    .into(),
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
        let fenced = &world.journal.evidence(fence_source::ID)["control"];
        // After a crash between "stopped" and "written" the journal has no evidence; the control file still does.
        let source: ControlData = match serde_json::from_value(fenced.clone()) {
            Ok(control) => control,
            Err(_) => super::control::read(world, &fence_source::pod(world).await?).await?,
        };
        if !source.is_shut_down() {
            return Err(Error::failed(format!(
                "the source is not shut down: its control file says '{}'",
                source.state
            )));
        }
        let mut db = ends::target(world).await?;
        loop {
            let replayed: Option<Lsn> = db.value("SELECT pg_last_wal_replay_lsn()::text AS lsn", &[]).await?;
            let replayed =
                replayed.ok_or_else(|| Error::failed("the target is not a replica: it has no replay position"))?;
            if replayed > source.checkpoint.location {
                break;
            }
            world.events.detail(format!("target at {replayed}, source ended at {}", source.checkpoint.location));
            world.sleep(Duration::from_millis(20)).await?;
        }
        db.run("CHECKPOINT").await.context("checkpoint the target")?;
        let target: Checkpoint = db.one(CONTROL, &[]).await?;
        if target != source.checkpoint {
            let (s, t) = (json!(source.checkpoint), json!(target));
            return Err(Error::failed(format!(
                "the target's control file differs from the stopped source's: source {s}, target {t}"
            )));
        }
        let started: String = db.value("SELECT pg_postmaster_start_time()::text AS at", &[]).await?;
        let checksums: bool = db.value(CHECKSUMS, &[]).await?;
        ends::keep_target(world, db).await;
        let word = |on: Option<bool>| on.map_or("unknown", |on| if on { "on" } else { "off" });
        let note = format!(
            "equal at {}, timeline {}, next xid {}; checksums: source {}, target {}",
            target.location,
            target.timeline,
            target.next_xid,
            word(source.checksums),
            word(Some(checksums))
        );
        let checksums = json!({ "source": source.checksums, "target": checksums });
        Ok(json!({ "note": note, "checkpoint": target, "checksums": checksums, "targetStarted": started }))
    }
}

/// What was proved, for the steps that follow; an error when nothing was.
pub fn proof(world: &World) -> Result<(Checkpoint, Value)> {
    let evidence = world.journal.evidence(ID);
    let checkpoint = serde_json::from_value(evidence["checkpoint"].clone());
    let checkpoint = checkpoint.map_err(|_| Error::bug("promotion without a proof of catch-up in the journal"))?;
    Ok((checkpoint, evidence))
}
