//! pg_dump and pg_restore by the import job.
use super::world::{NAMESPACE, World};
use serde_json::json;

/// A doomed import fails pod by pod with its reason in the log alone; the same one with its role made first succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_fails_for_want_of_a_role_and_succeeds_with_it() {
    let Some(world) = World::start(203).await else { return };
    let source = world.source().await;
    let sql = "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss'; CREATE ROLE reader NOINHERIT NOLOGIN; CREATE ROLE keeper LOGIN; \
        GRANT reader TO keeper; GRANT pg_monitor TO keeper; ALTER ROLE keeper SET work_mem = '8MB'";
    source.sql("postgres", sql).await.expect("roles");
    let sql = "GRANT SELECT ON t TO reader; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; \
        CREATE USER MAPPING FOR keeper SERVER s OPTIONS (password 'in the clear')";
    source.sql("shop", sql).await.expect("rights");
    world.put_secret("superuser", &[("password", "super")]);
    let external = json!([{"name": "zalando", "password": {"name": "superuser", "key": "password"},
        "connectionParameters": {"host": source.ip.to_string(), "user": "postgres", "dbname": "postgres", "sslmode": "require"}}]);
    let import = |kind: &str, more: serde_json::Value| {
        let mut import = json!({"type": kind, "databases": ["shop"], "source": {"externalCluster": "zalando"},
            "pgDumpExtraOptions": ["--jobs=2", "--exclude-extension=pg_stat_statements"], "pgRestoreDataOptions": ["--jobs=2"]});
        import.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        import
    };

    let initdb =
        json!({"initdb": {"database": "shop", "owner": "shopkeeper", "import": import("microservice", json!({}))}});
    world.cluster("ms", json!({"instances": 1, "bootstrap": initdb, "externalClusters": external}));
    world.until("a second pod", || async { world.job("ms-1-import")["status"]["failed"].as_u64() >= Some(2) }).await;
    assert_eq!(world.status("ms")["phase"], "Setting up primary");
    assert_eq!(world.condition("ms", "Initialized"), "True", "the trap");
    let log = world.job_log("ms-1-import");
    assert!(
        log.contains("role \\\"keeper\\\" does not exist") && log.contains("section:pre-data, exit status 1"),
        "{log}"
    );
    assert!(log.contains("in the clear"), "the trap that the product must redact: {log}");
    let left = std::fs::read_dir(world.node.pod_dir(NAMESPACE, "ms-1")).expect("the volume").flatten();
    assert!(left.filter(|entry| entry.file_name().to_string_lossy().starts_with("pgdata_")).count() >= 1);
    world.store.delete("clusters.postgresql.cnpg.io", NAMESPACE, "ms").expect("delete");

    let roles = import("monolith", json!({"roles": ["shopkeeper", "reader", "keeper", "boss"]}));
    let initdb = json!({"initdb": {"postInitSQL": ["CREATE ROLE boss SUPERUSER"], "import": roles}});
    world.cluster("mo", json!({"instances": 1, "bootstrap": initdb, "externalClusters": external}));
    world.phase("mo", "Cluster in healthy state").await;
    assert!(world.store.get("secrets", NAMESPACE, "mo-app").is_none());
    const LEFT: &str = "SELECT (SELECT count(*) FROM t) || ' ' || (SELECT tableowner FROM pg_tables WHERE tablename = 't') || ' ' || \
        has_table_privilege('keeper', 't', 'SELECT') || ' ' || pg_has_role('keeper', 'pg_monitor', 'USAGE') || ' ' || \
        (SELECT rolinherit FROM pg_roles WHERE rolname = 'reader') || ' ' || (SELECT count(*) FROM pg_db_role_setting)";
    assert_eq!(world.sql("mo-1", "shop", LEFT).await, "41 shopkeeper true false true 0");
    world
        .until("the volume of the deleted cluster is gone", || async {
            !world.dir.path().join("pods").join(NAMESPACE).join("ms-1").join("pgdata").exists()
        })
        .await;
    source.stop("fast").await.expect("stop");
    world.stop().await;
}
