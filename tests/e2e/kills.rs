//! kill -9 of the runner at steps of a real migration, and both ways on from there.
use super::support::{Bench, Setting};

const CUTOVER: &str = "cutover mastodon --accept-one-way mastodon";

async fn killed(bench: &Bench, line: &str, step: &str) {
    let runner = bench.spawn(line);
    bench.begun(step).await;
    runner.signal(libc::SIGKILL);
    assert_eq!(runner.wait().await.code, None, "killed at {step}");
}

/// One migration whose runner dies at every step, and is resumed each time.
#[tokio::test(flavor = "multi_thread")]
async fn resumed_at_every_step() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    for step in ["wal-retention", "create-target", "make-bootable", "restart-target"] {
        killed(&bench, "prepare mastodon", step).await;
    }
    let _ = bench.prepare().await;
    bench.mark();
    killed(&bench, CUTOVER, "detach-operator").await;
    let steps = [
        "pause-patroni",
        "stop-apps",
        "fence-source",
        "prove-caught-up",
        "promote",
        "settle",
        "switch-connections",
        "start-apps",
    ];
    for step in steps {
        killed(&bench, "resume mastodon --accept-one-way mastodon", step).await;
    }
    let _ = bench.run("resume mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// The way back from three places before the point of no return, then the migration itself.
#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_from_three_places() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    for step in ["stop-apps", "fence-source", "prove-caught-up"] {
        killed(&bench, CUTOVER, step).await;
        let _ = bench.run("rollback mastodon").await.code(0);
        bench.on_source().await;
    }
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}
