use crate::ground::{Lab, NAMESPACE, PASSWORD, POD};
use pgmigrate::postgres::{Db, pod, sql_error, wire};
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;

/// What both kinds of session must do alike.
async fn speaks(db: &mut Db) {
    let rows = db
        .rows("SELECT n, n::text AS t, NULL AS nil, ARRAY[n] AS list FROM generate_series(9007199254740993, 9007199254740994) n ORDER BY n DESC; ", &[])
        .await
        .unwrap();
    assert_eq!(
        json!(rows),
        json!([
            {"n": 9007199254740994i64, "t": "9007199254740994", "nil": null, "list": [9007199254740994i64]},
            {"n": 9007199254740993i64, "t": "9007199254740993", "nil": null, "list": [9007199254740993i64]},
        ])
    );
    assert!(db.rows("SELECT 1 WHERE false -- a comment", &[]).await.unwrap().is_empty());
    for nasty in ["it's", r"back\slash", "two\nlines\n", "", "$1 :name \"q\" ;--", "ü€😀"] {
        assert_eq!(db.value::<String>("SELECT $1::text", &[nasty]).await.unwrap(), nasty);
    }
    // Typed by the query, and the prepared statement is used again.
    for n in 1..8i64 {
        let twice: i64 = db.value("SELECT $1::int * $2::int", &[&n.to_string(), "2"]).await.unwrap();
        assert_eq!(twice, 2 * n);
    }
    let long = "x".repeat(3_000_000);
    assert_eq!(db.value::<String>("SELECT $1::text", &[&long]).await.unwrap(), long);
    assert!(db.value::<i64>("SELECT 1 WHERE false", &[]).await.unwrap_err().what.contains("no row"));

    for (statement, code) in [
        ("SELECT 1/0", "22012"),
        ("SELECT 'open", "42601"),
        ("SELECT \"open", "42601"),
        ("SELECT /* open", "42601"),
        ("SELECT $q$ open", "42601"),
        ("SELECT (1", "42601"),
        ("SELECT \\q", "42601"),
        ("ALTER ROLE app PASSWORD 'hunter2' NONSENSE", "42601"),
    ] {
        let error = db.run(statement).await.unwrap_err();
        let said = sql_error(&error).unwrap_or_else(|| panic!("{statement}: {}", error.chain()));
        assert_eq!(said.code, code, "{statement}: {said}");
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }
    db.run("CREATE TEMP TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
    let twice = db.run("INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)").await.unwrap_err();
    assert_eq!(sql_error(&twice).unwrap().detail.as_deref(), Some("Key (id)=(1) already exists."));
    assert_eq!(db.value::<i64>("SELECT count(*) FROM t", &[]).await.unwrap(), 1);
    let returned: i64 = db.value("INSERT INTO t VALUES (7) RETURNING id", &[]).await.unwrap();
    assert_eq!(returned, 7);
    // A failed transaction, and the way out of it.
    db.run("BEGIN").await.unwrap();
    db.run("SELECT 1/0").await.unwrap_err();
    assert_eq!(sql_error(&db.run("SELECT 1").await.unwrap_err()).unwrap().code, "25P02");
    db.run("ROLLBACK").await.unwrap();
    let settings = "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS statement, \
        current_setting('lock_timeout') AS lock, current_setting('search_path') AS path";
    let row = db.rows(settings, &[]).await.unwrap();
    assert_eq!(
        json!(row),
        json!([{"name": "pgmigrate", "statement": "1min", "lock": "5s", "path": "\"$user\",public"}])
    );
    db.run("SET statement_timeout = '200ms'").await.unwrap();
    assert_eq!(sql_error(&db.run("SELECT pg_sleep(5)").await.unwrap_err()).unwrap().code, "57014");
    db.run("RESET statement_timeout").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_in_the_pod() {
    let Some(lab) = Lab::with_postgres().await else { return };
    let kube = lab.kube().await;
    let mut db = pod::connect(&kube, POD, "postgres").await.unwrap();
    speaks(&mut db).await;
    let identity = db.identity().await.unwrap();
    let version = lab.postgres().install.major;
    assert!(!identity.in_recovery && identity.version_num / 10000 == version, "{identity:?}");
    db.run("CREATE DATABASE \"it's \\ odd\"").await.unwrap();
    let mut odd = pod::connect(&kube, POD, "it's \\ odd").await.unwrap();
    assert_eq!(odd.value::<String>("SELECT current_database()", &[]).await.unwrap(), "it's \\ odd");
    let none = pod::connect(&kube, POD, "nowhere").await.err().unwrap();
    assert!(none.chain().contains("\"nowhere\" does not exist"), "{}", none.chain());

    // Left in the middle, ended by the server, cut on the way: never an answer that belongs to another question.
    tokio::time::timeout(Duration::from_millis(200), odd.run("SELECT pg_sleep(1)")).await.unwrap_err();
    assert!(odd.run("SELECT 1").await.unwrap_err().chain().contains("middle of an answer"));
    let pid: i64 = db.value("SELECT pg_backend_pid()", &[]).await.unwrap();
    let mut other = pod::connect(&kube, POD, "postgres").await.unwrap();
    assert!(other.value::<bool>("SELECT pg_terminate_backend($1::int)", &[&pid.to_string()]).await.unwrap());
    let ended = db.run("SELECT 1").await.unwrap_err();
    assert!(ended.chain().contains("ended: ") && ended.chain().contains("terminating connection"), "{}", ended.chain());
    lab.faults.cut(NAMESPACE, POD);
    assert!(other.run("SELECT 1").await.unwrap_err().chain().contains("ended: "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wire_protocol_through_the_forward() {
    let Some(lab) = Lab::with_postgres().await else { return };
    let kube = lab.kube().await;
    let (password, wrong) = (SecretString::from(PASSWORD), SecretString::from("wrong"));
    let (stranger, _) = pgmigrate::lab::servers::certificate(&["db-rw".to_string()]);
    let login = |password, ca| wire::Login { pod: POD, user: "app", password, database: "postgres", ca };
    let mut db = wire::connect(&kube, login(&password, None)).await.unwrap();
    speaks(&mut db).await;
    assert!(db.value::<bool>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap());
    assert!(wire::connect(&kube, login(&password, Some(lab.certificate.as_bytes()))).await.is_ok());
    let refused = wire::connect(&kube, login(&password, Some(stranger.as_bytes()))).await.err().unwrap();
    assert!(refused.chain().contains("certificate"), "{}", refused.chain());
    let refused = wire::connect(&kube, login(&wrong, None)).await.err().unwrap();
    assert_eq!(sql_error(&refused).map(|e| e.code.as_str()), Some("28P01"), "{}", refused.chain());
    lab.faults.cut(NAMESPACE, POD);
    let cut = db.run("SELECT 1").await.unwrap_err();
    assert!(sql_error(&cut).is_none(), "{}", cut.chain());
}
