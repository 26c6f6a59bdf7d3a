//! More than a toy: a gigabyte, moved and compared row by row.
use super::support::{Bench, Setting};
use std::time::Instant;

const GIGABYTE: u64 = 1 << 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_moves_as_a_replica() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    // Texts that do not compress, so that the disk, the copy and the comparison have all of it to do.
    let rows = "INSERT INTO statuses (account_id, text) SELECT (SELECT min(id) FROM accounts), \
        (SELECT string_agg(md5(i::text || j::text), '') FROM generate_series(1, 30) j) FROM generate_series(1, 1000000) i";
    bench.at_source(rows).await;
    let size: u64 = bench.at_source("SELECT pg_database_size('mastodon')").await.parse().expect("bytes");
    assert!(size >= GIGABYTE, "{size} bytes");
    let begin = Instant::now();
    let _ = bench.prepare().await;
    let prepared = begin.elapsed().as_secs_f64();
    bench.mark();
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    eprintln!("  {:.2} GiB copied and streaming after {prepared:.0} s", size as f64 / GIGABYTE as f64);
    bench.end().await;
}
