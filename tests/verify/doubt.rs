//! What could not be looked at is inconclusive, and what was cut off is gone on with.
use super::*;
use pgmigrate::journal::Acceptance;
use std::time::Duration;

const TABLES: &str = "
CREATE TABLE slow (id int PRIMARY KEY, v text);
INSERT INTO slow SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 150000) i;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE broken (id int, c colour); INSERT INTO broken VALUES (1, 'green');";

/// Does it to a session that reads the table `slow`, as soon as there is one.
async fn does(what: &str, pair: &Pair) {
    let reader = format!(
        "SELECT {what}(pid) FROM pg_stat_activity WHERE application_name = 'pgmigrate' AND state = 'active' \
         AND query LIKE '%FROM ONLY \"public\".\"slow\" r%' LIMIT 1"
    );
    while pair.source.sql("postgres", &reader).await != "t" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_session_is_gone_on_for_and_a_cancelled_query_is_said() {
    let Some(pair) = Pair::start().await else { return };
    pair.both("postgres", TABLES).await;
    let (report, ()) = tokio::join!(pair.compare("postgres", DATA), does("pg_terminate_backend", &pair));
    passes(&report);

    let (report, ()) = tokio::join!(pair.compare("postgres", DATA), does("pg_cancel_backend", &pair));
    let item = found(&report, r#""public"."slow""#);
    assert_eq!((report.overall, item.verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
    assert!(item.note.as_ref().is_some_and(|note| note.contains("source") && note.contains("canceling")), "{item}");
    assert_eq!(report.problems().count(), 1);

    // An enum's value whose label is gone cannot be read.
    let broken = "SET allow_system_table_mods = on; DELETE FROM pg_enum WHERE enumlabel = 'green'";
    pair.target.sql("postgres", broken).await;
    let report = pair.compare("postgres", DATA).await;
    let item = found(&report, r#""public"."broken""#);
    assert_eq!((report.overall, item.verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
    assert_eq!(report.problems().count(), 1, "{:#?}", report.problems().collect::<Vec<_>>());
}

const VIEWS: &str = "
CREATE TABLE base (v int); INSERT INTO base VALUES (1);
CREATE MATERIALIZED VIEW sums AS SELECT sum(v) FROM base;
CREATE MATERIALIZED VIEW old AS SELECT sum(v) + 1 FROM base; UPDATE base SET v = 5;
CREATE MATERIALIZED VIEW dice AS SELECT random() AS n; REFRESH MATERIALIZED VIEW sums;";

#[tokio::test(flavor = "multi_thread")]
async fn a_materialised_view_passes_when_its_definition_says_so_or_somebody_does() {
    let Some(pair) = Pair::start().await else { return };
    pair.source.sql("postgres", "CREATE DATABASE app").await;
    pair.source.sql("app", VIEWS).await;
    pair.restore("app").await;
    // Out of other rows than the table has by now.
    pair.target.sql("app", "UPDATE base SET v = 6; REFRESH MATERIALIZED VIEW sums; UPDATE base SET v = 5").await;
    let mut report = pair.compare("app", DATA).await;
    assert_eq!((report.overall, report.code), (Verdict::Inconclusive, Code::Stale));
    let codes = |report: &Report| ["base", "old", "sums", "dice"].map(|n| found(report, &quoted(n)).code);
    assert_eq!(codes(&report), [Code::Equal, Code::Explained, Code::Stale, Code::Stale]);

    let accepted = |name: &str| Acceptance {
        database: "app".into(),
        table: quoted(name),
        by: "me".into(),
        at: "2026-01-01T00:00:00Z".parse().expect("a time"),
    };
    report.accept(&[accepted("dice")]);
    assert_eq!(report.overall, Verdict::Inconclusive);
    report.accept(&[accepted("dice"), accepted("sums")]);
    assert_eq!((report.overall, report.code), (Verdict::Pass, Code::Accepted));
    assert!(report.summary().contains("accepted unproved"), "{}", report.summary());

    // The refresh was rolled back: it is as wrong as before. What differs is accepted by nobody.
    pair.target.sql("app", "UPDATE base SET v = 7").await;
    let mut report = pair.compare("app", DATA).await;
    assert_eq!(found(&report, &quoted("sums")).code, Code::Stale);
    report.accept(&["base", "dice", "sums", "old"].map(accepted));
    assert_eq!((report.overall, report.code), (Verdict::Fail, Code::RowsDiffer));
    assert_eq!(report.problems().map(|item| item.name.clone()).collect::<Vec<_>>(), [quoted("base")]);

    pair.target.sql("app", "UPDATE base SET v = 5; REFRESH MATERIALIZED VIEW sums; DROP MATERIALIZED VIEW dice").await;
    let report = pair.compare("app", DATA).await;
    assert_eq!((found(&report, &quoted("sums")).code, report.code), (Code::Equal, Code::MissingAtTarget));
}

fn quoted(name: &str) -> String {
    format!(r#""public"."{name}""#)
}

/// A table that nobody else may read just now: the wait for it ends, whatever limits the role has of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_locked_is_a_timeout() {
    let Some(pair) = Pair::start().await else { return };
    pair.both("postgres", "CREATE TABLE locked (id int); ALTER ROLE postgres SET statement_timeout = '7s'").await;
    passes(&pair.compare("postgres", DATA).await);
    let mut holder = pair.source.open("postgres").await;
    holder.run("BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    let report = pair.compare("postgres", What { sequences: false, ..DATA }).await;
    assert_eq!((report.overall, report.code), (Verdict::Inconclusive, Code::Timeout));
    let note = report.items[0].note.clone().unwrap_or_default();
    assert!(note.contains("source") && note.contains("lock timeout"), "{note}");
    holder.run("ROLLBACK").await.expect("the lock's end");
    passes(&pair.compare("postgres", DATA).await);
}
