//! What is wrong in the namespace and in the file: apps, connections, policies, leftovers, the target as it is asked for.
use super::{
    judged::{Expected, judged, rolled_out},
    support::{Bench, SOURCE, Setting},
};
use serde_json::json;

/// Another C library than Spilo's, a volume that holds nothing, a store that is not there.
const FILE: [(&str, &str); 2] = [
    (
        "      cluster: database-cnpg  ",
        "      image: ghcr.io/cloudnative-pg/postgresql:15-standard-bullseye\n      storage: 32Mi\n      cluster: database-cnpg  ",
    ),
    ("# backup: {objectStore: database-backups", "backup: {objectStore: database-backups"),
];

const BROKEN: [Expected; 15] = [
    ("script", "fail", "prefligt"),
    ("app-superuser", "fail", "deployment/reports"),
    ("cnpg-version", "fail", "cloudnative-pg:1.28.1; strategy replica needs 1.29"),
    ("collation-version", "warn", "in Spilo, 2.31 in ghcr.io/cloudnative-pg/postgresql:15-standard-bullseye"),
    ("target-storage", "fail", "32Mi; "),
    ("network-policies", "fail", "deny keeps the target out of the source"),
    ("apps-exist", "fail", "not there: deployment/mastodon-sidekiq-federation"),
    ("autoscalers", "fail", "scaledobject queue"),
    ("gitops", "warn", "deployment/mastodon-web of Argo CD's application social"),
    ("generated-objects", "fail", "secret/mastodon-db-url is made by ExternalSecret mastodon-db"),
    ("connections", "fail", "configmap/mastodon-database has no key DB_PORT"),
    ("connections-complete", "fail", "DB_REPLICA in the template of cronjob/mastodon-media-cleanup"),
    ("object-store", "fail", "objectstore database-backups is not there"),
    ("old-volumes", "fail", "pvc/database-cnpg-1"),
    ("target-name", "fail", "service/database-cnpg-rw"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_in_disorder() {
    let setting = Setting::edited(&FILE).script("fn prefligt(m) { }");
    let Some(bench) = Bench::up(setting).await else { return };
    made(&bench);
    changed(&bench);
    let cnpg = ("cnpg-system", "cnpg-controller-manager");
    let older = json!("ghcr.io/cloudnative-pg/cloudnative-pg:1.28.1");
    rolled_out(&bench, cnpg, |object| object["spec"]["template"]["spec"]["containers"][0]["image"] = older).await;
    judged(&bench, &BROKEN).await;
    bench.lab.stop().await;
}

/// What somebody has put there.
fn made(bench: &Bench) {
    let password =
        json!({"name": format!("postgres.{SOURCE}.credentials.postgresql.acid.zalan.do"), "key": "password"});
    let reports = json!({"name": "reports", "image": "lab/idle", "env": [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": password}}]});
    let labels = json!({"app": "reports"});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [reports]}});
    let scaled = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "mastodon-sidekiq-default"});
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    for (resource, name, labels, spec) in [
        (
            "deployments.apps",
            "reports",
            json!({}),
            json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template}),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            "keda-hpa-queue",
            json!({"scaledobject.keda.sh/name": "queue"}),
            json!({"scaleTargetRef": scaled, "minReplicas": 1, "maxReplicas": 2}),
        ),
        (
            "networkpolicies.networking.k8s.io",
            "deny",
            json!({}),
            json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
        ),
        ("persistentvolumeclaims", "database-cnpg-1", json!({"cnpg.io/cluster": "database-cnpg"}), claim),
        ("services", "database-cnpg-rw", json!({}), json!({"ports": [{"port": 5432}]})),
    ] {
        let metadata = json!({"name": name, "namespace": "mastodon", "labels": labels});
        bench.lab.put(resource, json!({"metadata": metadata, "spec": spec})).expect("created");
    }
}

/// What somebody has done to what the migration counts on.
fn changed(bench: &Bench) {
    bench.change("deployments.apps", "mastodon-web", |app| {
        let id = json!("social:apps/Deployment:mastodon/mastodon-web");
        app["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = id;
    });
    let owner = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "mastodon-db",
        "uid": "4bd3a2c0-0a6e-4a3a-9d0e-6f1c0c6b7e11"});
    bench.change("secrets", "mastodon-db-url", |secret| secret["metadata"]["ownerReferences"] = json!([owner]));
    bench.change("configmaps", "mastodon-database", |map| {
        map["data"].as_object_mut().and_then(|data| data.remove("DB_PORT")).expect("was there");
    });
    bench.change("cronjobs.batch", "mastodon-media-cleanup", |job| {
        let env = &mut job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"];
        let replica = json!({"name": "DB_REPLICA", "value": format!("{SOURCE}-repl")});
        env.as_array_mut().expect("an environment").push(replica);
    });
    bench.lab.store.delete("deployments.apps", "mastodon", "mastodon-sidekiq-federation").expect("deleted");
}
