//! What source and target stand on: Pod Security, Patroni's history, settings by hand, operators' configuration, storage.
use super::{
    judged::{at_the_source, is, judged, rolled_out},
    support::{Bench, SOURCE, SOURCE_POD, Setting},
};
use serde_json::{Value, json};

const CLUSTERS: &str = "clusters.postgresql.cnpg.io";
const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const CONFIGURATIONS: &str = "operatorconfigurations.acid.zalan.do";

fn update(bench: &Bench, resource: &str, place: (&str, &str), change: impl FnOnce(&mut Value)) {
    bench.lab.store.update(resource, place.0, place.1, change).unwrap_or_else(|r| panic!("{}", r.message));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_would_not_start_again() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let enforce = |level: &str| {
        let level = json!(level);
        update(&bench, "namespaces", ("", "mastodon"), |namespace| {
            namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = level;
        });
    };
    let _ = is(&bench, "pod-security", "pass").await.says("level enforced: none");
    enforce("baseline");
    let _ = is(&bench, "pod-security", "pass").await.says("keep to it");
    // The lab's apps say nothing of their securityContext.
    enforce("restricted");
    let run = is(&bench, "pod-security", "fail").await.says("deployment/mastodon-web").says("runAsNonRoot");
    let _ = run.says(&format!("the source's pod {SOURCE_POD}")).says("cronjob/mastodon-media-cleanup");
    enforce("privileged");
    let _ = is(&bench, "pod-security", "pass").await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_led_and_what_was_set_by_hand() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = is(&bench, "source-failovers", "pass").await.says("the first");
    let promoted = |hours: i64| {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let history = json!([[1, 25_000_000, "no recovery target specified", at.to_string(), SOURCE_POD]]);
        bench.change("endpoints", &format!("{SOURCE}-config"), |object| {
            object["metadata"]["annotations"]["history"] = history.to_string().into();
        });
    };
    promoted(3);
    let _ = is(&bench, "source-failovers", "warn").await.says("1 changes in 24 hours").says("leads timeline 2");
    promoted(72);
    let _ = is(&bench, "source-failovers", "pass").await.says("leads timeline 2");

    let _ = is(&bench, "settings-by-hand", "pass").await;
    bench.at_source("ALTER SYSTEM SET work_mem = '5MB'").await;
    bench.at_source("SELECT pg_reload_conf()").await;
    let _ = is(&bench, "settings-by-hand", "warn").await.says("ALTER SYSTEM RESET work_mem");
    bench.at_source("ALTER SYSTEM RESET work_mem").await;
    bench.at_source("SELECT pg_reload_conf()").await;
    let _ = is(&bench, "settings-by-hand", "pass").await;

    // The server's programs run in its data directory.
    let _ = is(&bench, "settings-files", "pass").await;
    bench.at_source("COPY (SELECT 'nonsense = 1') TO PROGRAM 'cat >> postgresql.auto.conf'").await;
    let _ = is(&bench, "settings-files", "fail").await.says("postgresql.auto.conf").says("nonsense");
    at_the_source(&bench, "sed -i /nonsense/d postgresql.auto.conf").await;
    let _ = is(&bench, "settings-files", "pass").await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_give_other_rows_each_time() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    bench.at_source("CREATE MATERIALIZED VIEW steady AS SELECT count(*) AS current_time_slots FROM accounts").await;
    let sound = ["volatile-views", "import-hba", "large-objects", "not-valid-constraints", "cnpg-fields"];
    judged(&bench, &sound.map(|id| (id, "pass", ""))).await;
    for (make, drop) in [
        ("CREATE MATERIALIZED VIEW v AS SELECT now() AS at", "DROP MATERIALIZED VIEW v"),
        ("CREATE MATERIALIZED VIEW v AS SELECT current_date AS at", "DROP MATERIALIZED VIEW v"),
        // Through a view, and through a function of the app's own.
        ("CREATE VIEW w AS SELECT random() AS n; CREATE MATERIALIZED VIEW v AS SELECT n FROM w", "DROP VIEW w CASCADE"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'; CREATE MATERIALIZED VIEW v AS SELECT f() AS n",
            "DROP FUNCTION f CASCADE",
        ),
    ] {
        bench.at_source(make).await;
        let _ = is(&bench, "volatile-views", "warn").await.says("public.v").says("--accept-inconclusive public.v");
        bench.at_source(drop).await;
        let _ = is(&bench, "volatile-views", "pass").await;
    }
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_their_configuration() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let operator = ("postgres-operator", "postgres-operator");
    let configured = |key: &str, value: &str| {
        update(&bench, CONFIGURATIONS, operator, |object| object["configuration"]["kubernetes"][key] = json!(value));
    };
    let _ = is(&bench, "operator-configuration", "pass").await.says("operatorconfiguration/postgres-operator");
    configured("watched_namespace", "blog");
    let _ = is(&bench, "operator-configuration", "warn").await.says("it does not look after mastodon");
    configured("watched_namespace", "blog, mastodon");
    let _ = is(&bench, "operator-configuration", "pass").await;
    configured("secret_name_template", "{cluster}.{username}");
    let _ = is(&bench, "operator-configuration", "fail").await.says("secret_name_template");
    // The older form, a ConfigMap that the Deployment names.
    bench.lab.store.delete(CONFIGURATIONS, operator.0, operator.1).expect("deleted");
    let _ = is(&bench, "operator-configuration", "warn").await.says("neither");
    let map = json!({"metadata": {"name": "settings", "namespace": operator.0}, "data": {"enable_password_rotation": "true"}});
    bench.lab.put("configmaps", map).expect("created");
    environment(&bench, operator, json!([{"name": "CONFIG_MAP_NAME", "value": "settings"}])).await;
    let _ =
        is(&bench, "operator-configuration", "warn").await.says("enable_password_rotation").says("configmap/settings");

    let cnpg = ("cnpg-system", "cnpg-controller-manager");
    let _ = is(&bench, "cnpg-watches", "pass").await.says("all namespaces");
    environment(&bench, cnpg, json!([{"name": "WATCH_NAMESPACE", "value": "blog,stock"}])).await;
    let _ = is(&bench, "cnpg-watches", "fail").await.says("it watches blog, stock, not mastodon");
    environment(&bench, cnpg, json!([{"name": "WATCH_NAMESPACE", "value": "blog,mastodon"}])).await;
    let _ = is(&bench, "cnpg-watches", "pass").await;

    // A definition of before smartShutdownTimeout, in place of the lab's own.
    let _ = is(&bench, "cnpg-fields", "pass").await;
    let spec = json!({"properties": {"replica": {"properties": {"enabled": {}}}, "externalClusters": {"type": "array"},
        "bootstrap": {"properties": {"pg_basebackup": {"properties": {"secret": {}}}}}}});
    let schema = json!({"openAPIV3Schema": {"properties": {"spec": spec}}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    bench.lab.put(CRDS, json!({"metadata": {"name": CLUSTERS}, "spec": {"versions": [version]}})).expect("created");
    let _ = is(&bench, "cnpg-fields", "fail").await.says("does not have .spec.smartShutdownTimeout\"");
    bench.lab.stop().await;
}

/// Of an operator's Deployment.
async fn environment(bench: &Bench, place: (&str, &str), env: Value) {
    let change = |object: &mut Value| object["spec"]["template"]["spec"]["containers"][0]["env"] = env;
    rolled_out(bench, place, change).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_and_backups() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let published = |capacity: &str| {
        bench.lab.store.delete("csistoragecapacities.storage.k8s.io", "kube-system", "here").ok();
        let object = json!({"metadata": {"name": "here", "namespace": "kube-system"}, "storageClassName": "local-path", "capacity": capacity});
        bench.lab.put("csistoragecapacities.storage.k8s.io", object).expect("created");
    };
    let _ = is(&bench, "storage-class", "pass").await.says("how much is free is not published");
    // The volume is 1Gi, as the source's.
    published("900Mi");
    let _ = is(&bench, "storage-class", "fail").await.says("room for a volume of 900 MiB at most");
    published("20Gi");
    let _ = is(&bench, "storage-class", "pass").await.says("room for 20 GiB");
    let _ = is(&bench, "volume-growth", "warn").await;
    update(&bench, "storageclasses.storage.k8s.io", ("", "local-path"), |class| {
        class["allowVolumeExpansion"] = json!(true)
    });
    let _ = is(&bench, "volume-growth", "pass").await;

    let _ = is(&bench, "source-backup", "warn").await.says("no logical backup has succeeded");
    let name = format!("logical-backup-{SOURCE}");
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "lab/command"}]});
    let spec = json!({"schedule": "0 3 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": {"spec": pod}}}});
    bench
        .lab
        .put("cronjobs.batch", json!({"metadata": {"name": name, "namespace": "mastodon"}, "spec": spec}))
        .expect("created");
    for (hours, status) in [(5, "pass"), (100, "warn")] {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        bench.change("cronjobs.batch", &name, |job| job["status"]["lastSuccessfulTime"] = json!(at.to_string()));
        let _ = is(&bench, "source-backup", status).await.says(&format!("{hours} hours ago"));
    }
    bench.lab.stop().await;
}
