//! A standby that follows while the source is written to: both are seen at one instant, and equal.
use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

const TABLES: &str = "
CREATE TABLE moving (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), v int);
CREATE TABLE still (id int); INSERT INTO still SELECT generate_series(1, 1000);";
/// A hundred transactions that overlap with those of the other writer; some roll back.
const WRITES: &str = "SELECT 'BEGIN; INSERT INTO moving (v) VALUES (' || i || '); UPDATE moving SET v = v + 1 WHERE id = ' || i || '; ' \
    || CASE WHEN i % 7 = 0 THEN 'ROLLBACK' ELSE 'COMMIT' END || '; SELECT pg_sleep(0.01)' FROM generate_series(1, 100) i \\gexec";

#[tokio::test(flavor = "multi_thread")]
async fn one_instant_of_both_while_the_source_is_written_to() {
    let dir = directory();
    let Some(source) = Running::start(dir.path(), "a").await else { return };
    source.sql("postgres", TABLES).await;
    let target = source.standby(dir.path(), "b").await;
    let pair = Pair { source, target, _dir: dir };
    let done = AtomicBool::new(false);
    let writer = async || {
        while !done.load(Ordering::Relaxed) {
            pair.source.sql("postgres", WRITES).await;
        }
    };
    let comparing = async {
        let (mut moved, mut last) = (0, None);
        for _ in 0..3 {
            let report = pair.compare("postgres", DATA).await;
            assert!(report.instant.is_some(), "no instant was found");
            for name in [r#""public"."moving""#, r#""public"."still""#] {
                let item = found(&report, name);
                assert_eq!(item.verdict, Verdict::Pass, "{item}");
            }
            let rows = found(&report, r#""public"."moving""#).source.clone();
            moved += usize::from(last.replace(rows.clone()) != Some(rows));
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(moved, 3, "nothing was written meanwhile: nothing was tested");
    };
    tokio::join!(comparing, writer(), writer());
    // At rest the copy's sequence stands where the source's WAL has it: up to 32 values on.
    let position = pair.source.sql("postgres", "SELECT pg_current_wal_lsn()").await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    while pair.target.sql("postgres", &replayed).await != "t" {}
    let report = pair.compare("postgres", DATA).await;
    passes(&report);
    let sequence = found(&report, r#""public"."moving_id_seq""#);
    assert!(sequence.source == sequence.target || sequence.note.is_some(), "{sequence}");
}
