//! What verbs say when they are not alone: somebody holds the lock, or has promoted the target.
use super::support::{Bench, SOURCE_POD, Setting, TARGET};
use pgmigrate::lab::{
    api::request::RequestInfo,
    faults::{ALWAYS, Moment, on},
};
use serde_json::json;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

const LEASE: &str = "leases.coordination.k8s.io";

/// Never comes to its end by itself.
const SLEEPS: &str = r#"fn health(m) { loop { sql("source", "select pg_sleep(25)::text as n"); } }"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_without_a_journal_and_a_target_that_somebody_promoted() {
    let Some(bench) = Bench::up(Setting::default().own_script(SLEEPS)).await else { return };
    the_first_moment_of_somebody_elses_prepare(&bench).await;
    a_script_that_never_ends_is_ended(&bench).await;
    a_source_that_can_not_be_asked(&bench).await;

    let _ = bench.prepare().await;
    let prepared = bench.run("status mastodon").await.code(0).says("bytes, when a step last looked");
    let _ = prepared.never_says("PROBLEM").never_says("not looked at").says("next: kubectl pgmigrate cutover mastodon");
    the_target_is_promoted_by_sql(&bench).await;
    bench.change("clusters.postgresql.cnpg.io", TARGET, |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    astray(&bench, "spec.replica.enabled of cluster database-cnpg is not true").await;
    let unasked = bench.run("rollback mastodon --remove-target").await.code(2).says("was promoted by somebody else");
    assert!(unasked.stderr.contains("rollback mastodon --remove-target --accept-one-way mastodon"), "{unasked}");
    let _ = bench.run("rollback mastodon --remove-target --accept-one-way mastodon").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
    bench.end().await;
}

/// The lock is taken, and nothing is written yet.
async fn the_first_moment_of_somebody_elses_prepare(bench: &Bench) {
    let now = format!("{:.6}", jiff::Timestamp::now());
    let spec = json!({
        "holderIdentity": "ann@elsewhere/1/abcd", "leaseDurationSeconds": 600, "acquireTime": now, "renewTime": now,
    });
    let meta = json!({ "name": "pgmigrate-mastodon", "namespace": "mastodon" });
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec });
    bench.lab.put(LEASE, lease).expect("a lock");
    for verb in ["rollback mastodon", "rollback mastodon --remove-target", "resume mastodon"] {
        let held = bench.run(verb).await.code(7).says("being worked on by ann@elsewhere/1/abcd");
        let held = held.never_says("has begun");
        assert!(held.stderr.ends_with("\nkubectl pgmigrate status mastodon\n"), "{held}");
    }
    bench.lab.store.delete(LEASE, "mastodon", "pgmigrate-mastodon").expect("deleted");
    let _ = bench.run("rollback mastodon").await.code(0).says("nothing of mastodon has begun");
    let _ = bench.run("resume mastodon").await.code(2).says("nothing of mastodon has begun");
}

/// By its time, and by Ctrl-C.
async fn a_script_that_never_ends_is_ended(bench: &Bench) {
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(25)%' AND pid <> pg_backend_pid()";
    let _ = bench.run("script run mastodon health --timeout 2s").await.code(1).says("longer than it may");
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(25)%' \
        AND pid <> pg_backend_pid()";
    bench.at_source(end).await;
    let running = bench.spawn("script run mastodon health");
    let limit = Instant::now() + Duration::from_secs(60);
    while bench.at_source(sleeping).await == "0" {
        assert!(Instant::now() < limit && !running.ended(), "the script asks nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.signal(libc::SIGINT);
    let _ = running.wait().await.code(130).says("interrupted; nothing was changed");
}

/// Patroni answers and no SQL session can be had: dozens of checks are blind for one reason, which is told once.
async fn a_source_that_can_not_be_asked(bench: &Bench) {
    let secret = "postgres.mastodon-postgresql.credentials.postgresql.acid.zalan.do";
    let _ = bench.lab.faults.answer(Moment::Before, on("get", "secrets", secret), 403, ALWAYS);
    let exec = |request: &RequestInfo| {
        request.name.as_deref() == Some(SOURCE_POD) && request.subresource.as_deref() == Some("exec")
    };
    let fired = bench.lab.faults.answer(Moment::Before, Box::new(exec), 500, ALWAYS);
    let check = bench.run("check mastodon").await.code(3);
    let told = check.stdout.lines().filter(|line| line.contains("no SQL session on")).count();
    assert_eq!(told, 2, "once in the table, once with what must hold: {check}");
    let document = bench.run("check mastodon -o json").await.code(3).json();
    let blind =
        |finding: &&serde_json::Value| finding["seen"].as_str().is_some_and(|seen| seen.contains("no SQL session on"));
    let findings = document["findings"].as_array().expect("findings");
    assert!(findings.iter().filter(blind).count() > 20, "{document:#}");
    let counted = format!(" {} unknown,", document["count"]["unknown"]);
    assert!(check.stdout.contains(&counted), "{counted} is not in {check}");
    assert!(fired.load(Ordering::SeqCst) > 0);
    bench.lab.faults.clear();
}

/// The operator makes it a replica again, which has a timeline of its own by then.
async fn the_target_is_promoted_by_sql(bench: &Bench) {
    bench.at_target("SELECT pg_promote()").await;
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let status = bench.run("status mastodon").await.code(0);
        if status.stdout.contains("the target receives nothing from the source") {
            let _ = status.says("next: kubectl pgmigrate check mastodon").never_says("when a step last looked");
            break;
        }
        assert!(Instant::now() < limit, "{status}");
    }
}

/// Not "prepared, lag 0".
async fn astray(bench: &Bench, seen: &str) {
    let status = bench.run("status mastodon").await.code(0).says("PROBLEM").never_says("when a step last looked");
    let status = status.says("but the target was promoted by somebody else");
    let document = bench.run("status mastodon -o json").await.code(0).json();
    assert!(document["problem"].as_str().is_some_and(|problem| problem.contains(seen)), "{document:#}");
    let _ = status.says("next: kubectl pgmigrate check mastodon");
}
