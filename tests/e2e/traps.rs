//! What was seen to go wrong on a real cluster (each is told where the product deals with it).
use super::support::{Bench, SOURCE_POD, Setting, TARGET_POD};

/// A cutover that succeeds although something happens when it has come to this step.
async fn disturbed(bench: Bench, step: &str, disturb: impl AsyncFnOnce(&Bench)) {
    let _ = bench.prepare().await;
    bench.mark();
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    bench.begun(step).await;
    disturb(&bench).await;
    let _ = cutover.wait().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

const SECOND: &str = "mastodon-postgresql-1";

/// Patroni leaves slot and recovery settings of its time as a replica in the leader's postgresql.conf.
#[tokio::test(flavor = "multi_thread")]
async fn the_leader_was_once_a_replica() {
    let Some(bench) = Bench::up(Setting { members: 2, ..Setting::default() }).await else { return };
    for (from, to) in [(SOURCE_POD, SECOND), (SECOND, SOURCE_POD)] {
        let follows =
            || bench.kubectl(&["exec", from, "--", "patronictl", "list"], "").is_ok_and(|l| l.contains("streaming"));
        bench.until("the other member streams", follows).await;
        let switch = ["exec", from, "--", "patronictl", "switchover", "--leader", from, "--candidate", to, "--force"];
        bench.kubectl(&switch, "").expect("switched over");
    }
    let _ = bench.prepare().await.says("streaming");
    bench.mark();
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_targets_pod_dies_while_it_streams() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    bench.kubectl(&["delete", "pod", TARGET_POD, "--force", "--grace-period=0"], "").expect("deleted");
    // The gate waits a little for a target that is coming back, then refuses with the app untouched.
    let first = bench.cutover().await;
    match first.code {
        Some(0) => {}
        _ => {
            let _ = first.says("look whether the window may open");
            bench.on_source().await;
            let streams = || bench.kubectl(&["get", "pod", TARGET_POD], "").is_ok_and(|pod| pod.contains("1/1"));
            bench.until("the target is back", streams).await;
            let _ = bench.cutover().await.code(0);
        }
    }
    bench.on_target().await;
    bench.end().await;
}

/// The same pod comes back as the leader of the next timeline, or the other member leads.
#[tokio::test(flavor = "multi_thread")]
async fn the_sources_leader_dies_before_the_window() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    bench.kubectl(&["delete", "pod", SOURCE_POD, "--force", "--grace-period=0"], "").expect("deleted");
    let leads = || {
        let pod = bench.object("pods", SOURCE_POD);
        pod["metadata"]["labels"]["spilo-role"] == "master"
    };
    bench.until("the source has a leader again", leads).await;
    bench.app_writes().await;
    bench.mark();
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// The patch alone promotes; the restart after it waits for the operator.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_killed_after_the_patch() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    disturbed(bench, "promote", async |bench| {
        let operator = ["delete", "pod", "-n", "cnpg-system", "-l", "app.kubernetes.io/name=cloudnative-pg", "--force"];
        bench.kubectl(&operator, "").expect("deleted");
    })
    .await;
}

/// Without `smartShutdownTimeout: 1` it would hold up the restart after promotion for three minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_sits_on_the_target() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let (sleeper, cutover) = tokio::join!(bench.sql(TARGET_POD, "postgres", "SELECT pg_sleep(3600)"), bench.cutover());
    let _ = cutover.code(0);
    assert!(sleeper.is_err(), "the restart ended it");
    bench.on_target().await;
    bench.end().await;
}

/// Past the point of no return there is only the way forward: the runner waits for the API server.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_restarts_after_the_promotion() {
    let Ok(restart) = std::env::var("PGMIGRATE_E2E_RESTART_API") else {
        return eprintln!("skipped: PGMIGRATE_E2E_RESTART_API has no command that does it (docs/real-cluster.md)");
    };
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    disturbed(bench, "promote", async |_| {
        let restarted = std::process::Command::new("sh").args(["-c", &restart]).status();
        assert!(restarted.is_ok_and(|status| status.success()), "{restart}");
    })
    .await;
}

/// A new operator looks at every cluster when it starts: the fence of a detached one stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn the_zalando_operator_restarts_behind_the_fence() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    disturbed(bench, "fence-source", async |bench| {
        let label = "name=postgres-operator";
        let namespace = ["get", "pods", "-A", "-l", label, "-o", "jsonpath={.items[0].metadata.namespace}"];
        let namespace = bench.kubectl(&namespace, "").expect("the operator runs");
        bench
            .kubectl(&["delete", "pod", "-n", &namespace, "-l", label, "--force", "--grace-period=0"], "")
            .expect("deleted");
    })
    .await;
}
