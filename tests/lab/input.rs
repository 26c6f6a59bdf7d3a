//! Bad input and clusters that cannot be migrated: a clear text, the documented exit code, nothing changed.
use super::support::{Bench, Run, SOURCE, Setting, TARGET};
use pgmigrate::lab::api::rbac::{Rule, User};
use serde_json::json;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// `prepare` refuses too, and leaves nothing.
async fn refused(bench: &Bench, code: i32, text: &str) {
    let _ = bench.run("check mastodon").await.code(code).says(text);
    let prepare = bench.run("prepare mastodon").await;
    assert!(!matches!(prepare.code, Some(0) | Some(70) | None), "{prepare}");
    let _ = bench.run("rollback mastodon --remove-target --yes --accept-changes").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_checks_find() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.run("check mastodn").await.code(2).says("did you mean \"mastodon\"");

    // A writer that nobody thought of.
    let mut forgotten = bench.object("deployments.apps", "mastodon-streaming");
    let labels = json!({"app": "forgotten"});
    forgotten["metadata"] = json!({"name": "forgotten-writer", "namespace": "mastodon", "labels": labels});
    forgotten["spec"]["selector"]["matchLabels"] = labels.clone();
    forgotten["spec"]["template"]["metadata"]["labels"] = labels;
    bench.lab.put("deployments.apps", forgotten).expect("created");
    let _ = bench.run("check mastodon").await.code(3).says("deployment/forgotten-writer");
    bench.lab.store.delete("deployments.apps", "mastodon", "forgotten-writer").expect("deleted");
    // One that writes at night only.
    let mut nightly = bench.object("cronjobs.batch", "mastodon-media-cleanup");
    let env =
        bench.object("deployments.apps", "mastodon-web")["spec"]["template"]["spec"]["containers"][0]["env"].take();
    nightly["metadata"] = json!({"name": "forgotten-nightly", "namespace": "mastodon"});
    nightly["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"] = env;
    bench.lab.put("cronjobs.batch", nightly).expect("created");
    let _ = bench.run("check mastodon").await.code(3).says("cronjob/forgotten-nightly");
    bench.lab.store.delete("cronjobs.batch", "mastodon", "forgotten-nightly").expect("deleted");
    let _ = bench.run("check mastodon").await.code(0);

    bench.files(&Setting::edited(&[("databases: [mastodon]", "databases: [mastodonn]")]));
    refused(&bench, 3, "mastodonn").await;
    bench.files(&Setting::edited(&[("cluster: mastodon-postgresql", "cluster: mastodon-postgres")]));
    let _ = bench.run("check mastodon").await.says("mastodon-postgres").never_says("panicked");
    bench.files(&Setting::edited(&[("cluster: database-cnpg", "cluster: mastodon-postgresql")]));
    let same: Run = bench.run("check mastodon").await;
    assert!(matches!(same.code, Some(2 | 3)), "{same}");
    bench.files(&Setting::default().script("fn prefligt(m) { }"));
    let _ = bench.run("script check mastodon").await.code(2).says("prefligt").says("preflight");
    let _ = bench.run("check mastodon").await.code(3).says("prefligt").says("script check mastodon");

    // Somebody else's cluster has the target's name.
    bench.files(&Setting::default());
    let theirs = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": TARGET, "namespace": "mastodon"}, "spec": {"instances": 1, "storage": {"size": "1Gi"}}});
    bench.lab.put("clusters.postgresql.cnpg.io", theirs).expect("created");
    refused(&bench, 3, TARGET).await;
    assert!(!bench.object("clusters.postgresql.cnpg.io", TARGET).is_null(), "theirs is left alone");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_read() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    bench.change("postgresqls.acid.zalan.do", SOURCE, |cluster| {
        cluster["spec"]["standby"] = json!({"standby_host": "elsewhere"});
    });
    let _ = bench.run("check mastodon").await.code(3).says("standby");
    bench.change("postgresqls.acid.zalan.do", SOURCE, |cluster| {
        cluster["spec"].as_object_mut().expect("a spec").remove("standby");
    });

    // One rule is missing.
    let everything = |resources: &[&str]| Rule {
        verbs: words(&["*"]),
        groups: words(&["*"]),
        resources: words(resources),
        names: Vec::new(),
        namespace: None,
    };
    let resources = [
        "pods",
        "pods/exec",
        "pods/portforward",
        "pods/log",
        "secrets",
        "configmaps",
        "services",
        "events",
        "endpoints",
        "deployments",
        "statefulsets",
        "cronjobs",
        "jobs",
        "clusters",
        "postgresqls",
        "horizontalpodautoscalers",
        "selfsubjectaccessreviews",
        "poolers",
        "backups",
        "scheduledbackups",
        "persistentvolumeclaims",
    ];
    let user = User {
        name: "limited".into(),
        token: "limited-token".into(),
        admin: false,
        rules: vec![everything(&resources)],
        groups: Vec::new(),
    };
    bench.lab.server.access().set(user);
    let path = bench.path().join("limited");
    bench.lab.kubeconfig("limited", "mastodon", &path).expect("written");
    let _ = bench.run("check mastodon --kubeconfig limited").await.code(3).says("leases");

    // The API server is away.
    bench.lab.door.set_closed(true);
    let _ = bench.run("check mastodon --request-timeout 3s").await.code(1).never_says("panicked");
    bench.lab.door.set_closed(false);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
    bench.end().await;
}
