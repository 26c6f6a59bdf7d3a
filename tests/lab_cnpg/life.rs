//! What happens to a Cluster later: more instances, lost pods, a paused operator, a wedge, a patch taken back.
use super::world::{NAMESPACE, World};
use serde_json::{Value, json};

const REPAIR: &str = "/^(hba_file|ident_file|primary_slot_name)[[:space:]]*=/d";

/// One to two instances and back, a lost pod, a backup, hibernation; deletion leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_loses_a_pod_and_goes() {
    let Some(world) = World::start(204).await else { return };
    let initdb = json!({"initdb": {"database": "shop"}});
    world.cluster("db", json!({"instances": 1, "smartShutdownTimeout": 1, "bootstrap": initdb}));
    world.phase("db", "Cluster in healthy state").await;
    world.patch("db", |cluster| cluster["spec"]["instances"] = 2.into());
    world.phase("db", "Creating a new replica").await;
    world.until("two are ready", || async { world.status("db")["readyInstances"] == 2 }).await;
    const STREAMING: &str = "SELECT application_name FROM pg_stat_replication";
    world.until("db-2 streams", || async { world.sql("db-1", "postgres", STREAMING).await == "db-2" }).await;
    assert_eq!(world.pod("db-2")["metadata"]["labels"]["cnpg.io/instanceRole"], "replica");
    world.sql("db-1", "shop", "CREATE TABLE kept AS SELECT 1").await;

    let uid = world.pod("db-1")["metadata"]["uid"].clone();
    world.store.delete("pods", NAMESPACE, "db-1").expect("delete");
    world
        .until("another pod db-1", || async {
            !world.pod("db-1").is_null() && world.pod("db-1")["metadata"]["uid"] != uid
        })
        .await;
    world
        .until("the same data", || async { world.sql("db-1", "shop", "SELECT count(*) FROM kept").await == "1" })
        .await;
    world.until("db-2 streams again", || async { world.sql("db-1", "postgres", STREAMING).await == "db-2" }).await;

    let backup = |name: &str, method: &str| {
        let spec = json!({"cluster": {"name": "db"}, "method": method, "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}});
        let object = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec});
        world.store.create("backups.postgresql.cnpg.io", object).expect("the Backup");
    };
    let phase = |name: &str| {
        world
            .store
            .get("backups.postgresql.cnpg.io", NAMESPACE, name)
            .map_or(Value::Null, |b| b["status"]["phase"].clone())
    };
    backup("early", "plugin");
    world.until("refused", || async { phase("early") == "failed" }).await;
    world.patch("db", |cluster| {
        cluster["spec"]["instances"] = 1.into();
        cluster["spec"]["plugins"] = json!([{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true}]);
    });
    world
        .until("rolled", || async {
            world.pod("db-1")["spec"]["volumes"][1]["name"] == "plugins" && world.status("db")["readyInstances"] == 1
        })
        .await;
    backup("late", "plugin");
    world.until("completed", || async { phase("late") == "completed" }).await;
    assert!(world.pod("db-2").is_null());

    world.annotate("db", "cnpg.io/hibernation", json!("on"));
    world
        .until("asleep", || async {
            world.condition("db", "cnpg.io/hibernation") == "True" && world.pod("db-1").is_null()
        })
        .await;
    world.annotate("db", "cnpg.io/hibernation", json!("off"));
    world.until("awake", || async { world.sql("db-1", "shop", "SELECT count(*) FROM kept").await == "1" }).await;
    world.store.delete("clusters.postgresql.cnpg.io", NAMESPACE, "db").expect("delete");
    world
        .until("nothing is left", || async { !world.dir.path().join("pods").join(NAMESPACE).join("db-1").exists() })
        .await;
    world.stop().await;
}

/// The promotion is the instance manager's, the restart the operator's; a patch taken back comes too late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_without_an_operator_and_a_patch_taken_back() {
    let Some(world) = World::start(205).await else { return };
    let source = world.source().await;
    world.replica("tg", &source, Some("[\"*\"]"));
    world.logged("tg-1", "Instance is fenced, won't start postgres right now").await;
    world.exec("tg-1", "sed", &["-i", "-E", REPAIR, "pgdata/postgresql.conf"]).await.expect("sed");
    world.annotate("tg", "cnpg.io/fencedInstances", Value::Null);
    world.phase("tg", "Cluster in healthy state").await;

    world.controls.pause_operator(true);
    world.patch("tg", |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    world.phase("tg", "Applying configuration").await;
    const STATE: &str = "SELECT pg_is_in_recovery() || ' ' || current_setting('archive_mode')";
    assert_eq!(world.sql("tg-1", "postgres", STATE).await, "false always");
    assert_eq!(
        world.status("tg")["instancesReportedState"]["tg-1"]["isPrimary"],
        false,
        "reported by the operator alone"
    );
    world.controls.pause_operator(false);
    world.phase("tg", "Cluster in healthy state").await;
    assert_eq!(world.sql("tg-1", "postgres", STATE).await, "false on");

    world.patch("tg", |cluster| cluster["spec"]["replica"]["enabled"] = true.into());
    world
        .until("demoted in place", || async {
            world.sql("tg-1", "postgres", "SELECT pg_is_in_recovery()").await == "t"
        })
        .await;
    world.logged("tg-1", "is behind recovery timeline 2").await;
    assert_eq!(world.lease("tg")["spec"]["holderIdentity"], "tg-1");
    source.stop("fast").await.expect("stop");
    world.stop().await;
}

/// A fence lifted before the instance manager looked: it streams and is healthy, and does not promote until something
/// stops the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_lifted_too_early_wedges_the_instance() {
    let Some(world) = World::start(206).await else { return };
    let source = world.source().await;
    // The repair must be done before the pod exists, so that nothing but the fence keeps it from starting.
    world.replica("td", &source, Some("[\"*\"]"));
    world
        .until("the pod runs", || async {
            let conf = world.node.pod_dir(NAMESPACE, "td-1").join("pgdata/postgresql.conf");
            if let Ok(text) = std::fs::read_to_string(&conf)
                .map(|text| text.replace("hba_file", "#hba_file").replace("primary_slot_name", "#slot"))
            {
                let _ = std::fs::write(&conf, text);
            }
            world.pod("td-1")["status"]["phase"] == "Running"
        })
        .await;
    world.annotate("td", "cnpg.io/fencedInstances", Value::Null);
    world.phase("td", "Cluster in healthy state").await;
    let log = world.logs();
    assert!(log.contains("Instance restart requested, waiting for PostgreSQL to shut down"));
    assert!(!log.contains("PostgreSQL is shut down, starting the postmaster"));
    world.patch("td", |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(world.sql("td-1", "postgres", "SELECT pg_is_in_recovery()").await, "t");
    world.exec("td-1", "pg_ctl", &["stop", "-m", "fast"]).await.expect("stop");
    world
        .until("promoted at once", || async {
            world.sql("td-1", "postgres", "SELECT pg_is_in_recovery()").await == "f"
        })
        .await;
    source.stop("fast").await.expect("stop");
    world.stop().await;
}

/// A Pooler needs its role, which the DROP EXTENSION loop keeps from being made; then the owner gets through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_waits_for_the_extension_loop() {
    let Some(world) = World::start(207).await else { return };
    if !std::path::Path::new("/usr/sbin/pgbouncer").exists() {
        return;
    }
    let workloads = tokio::spawn(pgmigrate::lab::workloads::run(world.store.clone(), world.node.clone()));
    world.cluster("db", json!({"instances": 1, "bootstrap": {"initdb": {"database": "shop"}}}));
    world.phase("db", "Cluster in healthy state").await;
    world
        .sql("db-1", "shop", "CREATE EXTENSION pg_stat_statements; CREATE VIEW v AS SELECT * FROM pg_stat_statements")
        .await;
    let spec = json!({"cluster": {"name": "db"}, "instances": 1, "type": "rw", "pgbouncer": {"poolMode": "session"}});
    let metadata = json!({"name": "pool", "namespace": NAMESPACE});
    world.store.create("poolers.postgresql.cnpg.io", json!({"metadata": metadata, "spec": spec})).expect("the Pooler");
    world.logged("db-1", "cannot reconcile database configurations").await;
    world.until("a listening pooler", || async { world.node.resolve("pool", NAMESPACE).is_some() }).await;
    const ROLE: &str = "SELECT count(*) FROM pg_roles WHERE rolname = 'cnpg_pooler_pgbouncer'";
    assert_eq!(world.sql("db-1", "postgres", ROLE).await, "0");
    world.sql("db-1", "shop", "DROP EXTENSION pg_stat_statements CASCADE").await;
    world.annotate("db", "cnpg.io/reloadedAt", json!("now"));
    world.until("the role", || async { world.sql("db-1", "postgres", ROLE).await == "1" }).await;
    let (password, host) =
        (world.secret("db-app", "password"), world.node.resolve("pool", NAMESPACE).expect("an address"));
    let connection = format!("host={host} user=shop dbname=shop sslmode=require");
    world
        .until("the owner gets through", || async {
            world.client(&connection, &password, "SELECT current_user").await.as_deref() == Ok("shop")
        })
        .await;
    workloads.abort();
    world.stop().await;
}
