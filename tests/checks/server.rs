//! Servers that cannot feed a copy, or are not well: settings, sessions, certificates, members, disks.
use super::{
    judged::{Expected, POSTGRESQLS, answers, detach, judged, patroni},
    support::{Bench, SOURCE, SOURCE_POD, Setting},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Of a cluster that was never meant to be copied.
fn manifest(cluster: &mut Value) {
    let spec = &mut cluster["spec"];
    spec["patroni"]["pg_hba"] = json!(["local all all trust", "hostssl all all all md5"]);
    spec["postgresql"]["parameters"] = json!({
        "wal_level": "minimal", "archive_mode": "off", "max_wal_senders": "0", "max_replication_slots": "1",
        "max_prepared_transactions": "5",
    });
    // From 18 on initdb makes checksums where nobody says anything.
    if spec["postgresql"]["version"].as_str().and_then(|text| text.parse().ok()) >= Some(18) {
        spec["patroni"]["initdb"] = json!({"no-data-checksums": "true"});
    }
}

const ALONE: [Expected; 14] = [
    ("source-paused", "warn", "paused"),
    ("source-detached", "warn", "acid.zalan.do/controller = elsewhere"),
    ("source-restart-pending", "warn", "shared_buffers"),
    ("long-transactions", "warn", " of mastodon: "),
    ("prepared-transactions", "fail", "left-over in mastodon"),
    ("source-certificate", "fail", "it has ended on 2021-01-01"),
    ("old-tls-clients", "fail", "with TLSv1.2"),
    ("wal-level", "fail", "minimal"),
    ("wal-senders", "fail", "0 of 0 free"),
    ("replication-slots", "fail", "1 of 1 free"),
    ("replication-hba", "fail", "no line matches"),
    ("subscriptions", "warn", "feed"),
    ("cnpg-operator", "fail", "no such Deployment"),
    ("page-checksums", "warn", "off"),
];

const SQL: [&str; 5] = [
    "BEGIN; CREATE TABLE half_done (); PREPARE TRANSACTION 'left-over'",
    "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false)",
    "ALTER SUBSCRIPTION feed ENABLE",
    "ALTER SYSTEM SET shared_buffers = '90MB'",
    "SELECT pg_reload_conf()",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_feeds_nobody() {
    let setting =
        Setting { source: Some(manifest), ..Setting::edited(&[("longestTransaction: 10s", "longestTransaction: 1s")]) };
    let Some(bench) = Bench::up(setting).await else { return };
    // Else the operator would restart what waits for it.
    patroni(&bench, |config| config["pause"] = json!(true));
    detach(&bench);
    ended_certificate(&bench).await;
    for sql in SQL {
        bench.at_source(sql).await;
    }
    bench.lab.store.delete("deployments.apps", "cnpg-system", "cnpg-controller-manager").expect("deleted");
    let ip = bench.lab.node.sandbox("mastodon", SOURCE_POD).expect("it runs").ip;
    let password = bench.password(&format!("mastodon.{SOURCE}.credentials.postgresql.acid.zalan.do"), "password");
    let old = format!(
        "host={ip} user=mastodon password={password} dbname=mastodon sslmode=require ssl_max_protocol_version=TLSv1.2"
    );
    let open = "SELECT count(*) FROM pg_stat_activity
        WHERE query ~ '^SELECT pg_sleep' AND xact_start < clock_timestamp() - interval '1 second'";
    let meanwhile = async {
        answers(&bench, open, "1").await;
        judged(&bench, &ALONE).await;
    };
    tokio::select! {
        ended = bench.sql(SOURCE_POD, &old, "SELECT pg_sleep(600)") => panic!("it does not stay: {ended:?}"),
        () = meanwhile => {}
    }
    bench.lab.stop().await;
}

/// In place of the server's own.
async fn ended_certificate(bench: &Bench) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wanted = rcgen::CertificateParams::new(vec!["spilo.example.org".to_owned()]).expect("a name");
    (wanted.not_before, wanted.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let certificate = wanted.self_signed(&key).expect("signed");
    for (setting, pem) in [("ssl_cert_file", certificate.pem()), ("ssl_key_file", key.serialize_pem())] {
        let path = bench.at_source(&format!("SHOW {setting}")).await;
        // Written over, it stays its owner's.
        std::fs::write(path, pem).expect("written");
    }
}

/// After `prepare`.
const FOLLOWED: [Expected; 5] = [
    ("source-members", "fail", ", not Running"),
    ("source-lag", "warn", "behind: mastodon-postgresql-1 by "),
    ("source-sql", "warn", "only through a psql in the pod"),
    ("source-tls", "fail", "ssl = off"),
    ("target-follows", "fail", "it does not stream from the source"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_is_left_behind() {
    let Some(bench) = Bench::up(Setting { members: 2, ..Setting::default() }).await else { return };
    let _ = bench.prepare().await;
    judged(&bench, &[("source-lag", "pass", ""), ("target-follows", "pass", "")]).await;
    let replica = format!("{SOURCE}-1");
    bench.sql(&replica, "postgres", "SELECT pg_wal_replay_pause()").await.expect("paused");
    bench.at_source("CREATE TABLE bulk AS SELECT repeat('x', 1000) FROM generate_series(1, 30000)").await;
    // From here on no password gets in, and so no operator that could put something right.
    bench.at_source("ALTER SYSTEM SET ssl = off").await;
    bench.at_source("SELECT pg_reload_conf()").await;
    // It would come back over TLS only.
    let streams = "FROM pg_stat_replication WHERE application_name = 'pgmigrate-database-cnpg'";
    answers(&bench, "SHOW ssl", "off").await;
    bench.at_source(&format!("SELECT pg_terminate_backend(pid) {streams}")).await;
    answers(&bench, &format!("SELECT count(*) {streams}"), "0").await;
    let unwell = |store: &pgmigrate::lab::api::store::Store| {
        let cluster = store.get(POSTGRESQLS, "mastodon", SOURCE).unwrap_or_default();
        let status = cluster["status"]["PostgresClusterStatus"].as_str().unwrap_or_default();
        let position = |pod: &str| -> Option<u64> {
            let pod = store.get("pods", "mastodon", pod)?;
            let shown: Value = serde_json::from_str(pod["metadata"]["annotations"]["status"].as_str()?).ok()?;
            shown["xlog_location"].as_u64()
        };
        let behind = position(SOURCE_POD).zip(position(&replica)).is_some_and(|(top, own)| top > own + (16 << 20));
        status != "Running" && behind
    };
    bench.lab.until("operator and Patroni have noticed", Duration::from_secs(60), unwell).await.expect("noticed");
    judged(&bench, &FOLLOWED).await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_disk() {
    let Some(bench) = Bench::up(Setting { disk: Some(800), ..Setting::default() }).await else { return };
    judged(&bench, &[("source-disk", "warn", " of 800 MiB free")]).await;
    bench.lab.stop().await;
}
