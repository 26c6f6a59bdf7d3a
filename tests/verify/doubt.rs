//! What could not be looked at is inconclusive, and what was cut off is gone on with.
use super::*;
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
         AND query LIKE '%\"slow\" r WHERE%' LIMIT 1"
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
