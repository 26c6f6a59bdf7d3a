//! The lab's CloudNativePG behaves as the observed one (reference/observed-physical.md 1-4, observed-import-logical.md 1).
mod lab_cnpg_world;
use lab_cnpg_world::*;
use pgmigrate::lab::servers;
use serde_json::json;

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

/// The whole physical route: crash loop, fence, repair, streaming, promotion, restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_cluster_needs_its_repair_and_restarts_after_promotion() {
    let Some(world) = World::start(202).await else { return };
    let source = world.source().await;
    world.replica("ta", &source, json!([]));
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
