//! Quotas and limits of a namespace: what the target would be refused by, and what lets it in.
use super::{
    judged::is,
    support::{Bench, Setting},
};
use serde_json::{Value, json};

/// Makes the object, looks, takes it away.
async fn with(bench: &Bench, resource: &str, spec: Value, (id, status): (&str, &str)) {
    let object = json!({"metadata": {"name": "ours", "namespace": "mastodon"}, "spec": spec});
    bench.lab.put(resource, object).expect("created");
    let _ = is(bench, id, status).await;
    bench.lab.store.delete(resource, "mastodon", "ours").expect("deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_limits() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let (short, room) = (("resource-quota", "fail"), ("resource-quota", "pass"));
    // The volume is 1Gi, as the source's.
    for (hard, expected) in [
        (json!({"requests.storage": "900Mi"}), short),
        (json!({"requests.storage": "2Gi"}), room),
        (json!({"persistentvolumeclaims": "0"}), short),
        (json!({"pods": "1"}), short),
        (json!({"pods": "20", "persistentvolumeclaims": "20"}), room),
        // The example's target says nothing of CPU and memory: with a quota on them its pods are refused.
        (json!({"limits.memory": "64Gi"}), short),
        (json!({"count/deployments.apps": "1"}), room),
    ] {
        with(&bench, "resourcequotas", json!({"hard": hard}), expected).await;
    }
    let (outside, within) = (("limit-range", "fail"), ("limit-range", "pass"));
    for (limit, expected) in [
        (json!({"type": "PersistentVolumeClaim", "max": {"storage": "500Mi"}}), outside),
        (json!({"type": "PersistentVolumeClaim", "min": {"storage": "2Gi"}}), outside),
        (json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "1Gi"}}), within),
        (json!({"type": "Container", "max": {"memory": "1Gi"}}), within),
    ] {
        with(&bench, "limitranges", json!({"limits": [limit]}), expected).await;
    }
    // With a default for it, the quota has something to count.
    let limit = json!({"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]});
    let object = json!({"metadata": {"name": "ours", "namespace": "mastodon"}, "spec": limit});
    bench.lab.put("limitranges", object).expect("created");
    for (hard, expected) in [("64Gi", room), ("1Gi", short)] {
        with(&bench, "resourcequotas", json!({"hard": {"limits.memory": hard}}), expected).await;
    }
    // The template's own resources, outside and inside of what a container may have.
    bench.files(&Setting::edited(&[("# template: database-cnpg.yaml", "template: database-cnpg.yaml #")]));
    let template = |memory: &str| {
        let spec = json!({"resources": {"limits": {"memory": memory}}});
        let cluster = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "database-cnpg"}, "spec": spec});
        bench.write("database-cnpg.yaml", &cluster.to_string());
    };
    bench.lab.store.delete("limitranges", "mastodon", "ours").expect("deleted");
    for (memory, expected) in [("4Gi", outside), ("1Gi", within)] {
        template(memory);
        let limit = json!({"limits": [{"type": "Container", "max": {"memory": "2Gi"}}]});
        with(&bench, "limitranges", limit, expected).await;
    }
    bench.lab.stop().await;
}
