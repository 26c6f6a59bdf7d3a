//! The same instant on both sides of a physical copy, while the source is being written to.
//!
//! Nothing is paused. Both sides export what their transactions see, again and again for a moment, each state of theirs a
//! snapshot of its own; then two are looked for that see the same transactions: the same next one, the same still running.
//! What such snapshots see is the same, for a standby has its transactions from the source's WAL. A state that only one
//! side was seen in is no harm: another one is taken, or none.

use super::side::text;
use crate::{error::Result, postgres::Db};
use std::collections::{BTreeMap, BTreeSet};

const TRIES: usize = 3;
/// Half seconds in which the target may come to where the source was.
const PATIENCE: usize = 20;
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
/// Half a second, politely.
const AT_SOURCE: &str =
    "DO $$ BEGIN FOR n IN 1..25 LOOP PERFORM pg_export_snapshot(); PERFORM pg_sleep(0.02); END LOOP; END $$";
/// Every state of half a second: one may last for a millisecond.
const AT_TARGET: &str = "DO $$ DECLARE last text := ''; seen text; ending timestamptz := clock_timestamp() + interval '0.5 s'; \
    BEGIN WHILE clock_timestamp() < ending LOOP seen := pg_current_snapshot()::text; \
    IF seen <> last THEN PERFORM pg_export_snapshot(); last := seen; END IF; END LOOP; END $$";

/// A pair of snapshots for others to join, as long as the two sessions' transactions last.
pub(crate) struct Instant {
    pub source: String,
    pub target: String,
    /// The first transaction that it does not see.
    pub before: u32,
}

/// None: the sides were not seen in the same state. The sessions are left in a transaction.
pub(crate) async fn find(source: &mut Db, target: &mut Db) -> Result<Option<Instant>> {
    for _ in 0..TRIES {
        tokio::try_join!(begin(source), begin(target))?;
        tokio::try_join!(source.run(AT_SOURCE), target.run(AT_TARGET))?;
        let ours = states(source).await?;
        for _ in 0..PATIENCE {
            let theirs = states(target).await?;
            let newest = ours.iter().rev().find_map(|(state, source)| Some((state, source, theirs.get(state)?)));
            if let Some((state, source, target)) = newest {
                return Ok(Some(Instant { source: source.clone(), target: target.clone(), before: state.next }));
            }
            if theirs.last_key_value() > ours.last_key_value() {
                break;
            }
            target.run(AT_TARGET).await?;
        }
    }
    Ok(None)
}

async fn begin(db: &mut Db) -> Result<()> {
    db.run("ROLLBACK").await?;
    db.run(BEGIN).await
}

async fn states(db: &mut Db) -> Result<BTreeMap<State, String>> {
    let rows = db.rows(include_str!("../postgres/sql/snapshots_exported.sql"), &[]).await?;
    Ok(rows.iter().filter_map(|row| Some((State::read(&text(row, "state"))?, text(row, "id")))).collect())
}

/// What a snapshot sees: every transaction before `next`, but those that are running.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    next: u32,
    running: BTreeSet<u32>,
}

impl State {
    /// The file's text. None: more subtransactions are running than it lists.
    fn read(text: &str) -> Option<State> {
        let lines = || text.lines().filter_map(|line| line.split_once(':'));
        let value = |key: &str| lines().find(|(k, _)| *k == key).map(|(_, value)| value);
        // A standby lists all under sxp; it does not know which are subtransactions.
        let running = lines().filter(|(key, _)| matches!(*key, "xip" | "sxp")).filter_map(|(_, xid)| xid.parse().ok());
        (value("sof") == Some("0")).then_some(())?;
        Some(State { next: value("xmax")?.parse().ok()?, running: running.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primarys_and_a_standbys_view_of_the_same() {
        let primary =
            "vxid:4/33\npid:1\nxmin:738\nxmax:742\nxcnt:2\nxip:738\nxip:740\nsof:0\nsxcnt:1\nsxp:741\nrec:0\n";
        let standby = "vxid:2/2\npid:2\nxmin:738\nxmax:742\nxcnt:0\nsof:0\nsxcnt:3\nsxp:738\nsxp:740\nsxp:741\nrec:1\n";
        assert_eq!(State::read(primary), State::read(standby));
        assert!(State::read(primary).is_some_and(|state| state.running.len() == 3));
        assert_ne!(State::read(primary), State::read(&standby.replace("sxp:740\n", "")));
        assert_eq!(State::read(&standby.replace("sof:0", "sof:1")), None);
    }
}
