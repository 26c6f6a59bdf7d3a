//! The gate behind the import: since the fence nobody has written to the source, and the fence still stands.
//!
//! The next transaction id is the measure. Autoanalyze uses one honestly now and then: where the id moved, the row
//! counters of the user tables must not have. WAL positions are no measure, they move by themselves. Looks only.

use super::{hba_fence, source_pod};
use crate::{
    error::{Context, Error, Result},
    facts::zalando,
    step::*,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

pub struct Quiet {
    pub role: String,
    pub databases: Vec<String>,
    /// `guardrails.quiet`: how long at least.
    pub time: Duration,
}

/// What would move with a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    pub at: jiff::Timestamp,
    /// The next transaction id, with its epoch.
    pub xid: String,
    /// database -> rows inserted, updated and deleted in user tables since the statistics began
    pub changes: BTreeMap<String, String>,
}

/// Takes it now. Before 15 a backend's counters reach the statistics some time after its end.
pub async fn baseline(world: &World, leader: &str, databases: &[String]) -> Result<Baseline> {
    let mut db = source_pod(world, leader, "postgres").await?;
    if db.identity().await?.version_num < 150_000 {
        world.sleep(Duration::from_millis(600)).await?;
    }
    let mut changes = BTreeMap::new();
    for database in databases {
        let mut db = source_pod(world, leader, database).await?;
        let counted = db.value::<String>(include_str!("../../postgres/sql/row_changes.sql"), &[]).await;
        changes.insert(database.clone(), counted.with_context(|| format!("reading the row counters of {database}"))?);
    }
    let xid = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid";
    Ok(Baseline { at: jiff::Timestamp::now(), xid: db.value(xid, &[]).await?, changes })
}

#[async_trait::async_trait]
impl Step for Quiet {
    fn id(&self) -> String {
        "prove-quiet".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "prove that the source was quiet".into(),
            details: format!("no row has changed since the fence, for {} s at least; looks only", self.time.as_secs()),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        self.time + Duration::from_secs(60)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        let kept = serde_json::from_value(world.journal.evidence(hba_fence::ID)["baseline"].clone()).ok();
        let before = match kept {
            Some(before) => before,
            // The run that fenced ended before it wrote this down: then the quiet counts from now.
            None => baseline(world, &source.leader, &self.databases).await?,
        };
        let passed = Duration::try_from(jiff::Timestamp::now().duration_since(before.at)).unwrap_or_default();
        world.sleep(self.time.saturating_sub(passed)).await?;
        let mut db = source_pod(world, &source.leader, "postgres").await?;
        if !hba_fence::in_force(&mut db, &self.role).await? {
            return Err(Error::check(
                "the fence is gone from the source's pg_hba.conf: a restart of its container, or Patroni, wrote it anew",
            ));
        }
        let after = baseline(world, &source.leader, &self.databases).await?;
        let note = judge(&before, &after)?;
        Ok(json!({ "note": note, "before": before, "after": after }))
    }
}

fn judge(before: &Baseline, after: &Baseline) -> Result<String> {
    let took = after.at.duration_since(before.at).as_secs();
    if before.xid == after.xid {
        return Ok(format!("no transaction in {took} s"));
    }
    if let Some((database, now)) = after.changes.iter().find(|(d, now)| before.changes.get(*d) != Some(now)) {
        let was = before.changes.get(database).map_or("?", String::as_str);
        return Err(Error::check(format!(
            "rows were written to database {database} at the source after the fence: {now} changes, {was} before"
        )));
    }
    Ok(format!(
        "transaction ids {} to {} in {took} s, none of which changed a row of a user table",
        before.xid, after.xid
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_alone_is_not_a_write() {
        let at = |xid: &str, changes: &str| Baseline {
            at: jiff::Timestamp::UNIX_EPOCH,
            xid: xid.into(),
            changes: BTreeMap::from([("app".into(), changes.into())]),
        };
        assert!(judge(&at("10", "5"), &at("10", "5")).is_ok());
        assert!(judge(&at("10", "5"), &at("11", "5")).unwrap().contains("none of which"));
        assert!(judge(&at("10", "5"), &at("11", "6")).is_err());
    }
}
