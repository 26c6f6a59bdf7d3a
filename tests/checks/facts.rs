//! `check --facts`: what was seen, for a ticket; no password and no verifier, wherever one can stand.
use super::support::{Bench, Run, SOURCE, SOURCE_POD, Setting};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PLANTED: &str = "hunter2Planted";
const STORE: (&str, &str) = ("# backup: {objectStore: database-backups", "backup: {objectStore: database-backups");

/// What is text in the cluster's objects.
fn objects(bench: &Bench) {
    let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": format!("password: {PLANTED}")});
    let metadata = |name: &str| json!({"name": name, "namespace": "mastodon", "annotations": applied});
    let container = json!({
        "name": "bi", "image": "example.org/bi", "args": ["--password", PLANTED], "command": ["sh", "-c", format!("bi {PLANTED}")],
        "env": [{"name": "URL", "value": format!("postgres://u:{PLANTED}@{SOURCE}/mastodon")}, {"name": "OTHER", "value": PLANTED}],
    });
    let labels = json!({"app": "bi"});
    let template = json!({"metadata": {"labels": labels, "annotations": applied}, "spec": {"containers": [container]}});
    let deployment = json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template});
    let mut job = template.clone();
    job["spec"]["restartPolicy"] = json!("Never");
    let cronjob = json!({"schedule": "0 3 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": job}}});
    let store = json!({"configuration": {"destinationPath": "s3://b/", "endpointURL": format!("https://me:{PLANTED}@s3.example.com")}});
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    for (resource, name, spec) in [
        ("deployments.apps", "bi", deployment),
        ("cronjobs.batch", "bi", cronjob),
        ("objectstores.barmancloud.cnpg.io", "database-backups", store),
        ("persistentvolumeclaims", "bi", claim),
        ("resourcequotas", "bi", json!({"hard": {"pods": "90"}})),
        ("services", "bi", json!({"ports": [{"port": 1}]})),
    ] {
        bench.lab.put(resource, json!({"metadata": metadata(name), "spec": spec})).expect("created");
    }
    bench.change("configmaps", "mastodon-database", |map| map["data"]["EXTRA"] = json!(PLANTED));
    bench.change("secrets", "mastodon-db-url", |secret| secret["metadata"]["annotations"] = applied.clone());
    bench.change("postgresqls.acid.zalan.do", SOURCE, |cluster| {
        cluster["metadata"]["annotations"]["acid.zalan.do/controller"] = json!("elsewhere");
        cluster["spec"]["env"] = json!([{"name": "AWS_SECRET_ACCESS_KEY", "value": PLANTED}]);
    });
}

async fn servers(bench: &Bench) {
    for sql in [
        &format!("CREATE ROLE planted LOGIN PASSWORD '{PLANTED}'"),
        &format!("SET password_encryption = md5; CREATE ROLE planted_md5 LOGIN PASSWORD '{PLANTED}'"),
        &format!("ALTER ROLE planted SET app.jwt = '{PLANTED}'"),
        &format!("ALTER DATABASE mastodon SET \"app.settings.password\" = '{PLANTED}'"),
        &format!("COMMENT ON DATABASE mastodon IS '{PLANTED}'"),
        "CREATE EXTENSION postgres_fdw",
        &format!("CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far', dbname '{PLANTED}')"),
        &format!("CREATE USER MAPPING FOR planted SERVER far OPTIONS (user 'u', password '{PLANTED}')"),
        &format!("ALTER SYSTEM SET archive_command = 'PGPASSWORD={PLANTED} cp --key {PLANTED} %p'"),
        "SELECT pg_reload_conf()",
    ] {
        bench.at_source(sql).await;
    }
    let subscribe = format!(
        "CREATE SUBSCRIPTION far CONNECTION 'host=far password={PLANTED}' PUBLICATION p WITH (connect = false)"
    );
    bench.at_source(&subscribe).await;
}

/// Every password and verifier that there is: planted, the operator's, the server's; as text and as a Secret has it.
async fn secrets(bench: &Bench) -> BTreeSet<String> {
    let mut all = BTreeSet::from([PLANTED.to_owned(), "SCRAM-SHA-256$".to_owned()]);
    let verifiers = "SELECT string_agg(rolpassword, chr(10)) FROM pg_authid WHERE rolpassword IS NOT NULL";
    all.extend(bench.sql(SOURCE_POD, "postgres", verifiers).await.expect("a superuser").lines().map(str::to_owned));
    for secret in bench.lab.store.list("secrets", Some("mastodon")) {
        let name = secret["metadata"]["name"].as_str().expect("a name");
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            if key.to_lowercase().contains("pass") {
                all.extend([value.as_str().expect("base64").to_owned(), bench.password(name, key)]);
            }
        }
    }
    assert!(all.len() > 8, "{all:?}");
    all
}

fn holds_none(run: &Run, secrets: &BTreeSet<String>) {
    for secret in secrets {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret} is in it: {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_among_the_facts() {
    let Some(bench) = Bench::up(Setting::edited(&[STORE])).await else { return };
    objects(&bench);
    servers(&bench).await;
    let secrets = secrets(&bench).await;
    for format in ["json", "yaml"] {
        holds_none(&bench.run(&format!("check mastodon --facts -vv -o {format}")).await, &secrets);
    }
    let run = bench.run("check mastodon --facts -o json").await;
    let facts = &run.json()["facts"];
    let all =
        |pointer: &str| facts.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}: {run}"));
    // What they were planted in is there.
    let named =
        |pointer: &str, name: &str| all(pointer).iter().find(|v| v["name"] == name).cloned().unwrap_or_default();
    assert_eq!(named("/cluster/roles", "planted")["verifier"], "scram");
    assert_eq!(named("/cluster/roles", "planted_md5")["verifier"], "md5");
    assert_eq!(named("/kubernetes/workloads", "bi")["images"], json!(["example.org/bi"]));
    assert_eq!(facts["kubernetes"]["objectstore"]["spec.configuration.destinationPath"], "s3://b/");
    assert_eq!(facts["kubernetes"]["connections"][0]["keys"], json!(["DB_USER", "DB_PASS"]), "{run}");
    assert_eq!(facts["sql"]["server"]["settings"]["archive_command"], "PGPASSWORD=*** ***");
    let overrides: Vec<&str> = all("/sql/server/overrides").iter().filter_map(|o| o["setting"].as_str()).collect();
    assert!(overrides.contains(&"app.jwt=***") && overrides.contains(&"app.settings.password=***"), "{overrides:?}");
    assert!(all("/consumers").iter().any(|consumer| consumer["workload"] == "deployment/bi"), "{run}");
    assert_eq!(facts["source"]["leader"], SOURCE_POD);
    assert_eq!(facts["logins"]["standby"], "accepted");

    // Without the flag findings alone; and a table has no place for facts.
    assert!(bench.run("check mastodon -o json").await.json()["facts"].is_null());
    let _ = bench.run("check mastodon --facts").await.code(2).says("--facts is for -o json");
    // What was not looked at says so.
    let alone = bench.run("check mastodon --facts -o json --only permissions").await.code(0);
    assert_eq!(alone.json()["facts"]["sql"]["unknown"], "not looked at");
    assert_eq!(alone.json()["facts"]["permissions"]["missing"], json!([]));
    bench.lab.stop().await;
}
