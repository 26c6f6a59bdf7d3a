//! Waits until the promoted target has settled: writable on the next timeline, and the operator's own restart over.
//!
//! After promotion `archive_mode` goes from `always` to `on`, which needs a restart, which the operator does by itself.
//! A client sent there before would sit through a smart shutdown (observed: 31 s). The API says so 4.7 s late, so a shell
//! inside the pod looks: every 20 ms at the server's pid file, which costs next to nothing where the promotion needs each
//! core, and with SQL when that has changed.

use super::prove_caught_up;
use crate::{
    error::{Error, Result},
    step::*,
    steps::ends,
};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

pub struct Settle;

/// Columns: in recovery, timeline (0 while in recovery), archive_mode, settings that wait for a restart, server start.
const LOOK: &str = "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN 0 ELSE \
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END, current_setting('archive_mode'), \
    (SELECT count(*) FROM pg_settings WHERE pending_restart), pg_postmaster_start_time()";

/// Prints a line whenever SQL's answer changes; a server that is down answers nothing. Of the pid file it reads process, start
/// and state (lines 1, 3, 8), after a change of which the answer may be another one for some moments; besides, five times
/// a second.
const WATCH: &str = r#"last= before= turn=0
while :; do
  file=; { read -r pid; read -r _; read -r at; for n in 4 5 6 7; do read -r _; done; read -r state; } <"$PGDATA/postmaster.pid" &&
    file="$pid $at $state"
  [ "$file" = "$before" ] || turn=-5
  before=$file
  if [ $turn -le 0 ] || [ $turn -ge 10 ]; then
    now=$(psql -U postgres -d postgres -XAtqc "$0") || now=down
    [ "$now" = "$last" ] || echo "$now"
    last=$now
    [ $turn -lt 0 ] || turn=0
  fi
  turn=$((turn + 1)); sleep 0.02
done 2>/dev/null"#;

impl Settle {
    /// None: settled. Some: what is still missing.
    fn missing(line: &str, timeline: u32, started: &str) -> Option<String> {
        let fields: Vec<&str> = line.split('|').collect();
        let [recovery, tli, archive, pending, start] = fields[..] else {
            return Some("PostgreSQL is down (its restart)".into());
        };
        if recovery != "f" {
            return Some("still in recovery".into());
        }
        if tli.parse() != Ok(timeline + 1) {
            return Some(format!("writable on timeline {tli}, expected {}", timeline + 1));
        }
        if archive == "always" || pending != "0" {
            return Some("writable; the operator's restart is still to come".into());
        }
        // Read-write with nothing pending is also seen for a moment before the restart.
        if archive != "off" && start == started {
            return Some("writable; not restarted yet".into());
        }
        None
    }
}

#[async_trait::async_trait]
impl Step for Settle {
    fn id(&self) -> String {
        "settle".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "wait until the target has settled".into(),
            details: "writable, on the next timeline, and restarted by its operator; looks only".into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let (proved, evidence) = prove_caught_up::proof(world)?;
        let started = evidence["targetStarted"].as_str().unwrap_or_default();
        world.sessions.close("target").await;
        let pod = ends::target_pod(world).await?;
        loop {
            let mut watch = world.kube.spawn(&pod, "postgres", &["sh", "-c", WATCH, LOOK]).await?;
            let mut lines = BufReader::new(&mut watch.stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match Self::missing(&line, proved.timeline, started) {
                    None => {
                        let note = format!("writable on timeline {}", proved.timeline + 1);
                        return Ok(json!({ "note": note, "timeline": proved.timeline + 1 }));
                    }
                    Some(missing) => world.events.detail(missing),
                }
            }
            // The stream was cut (the container restarted, the API server went away): look again.
            world.sleep(Duration::from_millis(100)).await?;
            if ends::cluster(world).await?["spec"]["replica"]["enabled"] == true {
                return Err(Error::failed("somebody set spec.replica.enabled back to true"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_is_writable_next_timeline_and_restarted() {
        let line = "f|5|on|0|2026-11-21 03:00:09+00";
        assert_eq!(Settle::missing(line, 4, "2026-11-21 03:00:00+00"), None);
        for early in [
            "t|0|always|0|2026-11-21 03:00:00+00",
            "f|5|always|0|2026-11-21 03:00:00+00",
            "f|5|always|1|2026-11-21 03:00:00+00",
            "f|5|on|0|2026-11-21 03:00:00+00",
            "f|4|on|0|2026-11-21 03:00:09+00",
            "down",
        ] {
            assert!(Settle::missing(early, 4, "2026-11-21 03:00:00+00").is_some(), "{early}");
        }
        assert_eq!(Settle::missing("f|5|off|0|2026-11-21 03:00:00+00", 4, "2026-11-21 03:00:00+00"), None);
    }
}
