//! What `pg_controldata` prints of a stopped server (PostgreSQL 17 docs, pg_controldata).

use super::Lsn;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The last checkpoint of a server; equal on two servers = the same bytes were replayed up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub location: Lsn,
    pub timeline: u32,
    /// `epoch:xid`, as text.
    pub next_xid: String,
    pub system_identifier: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlData {
    /// "shut down", "in production", "shut down in recovery", "in archive recovery", ...
    pub state: String,
    pub checkpoint: Checkpoint,
    /// None: read by an earlier version of this program.
    #[serde(default)]
    pub checksums: Option<bool>,
}

impl ControlData {
    /// Parses the untranslated output: run it with `LC_ALL=C`.
    pub fn parse(text: &str) -> Result<ControlData> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_string())
                .ok_or_else(|| Error::failed(format!("pg_controldata printed no line '{name}'")))
        };
        let location = field("Latest checkpoint location")?;
        let timeline = field("Latest checkpoint's TimeLineID")?;
        Ok(ControlData {
            state: field("Database cluster state")?,
            checkpoint: Checkpoint {
                location: location
                    .parse()
                    .map_err(|e| Error::failed(format!("pg_controldata: checkpoint location {location}: {e}")))?,
                timeline: timeline
                    .parse()
                    .map_err(|_| Error::failed(format!("pg_controldata: timeline {timeline}")))?,
                next_xid: field("Latest checkpoint's NextXID")?,
                system_identifier: field("Database system identifier")?,
            },
            checksums: Some(field("Data page checksum version")? != "0"),
        })
    }

    /// Stopped cleanly as a primary. A replica says "shut down in recovery": not a fence.
    pub fn is_shut_down(&self) -> bool {
        self.state == "shut down"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "pg_control version number:            1300\n\
        Database system identifier:           7440000000000000001\n\
        Database cluster state:               shut down\n\
        Latest checkpoint location:           0/12000028\n\
        Latest checkpoint's TimeLineID:       2\n\
        Latest checkpoint's NextXID:          0:6376\n\
        Data page checksum version:           1\n";

    #[test]
    fn reads_the_last_checkpoint() {
        let control = ControlData::parse(TEXT).unwrap();
        assert!(control.is_shut_down());
        assert_eq!(control.checksums, Some(true));
        assert_eq!(
            ControlData::parse(&TEXT.replace("version:           1\n", "version: 0\n")).unwrap().checksums,
            Some(false)
        );
        assert_eq!(control.checkpoint.location, Lsn(0x1200_0028));
        assert_eq!((control.checkpoint.timeline, control.checkpoint.next_xid.as_str()), (2, "0:6376"));
    }

    #[test]
    fn a_stopped_replica_is_not_shut_down() {
        let text = TEXT.replace("shut down", "shut down in recovery");
        assert!(!ControlData::parse(&text).unwrap().is_shut_down());
        assert!(ControlData::parse("").is_err());
    }
}
