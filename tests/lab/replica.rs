//! The strategy `replica` from its first command to its last.
use super::support::{Bench, SOURCE_POD, Setting};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_migration() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.run("check mastodon").await.code(0);
    let _ = bench.run("cutover mastodon --accept-one-way mastodon").await.code(2).says("is not prepared");
    let _ = bench.prepare().await;
    bench.on_source().await;
    let _ = bench.run("status mastodon").await.code(0).says("cutover");
    bench.mark();
    let _ = bench.cutover().await.code(0).says("outage");
    bench.on_target().await;
    assert!(bench.longest_gap() < Duration::from_secs(30), "{:?}", bench.longest_gap());
    assert!(bench.sql(SOURCE_POD, "mastodon", "SELECT 1").await.is_err(), "the source stays down");
    let _ = bench.run("verify mastodon").await.code(0);
    let report = bench.run("report mastodon -o json").await.code(0);
    assert_eq!(report.json()["migration"], "mastodon", "{report}");
    let _ = bench.run("rollback mastodon").await.code(5).says("point of no return");
    bench.on_target().await;
    let _ = bench.run("finalize mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    bench.lab.stop().await;
}
