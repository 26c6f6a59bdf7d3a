//! A standby that follows while the source is written to: both are seen at one instant, and equal.
use super::*;
use pgmigrate::verify::{Limits, Throttle};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_begun_while_the_source_is_busy() {
    let Some(pair) = Pair::start().await else { return };
    pair.both("postgres", TABLES).await;
    let throttle = Throttle::new(Limits { active: 0, lag: 0 });
    let (told, compared) = (std::sync::Mutex::new(Vec::new()), AtomicBool::new(false));
    let said = |text: &str| told.lock().expect("unpoisoned").push(text.to_owned());
    let heard = |words: &str| told.lock().expect("unpoisoned").iter().any(|text| text.contains(words));
    let comparing = async {
        let report = pair.compare("postgres", What { sequences: false, throttle: Some(&throttle), ..DATA }).await;
        compared.store(true, Ordering::Relaxed);
        report
    };
    // It fails when it is ended.
    let at_work = pair.source.0.sql("postgres", "SELECT pg_sleep(3600) /* at work */");
    let ending = async {
        while !heard("1 sessions are at work") && !compared.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!compared.load(Ordering::Relaxed), "it did not wait");
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%at work%' AND pid <> pg_backend_pid()";
        pair.source.sql("postgres", others).await;
    };
    let gauge = async {
        let there = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        while pair.source.sql("postgres", there).await != "1" {}
        throttle.gauge(|| Box::pin(async { Ok(pair.source.open("postgres").await) }), said).await
    };
    let (report, ..) = tokio::select! {
        done = async { tokio::join!(comparing, at_work, ending) } => done,
        never = gauge => match never {},
    };
    passes(&report);
    assert!(heard("comparing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_while_a_standby_lags() {
    const LIST: &str = "-- Whatever holds rows";
    const LOAD: &str = "-- Who else is at work";
    const READ: &str = r#"FROM ONLY "public"."still" r"#;
    let Some(pair) = Pair::start().await else { return };
    pair.both("postgres", TABLES).await;
    let dir = directory();
    let standby = pair.source.standby(dir.path(), "c").await;
    while pair.source.sql("postgres", "SELECT count(replay_lsn) FROM pg_stat_replication").await != "1" {}
    standby.sql("postgres", "SELECT pg_wal_replay_pause()").await;
    let lag = "SELECT pg_logical_emit_message(false, 'lag', repeat('x', 8 << 20))";
    pair.source.sql("postgres", lag).await;
    pair.source.sql("postgres", "ALTER ROLE postgres SET log_statement = 'all'").await;

    // Statements in the order in which they were begun.
    let text = || std::fs::read_to_string(&pair.source.0.log).expect("the server's log");
    let throttle = Throttle::new(Limits { active: u64::MAX, lag: 1 << 20 });
    let told = std::sync::Mutex::new(Vec::new());
    let said = |text: &str| told.lock().expect("unpoisoned").push(text.to_owned());
    let comparing = pair.compare("postgres", What { sequences: false, throttle: Some(&throttle), ..DATA });
    let ending = async {
        // It knows the tables, and has looked at the lag twice since: it does wait.
        let looks = || text().split_once(LIST).map_or(0, |(_, after)| after.matches(LOAD).count());
        while looks() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pair.source.sql("postgres", "SELECT 'the lag goes'").await;
        standby.sql("postgres", "SELECT pg_wal_replay_resume()").await;
    };
    let gauge = throttle.gauge(|| Box::pin(async { Ok(pair.source.open("postgres").await) }), said);
    let (report, ()) = tokio::select! {
        done = async { tokio::join!(comparing, ending) } => done,
        never = gauge => match never {},
    };
    passes(&report);
    let text = text();
    let (before, after) = text.split_once("the lag goes").expect("the mark");
    assert!(!before.contains(READ) && after.contains(READ), "read before the lag was gone");
    let told = told.into_inner().expect("unpoisoned");
    assert!(told[0].contains("a standby has 8 MiB to replay (limit 1 MiB)"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("comparing"));
}
