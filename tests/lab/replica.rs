//! The strategy `replica` from its first command to its last.
use super::support::{Bench, SOURCE_POD, Setting, TARGET_POD};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_migration() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.run("check mastodon").await.code(0);
    let _ = bench.run("cutover mastodon --accept-one-way mastodon").await.code(2).says("is not prepared");
    let _ = bench.prepare().await;
    bench.on_source().await;
    let _ = bench.run("status mastodon").await.code(0).says("cutover");
    // The app writes: both ends are seen equal at one position, or what moves is said to be inconclusive; never different.
    let moving = bench.run("verify mastodon --all").await;
    let _ = match moving.code {
        Some(0) => moving.says("result: PASS").never_says("INCONCLUSIVE"),
        Some(3) => moving.says("being written to").never_says("FAIL"),
        _ => panic!("{moving}"),
    };
    watched_until_it_is_ended(&bench).await;
    let accepting = "cutover mastodon --accept-one-way mastodon --accept-inconclusive public.accounts";
    let _ = bench.run(accepting).await.code(2).says("nothing to accept");
    bench.mark();
    let cutover = bench.run("cutover mastodon --accept-one-way mastodon -v").await;
    let _ = cutover.code(0).says("outage").cheap();
    bench.on_target().await;
    assert!(bench.longest_gap() < Duration::from_secs(30), "{:?}", bench.longest_gap());
    assert!(bench.sql(SOURCE_POD, "mastodon", "SELECT 1").await.is_err(), "the source stays down");
    let _ = bench.run("verify mastodon").await.code(0);
    let report = bench.run("report mastodon -o json").await.code(0);
    assert_eq!(report.json()["migration"], "mastodon", "{report}");
    certified(&bench, report.says("prove-caught-up").json()).await;
    // What would be lost is named; PostgreSQL counts rows a moment late (idle sessions flush their numbers once a second).
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let late = bench.run("rollback mastodon").await.code(5).says("point of no return");
        if late.stderr.contains("statuses") && late.stderr.contains("inserted") {
            break;
        }
        assert!(Instant::now() < end, "{late}");
    }
    bench.on_target().await;
    bench.as_recorded();
    let _ = bench.run("finalize mastodon --accept-one-way mastodon").await.code(0).never_says("stays on the target");
    // cron_admin goes with pg_cron, which is the user's to judge, and stays where that is.
    let spilo = "SELECT count(*) FROM pg_roles WHERE rolname IN ('standby', 'admin', 'zalandos', 'robot_zmon') \
        OR rolname = 'cron_admin' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')";
    assert_eq!(bench.sql(TARGET_POD, "postgres", spilo).await.as_deref(), Ok("0"));
    bench.on_target().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_two_members() {
    let quick = Setting::edited(&[("stopApps: 2m", "catchUp: 3s\n    stopApps: 2m")]);
    let Some(bench) = Bench::up(Setting { members: 2, ..quick }).await else { return };
    let _ = bench.run("check mastodon").await.code(0).says("2 running");
    let _ = bench.prepare().await;
    // Not at the first try: the way back is to the same leader.
    bench.at_target("SELECT pg_wal_replay_pause()").await;
    let failed = bench.cutover().await.says("back on the source");
    assert!(matches!(failed.code, Some(1 | 3)), "{failed}");
    bench.on_source().await;
    bench.at_target("SELECT pg_wal_replay_resume()").await;
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    let other = "mastodon-postgresql-1";
    assert!(bench.sql(SOURCE_POD, "mastodon", "SELECT 1").await.is_err(), "the leader stays down");
    let recovers = bench.sql(other, "mastodon", "SELECT pg_is_in_recovery()").await;
    assert_eq!(recovers.as_deref().unwrap_or("t"), "t", "nobody was promoted in its place");
    let _ = bench.run("finalize mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    bench.end().await;
}

/// Round after round; the last verdict is the exit code.
async fn watched_until_it_is_ended(bench: &Bench) {
    let file = bench.path().join("rounds");
    let stdout = std::fs::File::create(&file).expect("a file");
    let watching = bench.spawn_into("verify mastodon --watch --every 1s --max-active 1000", stdout.into());
    let rounds = || std::fs::read_to_string(&file).expect("what it says").matches(" s old, took ").count();
    while rounds() < 2 {
        assert!(!watching.ended(), "{}", watching.wait().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watching.signal(libc::SIGINT);
    let ended = watching.wait().await;
    let said = std::fs::read_to_string(&file).expect("what it said");
    let last = said.lines().rfind(|line| line.contains(" s old, took ")).expect("a round");
    assert_eq!(ended.code, Some(if last.contains("  PASS  ") { 0 } else { 3 }), "{said}{ended}");
    // Of all its rounds the last one is kept.
    let report = bench.run("report mastodon -o json").await.code(0).json();
    let kept = report["verifications"].as_array().expect("a list");
    let watched = kept.iter().filter(|v| v["options"] == serde_json::json!(["--watch"])).collect::<Vec<_>>();
    assert_eq!(watched.len(), 1, "{report:#}");
    let summary = watched[0]["databases"][0]["summary"].as_str().expect("a summary");
    assert!(last.contains(summary), "{summary} is not in: {last}");
}

/// All that the certificate owes its reader, and nothing that it must not tell.
async fn certified(bench: &Bench, report: serde_json::Value) {
    let text = |pointer: &str| report.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    for there in ["/sourceVersion", "/targetVersion", "/fingerprint/tool", "/fingerprint/source_system", "/by/0"] {
        assert!(!text(there).is_empty(), "{there}: {report:#}");
    }
    assert!(text("/targetVersion").starts_with(&text("/sourceVersion")), "{report:#}");
    assert!(text("/fingerprint/file").starts_with("sha256:") && text("/fingerprint/script").starts_with("sha256:"));
    for proof in ["gate", "fence-source", "prove-caught-up", "settle"] {
        assert!(!report["proofs"][proof].is_null(), "{proof}: {report:#}");
    }
    assert!(text("/proofs/prove-caught-up/note").contains("checksums: source o"), "{report:#}");
    assert!(text("/proofs/prove-caught-up/checkpoint/location").contains('/'), "{report:#}");
    let _ = bench.run("report mastodon --html page.html").await.code(0);
    let page = std::fs::read_to_string(bench.path().join("page.html")).expect("a page");
    for there in
        ["<svg", "fence-source", "next xid", &text("/fingerprint/file"), &text("/by/0"), &text("/sourceVersion")]
    {
        assert!(page.contains(there), "no {there} in the page");
    }
    for fetched in ["http://", "https://", "<script", "<link", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched} in the page");
    }
    let secret = bench.password("mastodon-db-url", "DB_PASS");
    assert!(!page.contains(&secret) && !report.to_string().contains(&secret), "a password in the certificate");
}
