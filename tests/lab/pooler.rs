//! The target's pooler and its first backup.
use super::support::{Bench, NAMESPACE, Setting, TARGET};
use serde_json::json;

const POOLER: &str = "database-cnpg-pooler-rw";
const BACKUP: (&str, &str) = (
    "# backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
    "backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
);

fn store(bench: &Bench) {
    let spec = json!({"configuration": {"destinationPath": "s3://database/", "endpointURL": "https://s3.example.com"}});
    let metadata = json!({"name": "database-backups", "namespace": NAMESPACE});
    bench
        .lab
        .put(
            "objectstores.barmancloud.cnpg.io",
            json!({"apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": metadata, "spec": spec}),
        )
        .expect("an object store");
}

/// The apps' address is the pooler's, and its PgBouncers have let them in.
fn through_the_pooler(bench: &Bench) {
    let host = bench.object("configmaps", "mastodon-database")["data"]["DB_HOST"].clone();
    assert_eq!(host, format!("{POOLER}.{NAMESPACE}.svc"));
    let pods = bench.lab.store.list_labelled("pods", NAMESPACE, &[("cnpg.io/poolerName", POOLER)]);
    let logs = pods.iter().filter_map(|pod| {
        let sandbox = bench.lab.node.sandbox(NAMESPACE, pod["metadata"]["name"].as_str()?)?;
        std::fs::read_to_string(&sandbox.logs["pgbouncer"]).ok()
    });
    let logs: Vec<String> = logs.collect();
    let let_in = |log: &String| log.matches("login attempt: db=mastodon user=mastodon").count();
    assert_eq!(logs.len(), 2);
    // One each is the proof in the window.
    assert!(logs.iter().map(let_in).sum::<usize>() > 2, "{}", logs.join("\n---\n"));
}

async fn backed_up(bench: &Bench) {
    let first = bench.object("backups.postgresql.cnpg.io", &format!("{TARGET}-first"));
    assert_eq!(first["status"]["phase"], "completed", "{first}");
    let scheduled = bench.object("scheduledbackups.postgresql.cnpg.io", &format!("{TARGET}-scheduled"));
    assert_eq!(scheduled["spec"]["schedule"], "0 0 3 * * *", "{scheduled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_go_through_the_pooler_and_the_target_is_backed_up() {
    let Some(bench) = Bench::up(Setting::edited(&[BACKUP])).await else { return };
    // The pooler's name is taken: said in prepare, and theirs is left alone.
    let theirs = json!({"metadata": {"name": POOLER, "namespace": NAMESPACE}, "spec": {"cluster": {"name": "elsewhere"}, "pgbouncer": {"poolMode": "session"}}});
    bench.lab.put("poolers.postgresql.cnpg.io", theirs).expect("a pooler");
    store(&bench);
    let _ = bench.run("prepare mastodon").await.says("is there and is not ours");
    bench.lab.store.delete("poolers.postgresql.cnpg.io", NAMESPACE, POOLER).expect("theirs");
    let _ = bench.prepare().await;
    // Taken away and made anew.
    let _ = bench.run("rollback mastodon --remove-target").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert!(bench.object("deployments.apps", POOLER).is_null(), "its pods are gone");
    let _ = bench.prepare().await;
    let _ = bench.cutover().await.code(0).says("logs in through");
    through_the_pooler(&bench);
    bench.on_target().await;
    backed_up(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_makes_the_pooler_in_the_window() {
    let Some(bench) = Bench::up(Setting::edited(&[("strategy: replica", "strategy: dump"), BACKUP])).await else {
        return;
    };
    store(&bench);
    // A Backup outlives its Cluster: this one is of an earlier try, and proves nothing about the new target.
    let (backups, first) = ("backups.postgresql.cnpg.io", format!("{TARGET}-first"));
    let labels = json!({"pgmigrate.dev/migration": "mastodon"});
    let metadata = json!({"name": first, "namespace": NAMESPACE, "labels": labels});
    let spec = json!({"cluster": {"name": TARGET}, "method": "plugin"});
    bench.lab.put(backups, json!({"metadata": metadata, "spec": spec})).expect("a backup");
    let _ = bench.prepare().await;
    let stopped = bench.cutover().await.says("logs in through").says("is not one of this target");
    assert!(matches!(stopped.code, Some(4 | 5)), "{stopped}");
    bench.on_target().await;
    bench.lab.store.delete(backups, NAMESPACE, &first).expect("the old one");
    let _ = bench.run("resume mastodon").await.code(0);
    bench.on_target().await;
    through_the_pooler(&bench);
    backed_up(&bench).await;
    bench.end().await;
}
