//! `check --fix`: what is safe is put right, in the journal first; a rollback takes back what it should and nothing else.
use super::{
    judged::{POSTGRESQLS, answers, patroni, told},
    support::{Bench, SOURCE, SOURCE_POD, Setting},
};
use serde_json::json;

const FIXABLE: [&str; 4] = ["source-detached", "wal-retention", "invalid-indexes", "old-roles"];

/// Waits until Patroni has told the server.
async fn slots_keep(bench: &Bench, size: &str) {
    answers(bench, "SHOW max_slot_wal_keep_size", size).await;
}

async fn broken() -> Option<Bench> {
    let bench = Bench::up(Setting::default()).await?;
    bench
        .at_source("CREATE ROLE pgmigrate_mastodon SUPERUSER LOGIN; CREATE ROLE pgmigrate_other SUPERUSER LOGIN")
        .await;
    let ours = json!({"pgmigrate.dev/migration": "mastodon"});
    let secret = json!({"metadata": {"name": "pgmigrate-mastodon-role", "namespace": "mastodon", "labels": ours}});
    bench.lab.put("secrets", secret).expect("created");
    bench.change(POSTGRESQLS, SOURCE, |cluster| {
        cluster["metadata"]["annotations"]["acid.zalan.do/controller"] = json!("kubectl-pgmigrate");
    });
    bench
        .at_source("CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 2); CREATE INDEX i ON twice (id)")
        .await;
    for name in ["i_ccnew", "\"My own\""] {
        let build = format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON twice (id)");
        bench.sql(SOURCE_POD, "mastodon", &build).await.expect_err("a duplicate");
    }
    patroni(&bench, |config| config["postgresql"]["parameters"]["max_slot_wal_keep_size"] = json!("100MB"));
    slots_keep(&bench, "100MB").await;
    Some(bench)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_safe_is_put_right_and_taken_back() {
    let Some(bench) = broken().await else { return };
    let only = format!("-o json --only {}", FIXABLE.join(","));
    let run = bench.run(&format!("check mastodon {only}")).await.code(0);
    let broken = [
        ("source-detached", "warn", "kubectl-pgmigrate"),
        ("wal-retention", "warn", "max_slot_wal_keep_size drops slots at 100 MiB"),
        ("invalid-indexes", "warn", "i_ccnew"),
        ("old-roles", "warn", "pgmigrate_mastodon"),
    ];
    told(&run, &broken);
    // Nobody to ask: nothing is done, and the whole command is named.
    let _ = bench.run("check mastodon --fix").await.code(2).says("kubectl pgmigrate check mastodon --fix --yes");
    assert_eq!(bench.journal(), "");
    assert_eq!(bench.at_source("SELECT count(*) FROM pg_roles WHERE rolname ~ '^pgmigrate_'").await, "2");

    let run = bench.run(&format!("check mastodon --fix --yes {only}")).await.code(0);
    // Somebody else's role and index are left, and are still told.
    let left = [
        ("source-detached", "pass", ""),
        ("wal-retention", "pass", ""),
        ("invalid-indexes", "warn", "My own"),
        ("old-roles", "warn", "pgmigrate_other"),
    ];
    told(&run, &left);
    let _ = run.never_says("i_ccnew is");
    assert_eq!(
        bench.at_source("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname ~ '^pgmigrate_'").await,
        "pgmigrate_other"
    );
    assert_eq!(bench.at_source("SELECT count(*) FROM pg_class WHERE relname = 'i_ccnew'").await, "0");
    assert!(bench.object("secrets", "pgmigrate-mastodon-role").is_null());
    let journal = bench.journal();
    for id in FIXABLE {
        let at = |entry: &str| journal.find(&format!("\"entry\":\"{entry}\",\"step\":\"fix-{id}\""));
        assert!(at("started").is_some() && at("started") < at("done"), "{id}: {journal}");
    }
    // The migration is not begun by it: its file may still be changed, and is what prepare goes by.
    let _ = bench.run("status mastodon").await.code(0).says("not begun");
    let _ = bench.run("check mastodon --fix").await.code(0).says("nothing that --fix could do");

    let _ = bench.run("rollback mastodon").await.code(0).says("as it was before prepare");
    slots_keep(&bench, "100MB").await;
    assert!(bench.object(POSTGRESQLS, SOURCE)["metadata"]["annotations"]["acid.zalan.do/controller"].is_null());
    assert_eq!(bench.leftovers(), Vec::<String>::new());

    // The same with a target beside it.
    let _ = bench.run("check mastodon --fix --yes --only wal-retention").await.code(0);
    let raised = bench.at_source("SHOW max_slot_wal_keep_size").await;
    assert_ne!(raised, "100MB");
    let _ = bench.prepare().await;
    let _ = bench.run("rollback mastodon").await.code(0);
    assert_eq!(bench.at_source("SHOW max_slot_wal_keep_size").await, raised, "a cutover may still come");
    let _ = bench.run("rollback mastodon --remove-target").await.code(0);
    slots_keep(&bench, "100MB").await;
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.lab.stop().await;
}
