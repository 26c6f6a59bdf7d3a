//! The leader's container from inside: its disk, its C library, its architecture.

use crate::{
    error::{Context, Error, Result},
    kube::Kube,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(15);
/// One exec for all of it; a line each. `ldd` is absent from images with another C library. The last one is WAL-G's list of
/// base backups where Spilo has a store for them, with the environment that its archive_command has (zalando.md 9).
const SCRIPT: &str = r#"uname -m
(ldd --version 2>/dev/null || echo unknown) | head -n 1 | sed 's/.* //'
df -Pk "$PGDATA" | tail -n 1 | awk '{print $2, $4}'
du -sk "$PGDATA" 2>/dev/null | awk '{print $1}'
env=${WALE_ENV_DIR:-/run/etc/wal-e.d/env}
if [ -d "$env" ] && command -v wal-g >/dev/null; then timeout 5 envdir "$env" wal-g backup-list --json 2>/dev/null | tr -d '\n'; fi
true"#;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Inside {
    /// `x86_64`
    pub architecture: String,
    /// `2.36`; "unknown" where ldd is not there.
    pub glibc: String,
    /// Bytes of the file system under PGDATA.
    pub disk: u64,
    pub free: u64,
    /// Bytes in PGDATA, WAL included.
    pub data: u64,
    /// RFC 3339, of the newest base backup that WAL-G knows; None: there is none, or nobody to ask.
    #[serde(default)]
    pub last_backup: Option<String>,
}

pub async fn inside(kube: &Kube, pod: &str) -> Result<Inside> {
    let said = kube.exec_ok(pod, "postgres", &["sh", "-c", SCRIPT], LOOK).await.context("looking into the leader")?;
    read(&said).ok_or_else(|| Error::failed(format!("pod {pod} said '{}' about its disk", said.trim())))
}

fn read(said: &str) -> Option<Inside> {
    let mut lines = said.lines().map(str::trim);
    let (architecture, glibc) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    let (disk, free) = lines.next()?.split_once(' ')?;
    let bytes = |kib: &str| kib.trim().parse::<u64>().ok().map(|n| n * 1024);
    let data = bytes(lines.next()?)?;
    Some(Inside {
        architecture,
        glibc,
        disk: bytes(disk)?,
        free: bytes(free)?,
        data,
        last_backup: last_backup(lines.next()),
    })
}

/// `[{"backup_name": "base_..", "time": "2026-11-20T01:00:09Z", ..}]`, in any order.
fn last_backup(list: Option<&str>) -> Option<String> {
    let backups: Vec<serde_json::Value> = serde_json::from_str(list?).ok()?;
    let time =
        |backup: &serde_json::Value| Some(backup["finish_time"].as_str().or(backup["time"].as_str())?.to_owned());
    backups.iter().filter_map(time).max()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_shell_says() {
        let inside = super::read("x86_64\n2.41\n1000 400\n200\n").expect("four lines");
        assert_eq!(
            (inside.glibc.as_str(), inside.disk, inside.free, inside.data),
            ("2.41", 1_024_000, 409_600, 204_800)
        );
        assert_eq!(inside.last_backup, None);
        assert!(super::read("x86_64\n").is_none());
        let list = r#"[{"backup_name":"base_2","time":"2026-11-20T01:00:09Z"},{"backup_name":"base_1","time":"2026-11-19T01:00:09Z"}]"#;
        let inside = super::read(&format!("x86_64\n2.41\n1000 400\n200\n{list}")).expect("five lines");
        assert_eq!(inside.last_backup.as_deref(), Some("2026-11-20T01:00:09Z"));
    }
}
