//! What was seen to go wrong with the target: while it boots, around its promotion, behind its pooler.
use super::support::{Bench, SOURCE_POD, Setting, TARGET, TARGET_POD};
use serde_json::{Value, json};

const CLUSTERS: &str = "clusters.postgresql.cnpg.io";
const CUTOVER: &str = "cutover mastodon --accept-one-way mastodon";

/// Lifted before the copy could boot it dies at each start; lifted in the moment in which the instance manager looks for
/// it, the manager hangs behind a server that streams, found only at the promotion. Both are put right.
#[tokio::test(flavor = "multi_thread")]
async fn the_fence_is_lifted_too_early() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    lifted(&bench, "true").await;
    let _ = bench.run("prepare mastodon").await.code(0).says("fenced again");
    let _ = bench.run("rollback mastodon --remove-target --yes").await.code(0);
    lifted(&bench, "sed -i -E '/^(hba_file|ident_file)[[:space:]]*=/d' $PGDATA/postgresql.conf").await;
    let again = bench.run("prepare mastodon").await.code(0);
    let met = again.stderr.contains("instance manager is wedged");
    eprintln!("  the instance manager was {}", if met { "wedged" } else { "not wedged this time" });
    bench.mark();
    let _ = bench.run(CUTOVER).await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// A runner that is lost while the target boots, and a hand that does this in its pod and then lifts the fence at once.
async fn lifted(bench: &Bench, command: &str) {
    let runner = bench.spawn("prepare mastodon");
    bench.begun("make-bootable").await;
    runner.signal(libc::SIGKILL);
    assert_eq!(runner.wait().await.code, None, "killed");
    let hand = ["exec", TARGET_POD, "-c", "postgres", "--", "sh", "-c", command];
    // The copy waits for a spread checkpoint, which the runner would hurry.
    let hurry = ["exec", SOURCE_POD, "--", "psql", "-U", "postgres", "-c", "CHECKPOINT"];
    let hurried = || bench.kubectl(&hurry, "").is_ok();
    bench.until("the target's pod runs", || hurried() && bench.kubectl(&hand, "").is_ok()).await;
    bench.patch(CLUSTERS, TARGET, json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": null}}}));
}

/// The standby is rolled before the primary, with the apps down: seen by hand, 29 s in place of 3.5 s. Asked for early it
/// does not even join before the promotion, and the operator waits for it, for ever without its job: refused before the window
/// as long as anything of it is there. Asked for in the file it comes after the window.
#[tokio::test(flavor = "multi_thread")]
async fn two_instances_at_the_promotion() {
    let two =
        Setting::edited(&[("      cluster: database-cnpg ", "      instances: 2\n      cluster: database-cnpg ")]);
    let Some(bench) = Bench::up(two).await else { return };
    let _ = bench.prepare().await;
    assert_eq!(bench.object(CLUSTERS, TARGET)["spec"]["instances"], 1);
    let instances = |n: u32| bench.patch(CLUSTERS, TARGET, json!({"spec": {"instances": n}}));
    instances(2);
    let join = format!("{TARGET}-2-join");
    bench.until("the standby joins", || !bench.object("jobs.batch", &join).is_null()).await;
    let _ = bench.run(CUTOVER).await.code(3).says("has 2 instances").says(r#"-p '{"spec":{"instances":1}}'"#);
    bench.on_source().await;
    instances(1);
    let standby = format!("{TARGET}-2");
    let refused = bench.run(CUTOVER).await.code(3).says(&format!("still has a volume of {standby}"));
    let _ = refused.says(&format!("kubectl delete -n {} --ignore-not-found job/{join} pvc/{standby}", bench.namespace));
    let (job, volume) = (format!("job/{join}"), format!("pvc/{standby}"));
    bench.kubectl(&["delete", "--ignore-not-found", &job, &volume], "").expect("deleted");
    bench.mark();
    let _ = bench.run(CUTOVER).await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    let cluster = bench.object(CLUSTERS, TARGET);
    assert_eq!((&cluster["spec"]["instances"], &cluster["status"]["readyInstances"]), (&json!(2), &json!(2)));
    let streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    assert_eq!(bench.at_target(streams).await, "1");
    bench.end().await;
}

/// Without the operator's webhook the patch is refused: the app goes back to the source. A patch that is taken may fire at
/// any later moment: there is no way back from it, the source stays down, and `resume` waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_does_not_come() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let cutover = bench.spawn(CUTOVER);
    bench.begun("detach-operator").await;
    let away = bench.without_operator();
    let _ = cutover.wait().await.code(1).says("back on the source");
    assert_eq!(bench.object(CLUSTERS, TARGET)["spec"]["replica"]["enabled"], true);
    bench.on_source().await;
    away.back();

    // The primary's lease is somebody else's: the instance manager may not promote.
    let lease =
        |holder: &str| bench.patch("leases.coordination.k8s.io", TARGET, json!({"spec": {"holderIdentity": holder}}));
    bench.patch(CLUSTERS, TARGET, json!({"spec": {"primaryLease": {"leaseDurationSeconds": 3600}}}));
    lease("another-primary");
    bench.mark();
    let cutover = bench.spawn(CUTOVER);
    bench.until("the patch is taken", || bench.object(CLUSTERS, TARGET)["spec"]["replica"]["enabled"] == false).await;
    bench.begun("settle").await;
    cutover.signal(libc::SIGKILL);
    assert_eq!(cutover.wait().await.code, None, "killed");
    let _ = bench.run("rollback mastodon").await.code(5).says("point of no return");
    assert_eq!(bench.at_target("SELECT pg_is_in_recovery()").await, "t");
    assert!(bench.sql(SOURCE_POD, "mastodon", "SELECT 1").await.is_err(), "the source stays down");
    let resumed = bench.spawn("resume mastodon --accept-one-way mastodon");
    lease("");
    let _ = resumed.wait().await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// The instance manager drops the extension that no parameter asks for any more; while it can't, a pooler has no role and
/// refuses everybody. The cutover says which extension it is, and goes on when that is dealt with.
#[tokio::test(flavor = "multi_thread")]
async fn an_extension_keeps_the_pooler_out() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let view =
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements; CREATE VIEW slow AS SELECT * FROM pg_stat_statements";
    bench.at_source(view).await;
    let _ = bench.prepare().await;
    let parameters = json!({"pg_stat_statements.track": Value::Null});
    bench.patch(CLUSTERS, TARGET, json!({"spec": {"postgresql": {"parameters": parameters}}}));
    let shown = ["exec", TARGET_POD, "-c", "postgres", "--", "psql", "-XAtqc", "SHOW shared_preload_libraries"];
    let unloaded = || bench.kubectl(&shown, "").is_ok_and(|libraries| !libraries.contains("pg_stat_statements"));
    bench.until("the target was restarted without the library", unloaded).await;
    bench.mark();
    let stopped = bench.run(CUTOVER).await.code(4).says("cannot drop extension pg_stat_statements");
    let _ = stopped.says("cnpg.io/reloadedAt").says("kubectl pgmigrate resume mastodon");
    bench.at_target("DROP VIEW slow").await;
    bench.patch(CLUSTERS, TARGET, json!({"metadata": {"annotations": {"cnpg.io/reloadedAt": "now"}}}));
    let _ = bench.run("resume mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// Said by `check` where the size tells. A volume that is smaller than it says fills up in the copy, which is tried again
/// for minutes: `prepare` ends at the first try and says why.
#[tokio::test(flavor = "multi_thread")]
async fn the_targets_volume_is_too_small() {
    let Ok(make) = std::env::var("PGMIGRATE_E2E_SMALL_DISK") else {
        return eprintln!("skipped: PGMIGRATE_E2E_SMALL_DISK has no command that makes one (docs/real-cluster.md)");
    };
    let template = Setting::edited(&[("# template: database-cnpg.yaml", "template: database-cnpg.yaml")]);
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    bench.files(&template);
    // With a template the image is said there.
    let file = bench.path().join("mastodon.yaml");
    let text = std::fs::read_to_string(&file).expect("a file");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("      image: ")).collect();
    std::fs::write(&file, lines.join("\n")).expect("a file");
    let cluster = |storage: Value| {
        let mut spec = json!({"storage": storage});
        if let Ok(image) = std::env::var("PGMIGRATE_E2E_IMAGE") {
            spec["imageName"] = image.into();
        }
        let cluster = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "spec": spec});
        std::fs::write(bench.path().join("database-cnpg.yaml"), cluster.to_string()).expect("a file");
    };
    cluster(json!({"size": "32Mi"}));
    let _ = bench.run("check mastodon").await.code(3).says("32Mi; ").says(" needed");
    let disk = std::process::Command::new("sh").args(["-c", &make]).output().expect("sh");
    assert!(disk.status.success(), "{make}");
    let class = small_volume(&bench, String::from_utf8_lossy(&disk.stdout).trim());
    cluster(json!({"size": "2Gi", "storageClass": class}));
    let _ = bench.run("check mastodon").await.code(0);
    let full = bench.run("prepare mastodon").await.code(4).says("No space left on device");
    let _ = full.says("kubectl pgmigrate rollback mastodon --remove-target");
    bench.on_source().await;
    let _ = bench.run("rollback mastodon --remove-target --yes").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.files(&Setting::default());
    let _ = bench.prepare().await;
    bench.mark();
    let _ = bench.run(CUTOVER).await.code(0);
    bench.on_target().await;
    bench.longest_gap();
    bench.end().await;
}

/// A volume of 2 GiB, as it says, in this folder of the node; returns its storage class.
fn small_volume(bench: &Bench, folder: &str) -> String {
    let node = bench.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"], "").expect("a node");
    let metadata = json!({"name": bench.namespace, "labels": {"pgmigrate-e2e": bench.namespace}});
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node]});
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata,
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": {
        "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": bench.namespace,
        "persistentVolumeReclaimPolicy": "Retain", "local": {"path": folder},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}}});
    bench.apply(&class.to_string());
    bench.apply(&volume.to_string());
    bench.namespace.clone()
}
