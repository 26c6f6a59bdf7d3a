//! The leader's container from inside: its disk, its C library, its architecture.

use crate::{
    error::{Context, Error, Result},
    kube::Kube,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(15);
/// One exec for all of it; a line each. `ldd` is absent from images with another C library.
const SCRIPT: &str = r#"uname -m
(ldd --version 2>/dev/null || echo unknown) | head -n 1 | sed 's/.* //'
df -Pk "$PGDATA" | tail -n 1 | awk '{print $2, $4}'
du -sk "$PGDATA" 2>/dev/null | awk '{print $1}'"#;

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
    Some(Inside { architecture, glibc, disk: bytes(disk)?, free: bytes(free)?, data: bytes(lines.next()?)? })
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
        assert!(super::read("x86_64\n").is_none());
    }
}
