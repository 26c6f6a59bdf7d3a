//! Whole migrations through the real binary, in a lab of their own: what goes well, what is vetoed, what is refused.

use pgmigrate::lab::{
    app::{audit::audit_namespace, ledger::Ledger},
    servers::installs,
    world::{Lab, Options, mastodon::Mastodon},
};
use serde_json::{Value, json};
use std::{
    process::{Output, Stdio},
    time::Duration,
};

const CUTOVER: [&str; 4] = ["cutover", "mastodon", "--accept-one-way", "mastodon"];

struct Bench {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Bench {
    /// A lab with the Mastodon example, whose app writes, and its migration file under one strategy.
    async fn up(strategy: &str) -> Bench {
        let install =
            installs().into_iter().next().expect("PostgreSQL's server programs: tools/postgres installs them");
        let lab = Lab::start(Options::default()).await.expect("the lab starts");
        let size = Mastodon { statuses: 300, members: 1, version: install.major };
        lab.scenario_mastodon(size).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let bench = Bench { lab, folder: tempfile::tempdir().expect("a folder") };
        bench.ends(0, &["init", "--from", "mastodon"]).await;
        bench.edit("mastodon.yaml", |text| text.replace("strategy: replica", &format!("strategy: {strategy}")));
        bench.writes().await;
        bench
    }

    fn edit(&self, file: &str, change: impl Fn(String) -> String) {
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the file that init wrote");
        std::fs::write(&path, change(text)).expect("written");
    }

    fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-pgmigrate"));
        command.args(args).current_dir(self.folder.path()).kill_on_drop(true);
        command.env("KUBECONFIG", self.lab.kubeconfig_path()).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary, which must end with this code; returns all that it said.
    async fn ends(&self, code: i32, args: &[&str]) -> String {
        let (ended, said) = self.says(args).await;
        assert_eq!(ended, code, "{args:?}\n{said}");
        said
    }

    /// Runs the binary to its end: its exit code and all that it said.
    async fn says(&self, args: &[&str]) -> (i32, String) {
        let ended = tokio::time::timeout(Duration::from_secs(240), self.command(args).output()).await;
        let Output { status, stdout, stderr } = ended.expect("an end in time").expect("the binary runs");
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code().unwrap_or(-1), said)
    }

    /// The app commits rows, now.
    async fn writes(&self) {
        let ledgers = Ledger::all(self.lab.dir());
        let (_, ledger) = ledgers.first().expect("a ledger");
        let wanted = ledger.report().acked + 10;
        let writes = self.lab.until("the app writes", Duration::from_secs(60), |_| ledger.report().acked >= wanted);
        writes.await.unwrap_or_else(|error| panic!("{}", error.chain()));
    }

    /// By the app's own books, against the database that it is connected to.
    async fn nothing_lost(&self) {
        let audit = audit_namespace(&self.lab.store, &self.lab.node, "mastodon").await.expect("an audit");
        assert!(audit.clean() && audit.report.acked > 0, "{audit:?}");
    }

    fn host(&self) -> String {
        let map = self.lab.store.get("configmaps", "mastodon", "mastodon-database").expect("the connection");
        map["data"]["DB_HOST"].as_str().unwrap_or_default().to_string()
    }

    /// Whatever is labelled or named as ours, the lock apart.
    fn left_behind(&self) -> Vec<String> {
        let ours = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            !object["metadata"]["labels"]["pgmigrate.dev/migration"].is_null() || name.starts_with("pgmigrate-")
        };
        let all = self.lab.store.everything().into_iter();
        let ours =
            all.filter(|(kind, object)| kind != "leases.coordination.k8s.io" && kind != "events" && ours(object));
        ours.map(|(kind, object)| format!("{kind}/{}", object["metadata"]["name"])).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_from_check_to_finalize() {
    let bench = Bench::up("replica").await;
    bench.ends(0, &["check", "mastodon"]).await;
    let early = bench.ends(2, &CUTOVER).await;
    assert!(early.contains("prepare mastodon"), "{early}");
    bench.ends(0, &["prepare", "mastodon"]).await;
    // The app writes: both ends are seen equal at one position, or what moves is said to be inconclusive; never different.
    let (code, moving) = bench.says(&["verify", "mastodon", "--all"]).await;
    match code {
        0 => assert!(moving.contains("result: PASS") && !moving.contains("INCONCLUSIVE"), "{moving}"),
        3 => assert!(moving.contains("being written to") && !moving.contains("FAIL"), "{moving}"),
        other => panic!("exit code {other}\n{moving}"),
    }
    bench.ends(0, &CUTOVER).await;
    bench.writes().await;
    assert!(bench.host().starts_with("database-cnpg"), "{}", bench.host());
    bench.nothing_lost().await;
    bench.ends(0, &["verify", "mastodon"]).await;
    // PostgreSQL counts rows per table a moment late (its statistics are flushed once a second, by idle sessions).
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let late = bench.ends(5, &["rollback", "mastodon"]).await;
        if late.contains("statuses") && late.contains("inserted") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "what would be lost is named: {late}");
    }
    let report: Value =
        serde_json::from_str(&bench.ends(0, &["report", "mastodon", "-o", "json"]).await).expect("JSON");
    assert!(report.to_string().contains("prove-caught-up"));
    bench.ends(0, &["finalize", "mastodon", "--accept-one-way", "mastodon"]).await;
    bench.writes().await;
    bench.nothing_lost().await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_from_check_to_finalize() {
    let bench = Bench::up("dump").await;
    bench.ends(0, &["prepare", "mastodon"]).await;
    bench.ends(0, &CUTOVER).await;
    bench.writes().await;
    assert!(bench.host().starts_with("database-cnpg"), "{}", bench.host());
    bench.nothing_lost().await;
    bench.ends(0, &["verify", "mastodon"]).await;
    bench.ends(0, &["finalize", "mastodon", "--accept-one-way", "mastodon"]).await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_brings_the_app_back_and_the_next_try_succeeds() {
    let bench = Bench::up("replica").await;
    bench.ends(0, &["prepare", "mastodon"]).await;
    bench.ends(0, &["rollback", "mastodon", "--remove-target"]).await;
    assert_eq!(bench.left_behind(), Vec::<String>::new());
    bench.edit("mastodon.rhai", |text| format!("{text}\nfn before_promote(m) {{ refuse(\"not tonight\"); }}\n"));
    bench.ends(0, &["prepare", "mastodon"]).await;
    let vetoed = bench.ends(3, &CUTOVER).await;
    assert!(vetoed.contains("not tonight"), "{vetoed}");
    bench.writes().await;
    assert!(bench.host().starts_with("mastodon-postgresql"), "{}", bench.host());
    bench.nothing_lost().await;
    let changed = |text: String| text.replace("refuse(\"not tonight\")", "log(\"tonight\")");
    bench.edit("mastodon.rhai", changed);
    let edited = bench.ends(5, &CUTOVER).await;
    assert!(edited.contains("script (was"), "an edit between is told: {edited}");
    bench.ends(0, &["rollback", "mastodon", "--remove-target", "--accept-changes"]).await;
    assert_eq!(bench.left_behind(), Vec::<String>::new());
    bench.ends(0, &["prepare", "mastodon"]).await;
    bench.ends(0, &CUTOVER).await;
    bench.writes().await;
    bench.nothing_lost().await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_go_wrong_is_refused_before() {
    let bench = Bench::up("replica").await;
    // A writer that nobody listed.
    let mut forgotten = (*bench.lab.store.get("deployments.apps", "mastodon", "mastodon-web").expect("an app")).clone();
    forgotten["metadata"] = json!({ "name": "forgotten", "namespace": "mastodon" });
    for path in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
        *forgotten.pointer_mut(path).expect("labels") = json!({ "app": "forgotten" });
    }
    bench.lab.put("deployments.apps", forgotten).expect("a workload");
    let found = bench.ends(3, &["check", "mastodon"]).await;
    assert!(found.contains("deployment/forgotten"), "{found}");
    bench.lab.store.delete("deployments.apps", "mastodon", "forgotten").expect("it was there");
    // Somebody else's Cluster under the target's name.
    let foreign =
        json!({ "metadata": { "name": "database-cnpg", "namespace": "mastodon" }, "spec": { "instances": 0 } });
    bench.lab.put("clusters.postgresql.cnpg.io", foreign).expect("a cluster");
    let taken = bench.ends(3, &["check", "mastodon"]).await;
    assert!(taken.contains("database-cnpg"), "{taken}");
    let refused = bench.ends(3, &["prepare", "mastodon"]).await;
    assert!(refused.contains("not ours"), "{refused}");
    bench.lab.store.delete("clusters.postgresql.cnpg.io", "mastodon", "database-cnpg").expect("it was there");
    // The same name on both ends: their pods would collide.
    bench.edit("mastodon.yaml", |text| text.replace("cluster: database-cnpg", "cluster: mastodon-postgresql"));
    bench.ends(2, &["plan", "mastodon"]).await;
    // No such Zalando cluster: those that exist are named.
    bench.edit("mastodon.yaml", |text| {
        text.replace("cluster: mastodon-postgresql ", "cluster: database-cnpg ").replacen(
            "cluster: mastodon-postgresql",
            "cluster: mastodon-pg",
            1,
        )
    });
    let unknown = bench.ends(3, &["check", "mastodon"]).await;
    assert!(unknown.contains("mastodon-postgresql"), "{unknown}");
    bench.lab.stop().await;
}
