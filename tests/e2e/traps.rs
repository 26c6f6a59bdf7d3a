//! What was seen to go wrong on a real cluster (each is told where the product deals with it).
use super::support::{Bench, Run, SOURCE, SOURCE_POD, Setting, TARGET, TARGET_POD};
use serde_json::json;
use std::collections::HashMap;

/// A cutover that succeeds although something happens when it has come to this step.
async fn disturbed(bench: &Bench, step: &str, disturb: impl AsyncFnOnce(&Bench)) {
    let _ = bench.prepare().await;
    bench.mark();
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    bench.begun(step).await;
    disturb(bench).await;
    let _ = cutover.wait().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
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
    disturbed(&bench, "promote", async |bench| {
        let operator = ["delete", "pod", "-n", "cnpg-system", "-l", "app.kubernetes.io/name=cloudnative-pg", "--force"];
        bench.kubectl(&operator, "").expect("deleted");
    })
    .await;
    bench.end().await;
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
    disturbed(&bench, "promote", async |_| {
        let restarted = std::process::Command::new("sh").args(["-c", &restart]).status();
        assert!(restarted.is_ok_and(|status| status.success()), "{restart}");
    })
    .await;
    bench.end().await;
}

/// A new operator looks at every cluster when it starts, and a role was added behind the fence: the fence of a detached
/// one stays as it is, and nothing of the edit is carried out.
#[tokio::test(flavor = "multi_thread")]
async fn the_zalando_operator_restarts_behind_the_fence() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    let login = format!("mastodon.{SOURCE}.credentials.postgresql.acid.zalan.do");
    let password = bench.password(&login, "password");
    assert_eq!(bench.client(SOURCE, "mastodon", &password, "SELECT 1").as_deref(), Ok("1"));
    disturbed(&bench, "fence-source", async |bench| {
        edited(bench);
        let label = "name=postgres-operator";
        let namespace = ["get", "pods", "-A", "-l", label, "-o", "jsonpath={.items[0].metadata.namespace}"];
        let namespace = bench.kubectl(&namespace, "").expect("the operator runs");
        let delete = ["delete", "pod", "-n", &namespace, "-l", label, "--force", "--grace-period=0"];
        bench.kubectl(&delete, "").expect("deleted");
        let ready = ["wait", "pod", "-n", &namespace, "-l", label, "--for=condition=Ready", "--timeout=5s"];
        bench.until("there is a new operator", || bench.kubectl(&ready, "").is_ok()).await;
    })
    .await;
    let refused = bench.client(SOURCE, "mastodon", &password, "SELECT 1").expect_err("the fence stands");
    assert!(refused.contains("pg_hba.conf rejects"), "{refused}");
    assert_eq!(bench.at_source("SELECT count(*) FROM pg_roles WHERE rolname = 'latecomer'").await, "0");
    bench.end().await;
}

/// What the Zalando operator would carry out at once: a role to be made, and a pod to be made anew.
fn edited(bench: &Bench) {
    let edit = json!({"spec": {"users": {"latecomer": []}, "resources": {"limits": {"memory": "400Mi"}}}});
    bench.patch("postgresqls.acid.zalan.do", SOURCE, edit);
}

/// An operator that still looked after it would replace the pod of the stopped server, in the middle of the window.
#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_edited_behind_the_fence() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let pod = || bench.object("pods", SOURCE_POD)["metadata"]["uid"].clone();
    let before = pod();
    disturbed(&bench, "fence-source", async |bench| edited(bench)).await;
    assert_eq!(pod(), before, "the pod that was fenced");
    assert!(bench.sql(SOURCE_POD, "mastodon", "SELECT 1").await.is_err(), "the source stays down");
    bench.end().await;
}

/// CNPG's last pg_hba line takes no md5 hash. Where a Secret has the password the role gets a SCRAM verifier of it; for the
/// others `check` says so, and the target lets md5 in.
#[tokio::test(flavor = "multi_thread")]
async fn roles_with_md5_passwords() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let verifiers = "SELECT string_agg(left(rolpassword, 3), ' ' ORDER BY rolname) FROM pg_authid \
        WHERE rolname IN ('mastodon', 'reporter')";
    let role = "SET password_encryption = 'md5'; CREATE ROLE reporter LOGIN PASSWORD 'made-by-hand'; \
        GRANT SELECT ON accounts TO reporter";
    bench.at_source(role).await;
    assert_eq!(bench.at_source(verifiers).await, "md5 md5");
    let _ = bench.run("check mastodon").await.code(0).says("md5 and in no Secret: reporter").never_says("made-by-hand");
    let _ = bench.prepare().await;
    bench.mark();
    let _ = bench.cutover().await.code(0).never_says("made-by-hand");
    bench.on_target().await;
    bench.longest_gap();
    assert_eq!(bench.at_target(verifiers).await, "SCR md5");
    let host = format!("{TARGET}-rw");
    let query = "SELECT count(*) > 0 FROM accounts";
    assert_eq!(bench.client(&host, "reporter", "made-by-hand", query).as_deref(), Ok("t"));
    assert!(bench.client(&host, "reporter", "guessed", query).is_err());
    bench.end().await;
}

/// A restore finds no table by a session's search_path. (CREATE INDEX has none either, so the function turns bad after it.)
const BROKEN: &str = "
    CREATE FUNCTION weight(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM public.accounts WHERE id = $1';
    CREATE INDEX heavy ON statuses (weight(account_id));
    CREATE OR REPLACE FUNCTION weight(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM accounts WHERE id = $1';
";

/// CNPG tries a failing import seven times, for eleven minutes: here its first failed pod ends the window. Its own import
/// of roles would print every verifier into the job's log.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_failed_import_pod_and_what_its_log_holds() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    bench.at_source("CREATE ROLE analyst LOGIN PASSWORD 'made-by-hand'").await;
    let _ = bench.prepare().await;
    // The rehearsal has passed by now.
    bench.at_source(BROKEN).await;
    let (failed, mut logs) = logged(&bench).await;
    let _ =
        failed.code(1).says("accounts").says("does not exist").says("back on the source").never_says("made-by-hand");
    assert!(bench.object("clusters.postgresql.cnpg.io", TARGET).is_null(), "the target is removed");
    assert_eq!(logs.len(), 1, "the first failed pod ended it: {:?}", logs.keys());
    bench.on_source().await;
    bench.at_source("DROP INDEX heavy; DROP FUNCTION weight").await;
    bench.mark();
    let (cutover, more) = logged(&bench).await;
    let _ = cutover.code(0);
    bench.on_target().await;
    bench.longest_gap();
    assert!(more.values().any(|log| log.contains("running analyze for database")), "an import's whole log");
    logs.extend(more);
    for (pod, log) in logs {
        let verifier = |at: usize| {
            let hash = log.as_bytes().get(at + 3..at + 35);
            hash.is_some_and(|hash| hash.iter().all(u8::is_ascii_hexdigit))
        };
        assert!(!log.contains("SCRAM-SHA-256$"), "{pod}");
        assert!(!log.match_indices("md5").any(|(at, _)| verifier(at)), "{pod}");
    }
    bench.end().await;
}

/// A cutover, and the logs of all pods that imported meanwhile, by pod.
async fn logged(bench: &Bench) -> (Run, HashMap<String, String>) {
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    let mut logs = HashMap::new();
    while !cutover.ended() {
        let pods =
            bench.kubectl(&["get", "pods", "-l", "cnpg.io/jobRole=import", "-o", "name"], "").expect("an answer");
        for pod in pods.lines() {
            // It may be gone, or not begun.
            if let Ok(log) = bench.kubectl(&["logs", pod], "") {
                logs.insert(pod.to_owned(), log);
            }
        }
    }
    (cutover.wait().await, logs)
}
