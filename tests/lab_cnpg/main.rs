//! The lab's CloudNativePG behaves as the observed one (reference/observed-physical.md 1-4, observed-import-logical.md 1).
mod import;
mod life;
mod physical;
mod recorded;
mod world;
mod zalando;

use serde_json::json;
use world::{NAMESPACE, World};

/// A cluster of its own: healthy, and its owner logs in with the generated Secret over TLS that the cluster's CA vouches for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_cluster_serves_its_owner() {
    let Some(world) = World::start(201).await else { return };
    let initdb = json!({"initdb": {"database": "shop", "owner": "shopkeeper", "dataChecksums": true}});
    world.cluster("db", json!({"instances": 1, "bootstrap": initdb, "storage": {"size": "1Gi"}}));
    world.phase("db", "Cluster in healthy state").await;
    let (user, password) = (world.secret("db-app", "username"), world.secret("db-app", "password"));
    assert_eq!((user.as_str(), password.len()), ("shopkeeper", 64));
    let ca = world.dir.path().join("ca.crt");
    std::fs::write(&ca, world.secret("db-ca", "ca.crt")).expect("ca.crt");
    let host = world.node.resolve("db-rw", NAMESPACE).expect("a Service address");
    let connection = format!(
        "host=db-rw.{NAMESPACE} hostaddr={host} user=shopkeeper dbname=shop sslmode=verify-full sslrootcert={}",
        ca.display()
    );
    let answer =
        world.client(&connection, &password, "SELECT current_user || ' ' || current_setting('wal_level')").await;
    assert_eq!(answer.as_deref(), Ok("shopkeeper logical"));
    assert!(
        world
            .client(&connection, "wrong", "SELECT 1")
            .await
            .is_err_and(|e| e.contains("password authentication failed"))
    );
    let status = world.status("db");
    assert_eq!(status["instancesReportedState"]["db-1"]["isPrimary"], true);
    assert_eq!(status["currentPrimary"], "db-1");

    // A parameter that needs a restart gets one, in place; the pod stays the same.
    let pod = world.pod("db-1");
    world.patch("db", |cluster| {
        cluster["spec"]["postgresql"] =
            json!({"parameters": {"max_connections": "42"}, "pg_hba": ["host all all all md5"]})
    });
    world.phase("db", "Primary instance is being restarted in-place").await;
    world.phase("db", "Cluster in healthy state").await;
    let answer = world.client(&connection, &password, "SHOW max_connections").await;
    assert_eq!(answer.as_deref(), Ok("42"));
    assert_eq!(world.pod("db-1")["metadata"]["uid"], pod["metadata"]["uid"]);
    world.stop().await;
}
