//! Keeps more WAL on the source while the copy is made: CNPG uses no slot on a foreign primary.
//!
//! Sets `wal_keep_size` (as a fix: `max_slot_wal_keep_size`, which drops the copy's temporary slots) in Patroni's dynamic
//! configuration: a reload, no restart. Undone by the old value; a crash leaves the higher value, which costs disk and
//! nothing else.

use crate::{
    error::{Context, Result},
    facts::zalando,
    patroni,
    step::*,
    steps::{ends, pause_patroni},
};
use serde_json::json;
use std::time::Duration;

pub struct WalRetention {
    id: &'static str,
    setting: &'static str,
    /// The Zalando cluster.
    source: String,
    /// Wait until the server has it.
    seen: bool,
}

impl WalRetention {
    pub fn new(source: &str) -> WalRetention {
        WalRetention { id: "wal-retention", setting: "wal_keep_size", source: source.into(), seen: false }
    }

    /// For `check --fix`, whose next look must find it.
    pub fn of_slots(source: &str) -> WalRetention {
        WalRetention { id: "fix-wal-retention", setting: SLOTS, source: source.into(), seen: true }
    }
}

/// What it sets where slots may keep too little.
pub const SLOTS: &str = "max_slot_wal_keep_size";

const MIB: u64 = 1024 * 1024;
/// Never less than this, where the disk has it; never more than this.
const LEAST: u64 = 1024;
const MOST: u64 = 16 * 1024;

async fn leader(world: &World) -> Result<String> {
    Ok(zalando::source(&world.kube, &world.migration.source).await?.leader)
}

/// MiB: a quarter of what is free, within bounds.
pub fn wanted(free_bytes: u64) -> u64 {
    (free_bytes / MIB / 4).min(MOST).max(LEAST.min(free_bytes / MIB / 2))
}

#[async_trait::async_trait]
impl Step for WalRetention {
    fn id(&self) -> String {
        self.id.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "keep more WAL on the source".into(),
            details: format!("raises {} through Patroni (reload, no restart); undone by the old value", self.setting),
            objects: vec![format!("postgresql/{}", self.source)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let parameters = json!({ self.setting: "a quarter of what is free on the source's volume" });
        let body = json!({ "postgresql": { "parameters": parameters } });
        vec![pause_patroni::sent(&self.source, "PATCH /config", body)]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let want = &world.journal.receipt(&self.id())["want"];
        let config = patroni::config(&world.kube, &leader(world).await?).await?;
        let now = &config["postgresql"]["parameters"][self.setting];
        Ok(if !want.is_null() && now == want { Observed::Done } else { Observed::Absent })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let pod = leader(world).await?;
        let before = patroni::config(&world.kube, &pod).await?["postgresql"]["parameters"][self.setting].clone();
        let df = ["sh", "-c", "df -Pk \"$PGDATA\" | tail -1 | awk '{print $4}'"];
        let free = world
            .kube
            .exec_ok(&pod, "postgres", &df, Duration::from_secs(20))
            .await
            .context("ask the source for free space")?;
        let free: u64 = free.trim().parse().with_context(|| format!("df in pod {pod} printed '{}'", free.trim()))?;
        Ok(json!({ "before": before, "want": format!("{}MB", wanted(free * 1024)) }))
    }
    async fn apply(&self, world: &World, receipt: &Receipt) -> Result<Evidence> {
        let patch = json!({ "postgresql": { "parameters": { self.setting: receipt["want"] } } });
        patroni::patch_config(&world.kube, &leader(world).await?, &patch).await?;
        let want = receipt["want"].as_str().unwrap_or_default();
        let mut db = if self.seen { Some(ends::source(world).await?) } else { None };
        let has =
            "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting($1)) = pg_catalog.pg_size_bytes($2) AS has";
        while let Some(db) = &mut db
            && !db.value::<bool>(has, &[self.setting, want]).await?
        {
            world.sleep(Duration::from_millis(200)).await?;
        }
        Ok(json!({ "note": format!("{} {want}", self.setting) }))
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        let patch = json!({ "postgresql": { "parameters": { self.setting: receipt["before"] } } });
        patroni::patch_config(&world.kube, &leader(world).await?, &patch).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_quarter_of_what_is_free_within_bounds() {
        let gib = 1024 * MIB;
        assert_eq!(wanted(100 * gib), MOST);
        assert_eq!(wanted(20 * gib), 5 * 1024);
        assert_eq!(wanted(3 * gib), LEAST);
        assert_eq!(wanted(gib), 512);
    }
}
