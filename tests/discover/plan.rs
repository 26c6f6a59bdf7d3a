//! `plan --show all`: everything that will be sent, and no secret.
use super::support::{Bench, Setting};

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_sent_is_shown() {
    let edits = [
        (
            "# backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
            "backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
        ),
        ("DB_PASS: ${target.password}", "DB_PASS: hunter2"),
    ];
    let Some(bench) = Bench::up(Setting::edited(&edits)).await else { return };
    let mut plan = bench.run("plan mastodon --show all --emit made").await.code(0);
    for sent in [
        "PATCH /config at Patroni of postgresql/mastodon-postgresql\n        {\"pause\":true}",
        "\"wal_keep_size\":\"a quarter of what is free",
        "patch postgresql/mastodon-postgresql",
        "apply Cluster/database-cnpg",
        "apply Pooler/database-cnpg-pooler-rw",
        "apply Backup/database-cnpg-first",
        "apply ScheduledBackup/database-cnpg-scheduled",
        "schedule: 0 0 3 * * *",
        "patch deployment/mastodon-web\n        {\"spec\":{\"replicas\":0}}",
        "{\"spec\":{\"replicas\":\"as it was\"}}",
        "patch cronjob/mastodon-media-cleanup\n        {\"spec\":{\"suspend\":true}}",
        "patch secret/mastodon-db-url\n        {\"data\":{\"DB_USER\":\"${target.user}\",\"DB_PASS\":\"<redacted>\"}}",
        "patch configmap/mastodon-database\n        {\"data\":{\"DB_HOST\":\"${target.pooler.host}\"",
        "pg_ctl stop -m fast at the leader's pod",
        "delete pod/database-cnpg-1",
        "patch statefulset/mastodon-postgresql",
        "delete secret/pgmigrate-mastodon-connections",
        ", assuming 0.0 GiB at 60 MiB/s, 8 to 200",
    ] {
        plan = plan.says(sent);
    }
    // What the operator's Secret holds, and what the file holds.
    let password = bench.password("mastodon.mastodon-postgresql.credentials.postgresql.acid.zalan.do", "password");
    let _ = plan.never_says("hunter2").never_says(&password);
    let made = std::fs::read_dir(bench.path().join("made")).expect("a folder");
    let mut made: Vec<String> =
        made.map(|file| file.expect("a file").file_name().into_string().expect("a name")).collect();
    made.sort();
    let files = ["cluster-database-cnpg", "pooler-database-cnpg-pooler-rw", "scheduledbackup-database-cnpg-scheduled"];
    assert_eq!(made, files.map(|name| format!("{name}.yaml")));

    bench.files(&Setting::dump());
    let dump = bench.run("plan mastodon --show all").await.code(0);
    let dump = dump.says("pg_hba.conf at every member").says("host all pgmigrate_mastodon all scram-sha-256");
    let _ = dump.says("PASSWORD '<redacted>'").says("at 15 MiB/s, 2 to 40");
    bench.lab.stop().await;
}
