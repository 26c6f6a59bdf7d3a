//! Quotas and limits of a namespace: what the target would be refused by, and what lets it in.
use super::support::{Bench, Run, Setting};
use serde_json::{Value, json};

/// Makes the object, looks, takes it away.
async fn with(bench: &Bench, resource: &str, spec: Value, id: &str) -> (String, Run) {
    let object = json!({"metadata": {"name": "ours", "namespace": "mastodon"}, "spec": spec});
    bench.lab.put(resource, object).expect("created");
    let run = bench.run(&format!("check mastodon -o json --only {id}")).await;
    bench.lab.store.delete(resource, "mastodon", "ours").expect("deleted");
    let document: Value = run.json();
    let all = document["findings"].as_array().cloned().unwrap_or_default();
    let status = all.iter().find(|f| f["id"] == id).map(|f| f["status"].clone()).unwrap_or_default();
    (status.as_str().unwrap_or_default().to_owned(), run)
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_limits() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    // The volume is 1Gi, as the source's.
    for (hard, status) in [
        (json!({"requests.storage": "900Mi"}), "fail"),
        (json!({"requests.storage": "2Gi"}), "pass"),
        (json!({"persistentvolumeclaims": "0"}), "fail"),
        (json!({"pods": "1"}), "fail"),
        (json!({"pods": "20", "persistentvolumeclaims": "20"}), "pass"),
        // The example's target says nothing of CPU and memory: with a quota on them its pods are refused.
        (json!({"limits.memory": "64Gi"}), "fail"),
        (json!({"count/deployments.apps": "1"}), "pass"),
    ] {
        let (seen, run) = with(&bench, "resourcequotas", json!({"hard": hard}), "resource-quota").await;
        assert_eq!(seen, status, "{hard}: {run}");
    }
    for (limit, status) in [
        (json!({"type": "PersistentVolumeClaim", "max": {"storage": "500Mi"}}), "fail"),
        (json!({"type": "PersistentVolumeClaim", "min": {"storage": "2Gi"}}), "fail"),
        (json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "1Gi"}}), "pass"),
        (json!({"type": "Container", "max": {"memory": "1Gi"}}), "pass"),
    ] {
        let (seen, run) = with(&bench, "limitranges", json!({"limits": [limit]}), "limit-range").await;
        assert_eq!(seen, status, "{limit}: {run}");
    }
    // With a default for it, the quota has something to count.
    let limit = json!({"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]});
    let object = json!({"metadata": {"name": "ours", "namespace": "mastodon"}, "spec": limit});
    bench.lab.put("limitranges", object).expect("created");
    for (hard, status) in [("64Gi", "pass"), ("1Gi", "fail")] {
        let (seen, run) =
            with(&bench, "resourcequotas", json!({"hard": {"limits.memory": hard}}), "resource-quota").await;
        assert_eq!(seen, status, "{hard}: {run}");
    }
    // The template's own resources, outside and inside of what a container may have.
    bench.files(&Setting::edited(&[("# template: database-cnpg.yaml", "template: database-cnpg.yaml #")]));
    let template = |memory: &str| {
        let spec = json!({"resources": {"limits": {"memory": memory}}});
        let cluster = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "database-cnpg"}, "spec": spec});
        bench.write("database-cnpg.yaml", &cluster.to_string());
    };
    bench.lab.store.delete("limitranges", "mastodon", "ours").expect("deleted");
    for (memory, status) in [("4Gi", "fail"), ("1Gi", "pass")] {
        template(memory);
        let limit = json!({"limits": [{"type": "Container", "max": {"memory": "2Gi"}}]});
        let (seen, run) = with(&bench, "limitranges", limit, "limit-range").await;
        assert_eq!(seen, status, "{memory}: {run}");
    }
    bench.lab.stop().await;
}
