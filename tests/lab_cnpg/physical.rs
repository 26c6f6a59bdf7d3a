//! From a plain server set up as the source is, to a promoted target.
use super::world::{NAMESPACE, OWNER_PASSWORD, World};
use pgmigrate::lab::servers;
use serde_json::json;

/// The whole physical route: crash loop, fence, repair, streaming, promotion, restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_cluster_needs_its_repair_and_restarts_after_promotion() {
    let Some(world) = World::start(202).await else { return };
    let source = world.source().await;
    world.replica("ta", &source, None);
    // Without a fence: the copied hba_file keeps it from starting.
    world.logged("ta-1", "could not load").await;
    world
        .until("CrashLoopBackOff", || async {
            world.pod("ta-1")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        })
        .await;
    assert_eq!(world.pod("ta-1")["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"], "Completed");
    assert_eq!(world.condition("ta", "Initialized"), "True");
    assert_eq!(world.condition("ta", "Ready"), "False");

    world.annotate("ta", "cnpg.io/fencedInstances", json!("[\"*\"]"));
    world.logged("ta-1", "Instance is fenced, won't start postgres right now").await;
    // The trap: without this line in the list it is healthy and never streams.
    let keep = "s/^$//; /^(hba_file|ident_file)[[:space:]]*=/d";
    world.exec("ta-1", "sed", &["-i", "-E", keep, "pgdata/postgresql.conf"]).await.expect("sed");
    world.annotate("ta", "cnpg.io/fencedInstances", serde_json::Value::Null);
    world.phase("ta", "Cluster in healthy state").await;
    world.logged("ta-1", "does not exist").await;
    assert_eq!(source.sql("postgres", "SELECT count(*) FROM pg_stat_replication").await.expect("sql"), "0");

    world.annotate("ta", "cnpg.io/fencedInstances", json!("[\"*\"]"));
    world
        .until("stopped by the fence", || async { world.exec("ta-1", "psql", &["-c", "SELECT 1"]).await.is_err() })
        .await;
    world.exec("ta-1", "sed", &["-i", "-E", "/^primary_slot_name/d", "pgdata/postgresql.conf"]).await.expect("sed");
    world.annotate("ta", "cnpg.io/fencedInstances", serde_json::Value::Null);
    world
        .until("streaming", || async {
            source
                .sql("postgres", "SELECT application_name FROM pg_stat_replication")
                .await
                .is_ok_and(|name| name == "pgmigrate-ta")
        })
        .await;
    world.phase("ta", "Cluster in healthy state").await;
    promoted(&world, &source).await;
    world.stop().await;
}

async fn promoted(world: &World, source: &servers::Server) {
    source.sql("shop", "INSERT INTO t VALUES (42)").await.expect("insert");
    source.stop("fast").await.expect("stop");
    world
        .until("the last row is there", || async { world.sql("ta-1", "shop", "SELECT max(n) FROM t").await == "42" })
        .await;
    assert!(world.lease("ta")["spec"]["holderIdentity"].is_null());
    let seen = world.watch_phases("ta");
    world.patch("ta", |cluster| cluster["spec"]["replica"]["enabled"] = false.into());
    world
        .until("read-write", || async { world.sql("ta-1", "postgres", "SELECT pg_is_in_recovery()").await == "f" })
        .await;
    assert_eq!(world.lease("ta")["spec"]["holderIdentity"], "ta-1");
    world.until("settled", || async {
        const SETTLED: &str = "SELECT current_setting('archive_mode') <> 'always' AND NOT EXISTS (SELECT FROM pg_settings WHERE pending_restart)";
        world.sql("ta-1", "postgres", SETTLED).await == "t"
    }).await;
    assert_eq!(world.condition("ta", "Ready"), "False", "Ready comes late");
    world.phase("ta", "Cluster in healthy state").await;
    let phases = seen.lock().expect("phases").clone();
    let order = ["Applying configuration", "Primary instance is being restarted in-place", "Cluster in healthy state"];
    assert_eq!(phases, order);
    assert_eq!(world.status("ta")["timelineID"], 2);
    // The owner's password is the Secret's, stored as SCRAM; the superuser's is gone; the extension is dropped.
    let verifiers = world.sql("ta-1", "postgres", "SELECT string_agg(rolname || ' ' || left(coalesce(rolpassword, 'none'), 5), ',' ORDER BY rolname) FROM pg_authid WHERE rolname IN ('postgres', 'shopkeeper', 'streaming_replica')").await;
    assert_eq!(verifiers, "postgres none,shopkeeper SCRAM,streaming_replica none");
    world
        .until("the loop drops pg_stat_statements", || async {
            world.sql("ta-1", "shop", "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'").await
                == "0"
        })
        .await;
    let host = world.node.resolve("ta-rw", NAMESPACE).expect("a Service address");
    let connection = format!("host={host} user=shopkeeper dbname=shop sslmode=require");
    assert_eq!(
        world.client(&connection, OWNER_PASSWORD, "INSERT INTO t VALUES (43) RETURNING n").await.as_deref(),
        Ok("43")
    );
}
