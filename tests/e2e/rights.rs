//! The rules that `rbac` prints, and nothing else, under every verb.
use super::support::{Bench, Setting};
use serde_json::{Value, json};

/// A ServiceAccount bound to the published Role; returns the kubeconfig's name in the migration's folder.
fn limited(bench: &Bench, role: &str) -> &'static str {
    bench.apply(role);
    let kubectl = |words: &str| bench.kubectl(&words.split(' ').collect::<Vec<_>>(), "").expect("kubectl");
    kubectl("create serviceaccount pgmigrate");
    let account = format!("{}:pgmigrate", bench.namespace);
    kubectl(&format!("create rolebinding pgmigrate --role=pgmigrate --serviceaccount={account}"));
    let token = kubectl("create token pgmigrate --duration=1h");
    let mut config: Value = serde_json::from_str(&kubectl("config view --raw -o json")).expect("JSON");
    config["users"][0]["user"] = json!({"token": token.trim()});
    std::fs::write(bench.path().join("limited"), config.to_string()).expect("a kubeconfig");
    "--kubeconfig limited"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_runs_with_the_published_rules_alone() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let role = bench.run("rbac").await.code(0).stdout;
    let limited = limited(&bench, &role);
    let run = async |line: &str| bench.run(&format!("{line} {limited}")).await.code(0);
    let _ = run(&format!("list -n {}", bench.namespace)).await.says("mastodon-postgresql");
    // Operators and storage classes are outside of the namespace: that they can't be seen is a warning.
    let _ = run("check mastodon").await.says("0 failed, 0 unknown");
    let run = async |line: &str| run(line).await.never_says("forbidden");
    let _ = run("plan mastodon").await;
    let _ = run("prepare mastodon").await;
    let _ = run("status mastodon").await;
    let _ = run("rollback mastodon --remove-target --yes").await;
    let runner = bench.spawn(&format!("prepare mastodon {limited}"));
    bench.begun("create-target").await;
    runner.signal(libc::SIGKILL);
    assert_eq!(runner.wait().await.code, None, "killed");
    let _ = run("resume mastodon").await;
    bench.mark();
    let _ = run("cutover mastodon --accept-one-way mastodon").await.says("outage");
    bench.on_target().await;
    bench.longest_gap();
    let _ = run("verify mastodon").await;
    let _ = run("report mastodon").await;
    let _ = run("finalize mastodon --accept-one-way mastodon").await;
    let _ = run("unlock mastodon").await;
    bench.on_target().await;
    bench.end().await;
}
