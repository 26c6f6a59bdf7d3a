//! What goes wrong in the window: before the point of no return the app comes back by itself, after it `resume` finishes.
use super::support::{Bench, SOURCE_POD, Setting, TARGET, TARGET_POD};
use pgmigrate::lab::faults::{Matching, Moment, Runner, on};
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};

/// An app that does not stop when asked, for as long as its grace period.
async fn stuck(bench: &Bench) {
    let name = "mastodon-sidekiq-scheduler";
    bench.change("deployments.apps", name, |deployment| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "lab/stuck".into();
    });
    let rolled = |store: &pgmigrate::lab::api::store::Store| {
        let pods = store.list("pods", Some("mastodon"));
        let pods: Vec<_> =
            pods.iter().filter(|pod| pod["metadata"]["name"].as_str().is_some_and(|n| n.starts_with(name))).collect();
        pods.len() == 1 && pods[0]["spec"]["containers"][0]["image"] == "lab/stuck"
    };
    bench.lab.until("the stuck app runs", Duration::from_secs(40), rolled).await.expect("rolled out");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_exceeded_by_an_app_that_does_not_stop() {
    let Some(bench) =
        Bench::up(Setting::edited(&[("downtimeBudget: 5m", "downtimeBudget: 3s"), ("stopApps: 2m", "stopApps: 2s")]))
            .await
    else {
        return;
    };
    stuck(&bench).await;
    let _ = bench.prepare().await;
    let _ = bench.cutover().await.code(1).says("back on the source");
    bench.on_source().await;
    let _ = bench.run("rollback mastodon --remove-target --yes").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert!(bench.object("clusters.postgresql.cnpg.io", TARGET).is_null(), "the target is removed");
    bench.on_source().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_runner_is_told_and_the_first_one_interrupted() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    stuck(&bench).await;
    let _ = bench.prepare().await;
    let first = bench.spawn("cutover mastodon --accept-one-way mastodon");
    bench.begun("stop-apps").await;
    let second = bench.cutover().await.code(7);
    let lease = bench.object("leases.coordination.k8s.io", "pgmigrate-mastodon");
    let holder = lease["spec"]["holderIdentity"].as_str().expect("a holder");
    let _ = second.says(holder.split(['/', ' ', '_']).next().unwrap_or(holder));
    assert!(!first.ended(), "the first one is still in its window");
    first.signal(libc::SIGINT);
    let _ = first.wait().await.code(130);
    bench.on_source().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_follow() {
    let Some(bench) = Bench::up(Setting::edited(&[("stopApps: 2m", "catchUp: 3s\n    stopApps: 2m")])).await else {
        return;
    };
    let _ = bench.prepare().await;
    // Replay stands still: the gate cannot see that, the proof does.
    bench.at_target("SELECT pg_wal_replay_pause()").await;
    let failed = bench.cutover().await.says("back on the source");
    assert!(matches!(failed.code, Some(1 | 3)), "{failed}");
    bench.on_source().await;
    bench.at_target("SELECT pg_wal_replay_resume()").await;
    // Not streaming at all: the window does not open.
    let fence = |fence: serde_json::Value| {
        bench.change("clusters.postgresql.cnpg.io", TARGET, |cluster| {
            cluster["metadata"]["annotations"]["cnpg.io/fencedInstances"] = fence;
        });
    };
    fence("[\"*\"]".into());
    let down = |_: &pgmigrate::lab::api::store::Store| bench.lab.faults.kill("mastodon", TARGET_POD).is_err();
    bench.lab.until("the target is down", Duration::from_secs(30), down).await.expect("fenced");
    let before = bench.object("deployments.apps", "mastodon-web")["metadata"]["generation"].clone();
    let _ = bench.cutover().await.code(3).says("stream");
    assert_eq!(
        bench.object("deployments.apps", "mastodon-web")["metadata"]["generation"],
        before,
        "nothing was stopped"
    );
    bench.on_source().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_dies_while_promoting() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    bench.begun("promote").await;
    bench.lab.faults.kill("mastodon", TARGET_POD).expect("a server to kill");
    let first = cutover.wait().await;
    if first.code != Some(0) {
        let _ = first.code(4).says("resume mastodon");
        let _ = bench.run("resume mastodon").await.code(0);
    }
    bench.on_target().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_edited_meanwhile_is_kept() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    let _ = bench.prepare().await;
    let runner = Runner::default();
    let starts = |request: &pgmigrate::lab::api::request::RequestInfo| {
        request.name.as_deref() == Some("mastodon-sidekiq-scheduler")
            && request.verb == "patch"
            && request.body.as_ref().is_some_and(|body| body["spec"]["replicas"] == 1)
    };
    let _ = bench.lab.faults.kill_runner(&runner, Moment::Before, Box::new(starts));
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    runner.is(cutover.pid);
    assert_eq!(cutover.wait().await.code, None, "killed");
    // Another name of the source.
    let theirs = json!("mastodon-postgresql.mastodon.svc");
    bench.change("configmaps", "mastodon-database", |map| map["data"]["DB_HOST"] = theirs.clone());
    bench.change("secrets", "mastodon-db-url", |secret| secret["data"]["OTHER"] = json!("b3RoZXI="));
    // Its lock expires by itself; nobody waits for that at night.
    let _ = bench.run("unlock mastodon --yes").await.code(0);
    let back = bench.run("rollback mastodon").await.code(0);
    let _ = back.says("somebody has changed DB_HOST");
    assert_eq!(bench.object("configmaps", "mastodon-database")["data"]["DB_HOST"], theirs);
    assert_eq!(bench.object("secrets", "mastodon-db-url")["data"]["OTHER"], "b3RoZXI=", "a key that is not ours");
    bench.apps_are_up();
    bench.nothing_lost().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_with_bad_moments() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let faults = &bench.lab.faults;
    let ours = |name: &'static str| on("patch", "", name);
    let fired = [
        faults.answer(Moment::Before, ours("mastodon-web"), 429, 1),
        faults.answer(Moment::After, ours("mastodon-streaming"), 504, 1),
        faults.answer(Moment::After, ours(TARGET), 504, 1),
        faults.answer(Moment::Before, ours("mastodon-db-url"), 500, 1),
    ];
    let run = bench.cutover().await;
    let struck: Vec<u32> = fired.iter().map(|f| f.load(Ordering::SeqCst)).collect();
    faults.clear();
    assert!(struck.iter().sum::<u32>() > 0, "no fault struck: {run}");
    match run.code {
        Some(0) => bench.on_target().await,
        Some(1) => bench.on_source().await,
        Some(4) => {
            let _ = bench.run("resume mastodon").await.code(0);
            bench.on_target().await;
        }
        _ => panic!("{run}"),
    }
    bench.end().await;
}

/// What a pod was told to do is done, and nobody learns of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_pods_are_lost() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let faults = &bench.lab.faults;
    let within = |pod: &'static str, way: &'static str| -> Matching {
        Box::new(move |request| request.name.as_deref() == Some(pod) && request.subresource.as_deref() == Some(way))
    };
    let fired = faults.lose(Moment::After, within(TARGET_POD, "exec"), 2);
    for _ in 0..3 {
        let prepared = bench.run("prepare mastodon").await;
        assert!(matches!(prepared.code, Some(0 | 4)), "{prepared}");
    }
    let _ = bench.prepare().await;
    assert!(fired.load(Ordering::SeqCst) > 0, "no answer was lost in prepare");
    // In the window what is kept open in both pods is cut.
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    bench.begun("stop-apps").await;
    let cuts = [SOURCE_POD, TARGET_POD].map(|pod| faults.cut("mastodon", pod));
    let mut run = cutover.wait().await;
    assert!(cuts.iter().all(|cut| cut.load(Ordering::SeqCst) > 0), "something is kept open in both: {run}");
    for _ in 0..3 {
        run = match run.code {
            Some(0) => break,
            Some(1) => {
                bench.on_source().await;
                bench.cutover().await
            }
            Some(4) => bench.run("resume mastodon").await,
            _ => panic!("{run}"),
        };
    }
    let _ = run.code(0);
    bench.on_target().await;
    bench.end().await;
}
