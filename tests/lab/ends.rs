//! The two ends are not as one would wish: a wrong password, a full disk.
use super::support::{Bench, NAMESPACE, SOURCE, Setting, TARGET, TARGET_POD};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn the_standby_password_is_wrong() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    // With an operator at work the role would get the Secret's password again.
    let detach = |to: serde_json::Value| {
        bench.change("postgresqls.acid.zalan.do", SOURCE, |cluster| {
            cluster["metadata"]["annotations"]["acid.zalan.do/controller"] = to;
        });
    };
    detach(json!("elsewhere"));
    let known = bench.password(&format!("standby.{SOURCE}.credentials.postgresql.acid.zalan.do"), "password");
    bench.at_source("ALTER ROLE standby PASSWORD 'another'").await;
    let failed = bench.run("prepare mastodon").await.code(3).says("does not take the password of role standby");
    let _ = failed.says("\\password standby").says("kubectl pgmigrate prepare mastodon").never_says(&known);
    assert!(bench.object("clusters.postgresql.cnpg.io", TARGET).is_null(), "nothing was made for a copy that can't be");
    bench.at_source(&format!("ALTER ROLE standby PASSWORD '{known}'")).await;
    detach(serde_json::Value::Null);
    let _ = bench.prepare().await;
    let _ = bench.run("rollback mastodon --remove-target").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_during_the_copy() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let faults = &bench.lab.faults;
    if let Err(error) = faults.small_disk(NAMESPACE, TARGET_POD, 512) {
        // Only root may mount one.
        return eprintln!("not tried: {}", error.chain());
    }
    faults.fill_disk(NAMESPACE, TARGET_POD).expect("filled");
    let full = bench.run("prepare mastodon").await.code(4).says("No space left on device");
    let _ = full.says("kubectl pgmigrate rollback mastodon --remove-target");
    bench.on_source().await;
    let _ = bench.run("rollback mastodon --remove-target").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    // With room the same migration is prepared.
    let _ = bench.prepare().await;
    bench.on_source().await;
    bench.end().await;
}

/// Kills a `prepare` that has begun to wait for the copy.
async fn killed_before_the_copy() -> Option<Bench> {
    let bench = Bench::up(Setting::default()).await?;
    let runner = bench.spawn("prepare mastodon");
    bench.begun("make-bootable").await;
    runner.signal(libc::SIGKILL);
    assert_eq!(runner.wait().await.code, None, "killed");
    Some(bench)
}

fn lift_the_fence(bench: &Bench) {
    bench.change("clusters.postgresql.cnpg.io", TARGET, |cluster| {
        cluster["metadata"]["annotations"]["cnpg.io/fencedInstances"] = serde_json::Value::Null;
    });
}

const ENDED: &str = "PostgreSQL process exited with errors";

/// What the target's instance manager has said.
fn log(bench: &Bench) -> Option<String> {
    let sandbox = bench.lab.node.sandbox("mastodon", TARGET_POD)?;
    std::fs::read_to_string(sandbox.logs.get("postgres")?).ok()
}

/// The copy waits for a spread checkpoint, which the runner would hurry.
async fn hurried(bench: &Bench, what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        bench.at_source("CHECKPOINT").await;
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_is_lifted_before_the_copy_can_boot() {
    let Some(bench) = killed_before_the_copy().await else { return };
    lift_the_fence(&bench);
    let restarts = || bench.object("pods", TARGET_POD)["status"]["containerStatuses"][0]["restartCount"].as_u64();
    // Too late on a slow machine: then its manager has seen the fence, and stays.
    let ended = || log(&bench).is_some_and(|log| log.contains(ENDED));
    hurried(&bench, "it dies", || restarts() > Some(0) || ended()).await;
    let _ = bench.run("prepare mastodon").await.code(0).says("fenced again");
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}

/// The instance manager stays, without a server.
#[tokio::test(flavor = "multi_thread")]
async fn the_fence_is_lifted_once_it_was_seen() {
    let Some(bench) = killed_before_the_copy().await else { return };
    hurried(&bench, "it sees the fence", || log(&bench).is_some_and(|log| log.contains("Instance is fenced"))).await;
    lift_the_fence(&bench);
    hurried(&bench, "its server ends", || log(&bench).is_some_and(|log| log.contains(ENDED))).await;
    let _ = bench.run("prepare mastodon").await.code(0).says("fenced again");
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_during_the_import() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    let faults = &bench.lab.faults;
    if let Err(error) = faults.small_disk(NAMESPACE, TARGET_POD, 512) {
        // Only root may mount one.
        return eprintln!("not tried: {}", error.chain());
    }
    bench.at_source("CREATE TABLE heavy AS SELECT n, md5(n::text) FROM generate_series(1, 300000) n").await;
    let _ = bench.prepare().await;
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    // From when the new server runs and the dump begins on, there is no room left.
    let dumps = bench.lab.node.pod_dir(NAMESPACE, TARGET_POD).join("pgdata/dumps");
    let end = Instant::now() + Duration::from_secs(60);
    while !dumps.exists() {
        assert!(Instant::now() < end && !cutover.ended(), "no import began");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    faults.fill_disk(NAMESPACE, TARGET_POD).expect("filled");
    let _ = cutover.wait().await.code(1).says("No space left on device").says("back on the source");
    bench.on_source().await;
    assert!(bench.object("clusters.postgresql.cnpg.io", TARGET).is_null(), "the target is removed");
    // With room again the same migration succeeds.
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}
