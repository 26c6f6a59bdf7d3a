//! What is in the databases, and in their settings, that an import does not carry or stops at.
use super::{
    judged::{Expected, answers, at_the_source, detach, judged},
    support::{Bench, SOURCE_POD, Setting},
};
use serde_json::{Value, json};

const FILE: [(&str, &str); 2] = [
    ("strategy: replica", "strategy: dump"),
    (
        "      cluster: database-cnpg  ",
        "      image: ghcr.io/cloudnative-pg/postgresql:15-minimal-bookworm\n      cluster: database-cnpg  ",
    ),
];

fn manifest(cluster: &mut Value) {
    let rules = ["local all all trust", "local replication all trust", "hostssl all pgmigrate all reject"];
    let spec = &mut cluster["spec"];
    spec["patroni"]["pg_hba"] = json!([rules[0], rules[1], rules[2], "hostssl all all all md5"]);
    spec["patroni"]["initdb"] = json!({"data-checksums": "true"});
    spec["postgresql"]["parameters"] = json!({"max_connections": "300"});
}

const BROKEN: [Expected; 19] = [
    ("source-checksums", "fail", "checksum failures in mastodon"),
    ("import-hba", "fail", "rejects it"),
    ("passwords", "warn", "md5 and in no Secret: reporter"),
    ("owner-login", "fail", "the password in secret mastodon."),
    ("preloaded-by-setting", "fail", "role reporter has session_preload_libraries=auto_explain"),
    ("spilo-dependants", "fail", "mastodon: public.top needs pg_stat_kcache"),
    ("cron-jobs", "warn", "1 active jobs"),
    ("locale", "fail", "C.UTF-8@euro in ghcr.io/cloudnative-pg/postgresql:15-minimal-bookworm"),
    ("collation-damage", "warn", "mastodon was made with glibc 2.27, the pod has 2."),
    ("page-checksums", "pass", "on"),
    ("tablespaces", "fail", "fast"),
    ("large-objects", "warn", "50000"),
    ("not-valid-constraints", "warn", "mastodon: public.top never_empty"),
    ("invalid-indexes", "fail", "mastodon: public.only_once"),
    ("event-triggers", "warn", "guard on sql_drop of postgres"),
    ("foreign-servers", "fail", "lines (file_fdw)"),
    ("volatile-views", "warn", "mastodon: public.today"),
    ("max-connections", "warn", "open of 300 at the source, 100 at the target"),
    ("archiving", "fail", "the last try failed"),
];

/// At the source.
const SCHEMA: [&str; 11] = [
    "CREATE EXTENSION citext",
    "CREATE TABLE top (name citext)",
    // Spilo's own are not installed here.
    "UPDATE pg_extension SET extname = 'pg_stat_kcache' WHERE extname = 'citext'",
    "INSERT INTO top VALUES ('a'), ('a')",
    "ALTER TABLE top ADD CONSTRAINT never_empty CHECK (name <> '') NOT VALID",
    "SELECT count(lo_create(0)) FROM generate_series(1, 50000)",
    "CREATE EXTENSION file_fdw",
    "CREATE SERVER lines FOREIGN DATA WRAPPER file_fdw",
    "CREATE MATERIALIZED VIEW today AS SELECT current_date AS day",
    "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE EVENT TRIGGER guard ON sql_drop EXECUTE FUNCTION guard()",
];
const SERVER: [&str; 8] = [
    "CREATE SCHEMA cron CREATE TABLE job (active boolean)",
    "INSERT INTO cron.job VALUES (true), (false)",
    "SET password_encryption = md5; CREATE ROLE reporter LOGIN PASSWORD 'by-hand'",
    "ALTER ROLE reporter SET session_preload_libraries = 'auto_explain'",
    "ALTER ROLE mastodon PASSWORD 'another'",
    "ALTER SYSTEM SET archive_command = '/bin/false'",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
];
/// Last: who connects from then on is warned.
const COLLATION: &str =
    "UPDATE pg_database SET datcollate = 'C.UTF-8@euro', datctype = 'C.UTF-8@euro', datcollversion = '2.27'
    WHERE datname = 'mastodon'";

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_do_not_go_along() {
    let setting = Setting { source: Some(manifest), ..Setting::edited(&FILE) };
    let Some(bench) = Bench::up(setting).await else { return };
    detach(&bench);
    damage(&bench).await;
    for sql in SCHEMA {
        bench.at_source(sql).await;
    }
    let twice = "CREATE UNIQUE INDEX CONCURRENTLY only_once ON top (name)";
    bench.sql(SOURCE_POD, "mastodon", twice).await.expect_err("there are two");
    let data = bench.at_source("SHOW data_directory").await;
    at_the_source(&bench, "mkdir ../fast").await;
    bench.at_source(&format!("CREATE TABLESPACE fast LOCATION '{data}/../fast'")).await;
    for sql in SERVER.iter().chain(&[COLLATION]) {
        bench.sql(SOURCE_POD, "postgres", sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    answers(&bench, "SELECT failed_count > 0 FROM pg_stat_archiver", "t").await;
    judged(&bench, &BROKEN).await;

    bench.sql(SOURCE_POD, "postgres", "DROP DATABASE mastodon WITH (FORCE)").await.expect("dropped");
    judged(&bench, &[("source-databases", "fail", "the source has no database mastodon")]).await;
    bench.lab.stop().await;
}

/// Two pages on the disk are not what was written; a base backup reads them all. The server's programs run in its data
/// directory.
async fn damage(bench: &Bench) {
    bench.at_source("CREATE TABLE torn WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 1000) AS n").await;
    bench.at_source("CHECKPOINT").await;
    let file = bench.at_source("SELECT pg_relation_filepath('torn')").await;
    for place in [8000, 16000] {
        let tear = format!("dd if=/dev/zero of={file} bs=1 seek={place} count=64 conv=notrunc 2>&1");
        at_the_source(bench, &tear).await;
    }
    let backup = "pg_basebackup -D - -F tar -X none -c fast > /dev/null 2>&1 || true";
    at_the_source(bench, backup).await;
}
