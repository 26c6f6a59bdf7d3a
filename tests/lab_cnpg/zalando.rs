//! From the lab's Zalando cluster, by the product's own method (observed-physical.md 1.5).
use super::world::{NAMESPACE, World};
use pgmigrate::lab::operators::zalando;
use serde_json::{Value, json};

const SOURCE: &str = "mastodon-postgresql";
const REPAIR: &str = "/^[[:space:]]*(hba_file|ident_file|data_directory|config_file|external_pid_file|primary_slot_name|primary_conninfo|\
    restore_command|recovery_[a-z_]+|archive_cleanup_command|promote_trigger_file|standby_mode)[[:space:]]*=/d";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zalando_cluster_is_copied_and_followed() {
    let Some(world) = World::start(208).await else { return };
    let stop = tokio_util::sync::CancellationToken::new();
    let operator = tokio::spawn(zalando::run(world.store.clone(), world.node.clone(), stop.clone()));
    let spec = json!({"teamId": "mastodon", "numberOfInstances": 1, "postgresql": {"version": "15"}, "volume": {"size": "1Gi"},
        "users": {"mastodon": []}, "databases": {"mastodon": "mastodon"}, "patroni": {"loop_wait": 1}});
    let metadata = json!({"name": SOURCE, "namespace": NAMESPACE});
    world.store.create("postgresqls.acid.zalan.do", json!({"metadata": metadata, "spec": spec})).expect("the CR");
    let secret = |user: &str| format!("{user}.{SOURCE}.credentials.postgresql.acid.zalan.do");
    let leader = format!("{SOURCE}-0");
    world
        .until("the source runs", || async {
            let object = world.store.get("postgresqls.acid.zalan.do", NAMESPACE, SOURCE).expect("the CR");
            object["status"]["PostgresClusterStatus"] == "Running"
        })
        .await;
    assert_eq!(world.exec(&leader, "psql", &["-XAtqc", "CHECKPOINT"]).await.as_deref(), Ok(""));

    let copy = json!({"source": "zalando", "database": "mastodon", "owner": "mastodon", "secret": {"name": secret("mastodon")}});
    let parameters = json!({"host": format!("{SOURCE}.{NAMESPACE}.svc"), "port": "5432", "user": "standby", "dbname": "postgres",
        "sslmode": "require", "application_name": "pgmigrate-database-cnpg"});
    let external = json!({"name": "zalando", "connectionParameters": parameters, "password": {"name": secret("standby"), "key": "password"}});
    let spec = json!({"instances": 1, "smartShutdownTimeout": 1, "bootstrap": {"pg_basebackup": copy},
        "replica": {"enabled": true, "source": "zalando"}, "externalClusters": [external]});
    let metadata =
        json!({"name": "database-cnpg", "namespace": NAMESPACE, "annotations": {"cnpg.io/fencedInstances": "[\"*\"]"}});
    world
        .store
        .create("clusters.postgresql.cnpg.io", json!({"metadata": metadata, "spec": spec}))
        .expect("the Cluster");
    world.logged("database-cnpg-1", "Instance is fenced, won't start postgres right now").await;
    world.exec("database-cnpg-1", "sed", &["-i", "-E", REPAIR, "pgdata/postgresql.conf"]).await.expect("sed");
    world.annotate("database-cnpg", "cnpg.io/fencedInstances", Value::Null);
    world.phase("database-cnpg", "Cluster in healthy state").await;
    const STREAMING: &str = "SELECT state FROM pg_stat_replication WHERE application_name = 'pgmigrate-database-cnpg'";
    world
        .until("streaming", || async {
            world.exec(&leader, "psql", &["-XAtqc", STREAMING]).await.as_deref() == Ok("streaming")
        })
        .await;

    world.patch("database-cnpg", |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    world.phase("database-cnpg", "Primary instance is being restarted in-place").await;
    world.phase("database-cnpg", "Cluster in healthy state").await;
    let host = world.node.resolve("database-cnpg-rw", NAMESPACE).expect("a Service address");
    let connection = format!("host={host} user=mastodon dbname=mastodon sslmode=require");
    let password = world.secret(&secret("mastodon"), "password");
    assert_eq!(world.client(&connection, &password, "SELECT 1").await.as_deref(), Ok("1"));
    // What the lab's Spilo leaves behind is what keeps the extension loop failing.
    world
        .logged("database-cnpg-1", "cannot drop extension pg_stat_statements because other objects depend on it")
        .await;
    stop.cancel();
    operator.await.expect("the operator ends");
    world.stop().await;
}
