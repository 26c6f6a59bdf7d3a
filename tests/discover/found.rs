//! What is found in a cluster, and that what is written from it works.
use super::support::{Bench, SOURCE, Setting};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A second app with everything in one URL, and a password that is its own.
fn reader(bench: &Bench) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "reader", "namespace": "mastodon"},
        "data": {"DATABASE_URL": STANDARD.encode(format!("postgres://reader:hunter2@{SOURCE}/mastodon"))}});
    let labels = json!({"app": "reader"});
    let from = json!([{"secretRef": {"name": "reader"}}]);
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "reader", "namespace": "mastodon", "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "reader", "image": "lab/app", "envFrom": from}]}}}});
    bench.lab.put("secrets", secret).expect("a Secret");
    bench.lab.put("deployments.apps", deployment).expect("a Deployment");
}

fn item<'a>(document: &'a Value, name: &str) -> &'a Value {
    let items = document["items"].as_array().expect("items");
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_init_writes_leads_to_a_plan_and_a_cutover() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    reader(&bench);

    let listed = bench.run("list -A -o json").await.code(0).json();
    let source = item(&listed, SOURCE);
    let users: Vec<&str> = source["usedBy"].as_array().expect("users").iter().filter_map(Value::as_str).collect();
    for user in ["deployment/mastodon-web", "cronjob/mastodon-media-cleanup", "deployment/reader"] {
        assert!(users.contains(&user), "{user} is not in {users:?}");
    }
    assert!(!users.iter().any(|user| user.contains(SOURCE)), "its own StatefulSet is no user: {users:?}");
    assert_eq!(source["suggestion"]["strategy"], "replica");
    assert_eq!((&source["size"], &source["state"]), (&json!("1Gi"), &json!("Running")));

    let _ = bench.run("init moved -n mastodon --target new-db").await.code(0).says("deployment/mastodon-web");
    let file = std::fs::read_to_string(bench.path().join("moved.yaml")).expect("written");
    for line in [
        "DB_USER\": \"${target.user}",
        "DB_PASS\": \"${target.password}",
        "DB_HOST\": \"${target.host}",
        "DB_PORT\": \"${target.port}",
        "secret/reader key DATABASE_URL is left for you",
        "databases: [\"mastodon\"]",
        "strategy: replica",
    ] {
        assert!(file.contains(line), "{line} is not in:\n{file}");
    }
    assert!(!file.contains("hunter2"), "a secret stands in the file:\n{file}");
    println!("{file}");
    let again = bench.run("init moved -n mastodon").await.code(1).says("moved.yaml is there already");
    assert!(again.stdout.is_empty(), "{again}");
    let _ = bench.run("script check moved").await.code(0);
    let plan = bench.run("plan moved --show all --emit made").await.code(0).says("POINT OF NO RETURN");
    println!("{plan}");
    let plan = plan.says("outage: about").says("apply Cluster/new-db").says("SQL at target").says("is not there yet");
    let made = std::fs::read_to_string(bench.path().join("made/cluster-new-db.yaml")).expect("emitted");
    assert!(made.contains("kind: Cluster") && made.contains("enabled: true"), "{made}");
    drop(plan);
    let _ = bench.run("list -A -v").await.code(0).says("8 API calls");

    // Not only readable: it moves the database.
    let _ = bench.run("prepare moved").await.code(0);
    let _ = bench.run("plan moved").await.code(0).says("cluster/new-db is there").says("took ");
    for (line, found) in [
        ("__complete -- status -n mastodon mo", "moved\n"),
        ("__complete -- init -n mastodon --source mas", "mastodon-postgresql\n"),
        ("__complete -- list -n mas", "mastodon\n"),
    ] {
        let _ = bench.run(line).await.code(0).says(found);
    }
    let under_way = bench.run("list -n mastodon").await.code(0);
    println!("{under_way}");
    let under_way = under_way.says("migration/moved").says("prepared").says("cutover moved");
    assert!(!under_way.stdout.contains("init -n mastodon"), "it is under way: {under_way}");
    let _ = bench.run("cutover moved --accept-one-way moved").await.code(0);
    bench.nothing_lost().await;
    verbs_that_come_too_late(&bench).await;
    bench.lab.stop().await;
}

/// After the cutover they say so, and what to do now; nothing is changed.
async fn verbs_that_come_too_late(bench: &Bench) {
    let next = "finalize moved";
    let target = bench.object("clusters.postgresql.cnpg.io", "new-db")["spec"].clone();
    let prepare = bench.run("prepare moved").await.code(0).says("done before").says("verify moved").says(next);
    let _ = prepare.never_says("cutover moved");
    assert_eq!(bench.object("clusters.postgresql.cnpg.io", "new-db")["spec"], target);
    let plan = bench.run("plan moved").await.code(0).says("moved: cut over; the source is kept").says(next);
    let _ = plan.never_says("brings the app back").never_says("outage: about").never_says("cluster/new-db is there");
    let _ = bench.run("check moved").await.says("moved: cut over; the source is kept").never_says("plan moved");
    let again = bench.run("init again -n mastodon").await.code(1).says("has a migration already, moved: cut over");
    let _ = again.says(next).never_says("check again");
    assert!(!bench.path().join("again.yaml").exists(), "nothing is written");
}
