//! Who else has a hand on the apps: autoscalers, GitOps, a colleague.
use super::support::{Bench, NAMESPACE, Setting};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn who_would_start_the_apps_again() {
    // Somebody starts an app in the window: it must not come up with the old connection.
    let started = "fn after_promote(m) { scale(\"deployment/mastodon-web\", 1); }";
    let Some(bench) = Bench::up(Setting::default().script(started)).await else { return };
    let tracking = json!("social:apps/Deployment:mastodon/mastodon-streaming");
    bench.change("deployments.apps", "mastodon-streaming", |app| {
        app["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = tracking;
    });
    let _ = bench.prepare().await;
    let keda = json!({
        "metadata": {"name": "keda-hpa-queue", "namespace": NAMESPACE, "labels": {"scaledobject.keda.sh/name": "queue"}},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mastodon-sidekiq-default"},
            "minReplicas": 1, "maxReplicas": 2},
    });
    bench.lab.put("horizontalpodautoscalers.autoscaling", keda).expect("an autoscaler");
    let refused = bench.cutover().await.code(3).says("scaledobject/queue").says("autoscaling.keda.sh/paused=true");
    let _ = refused.says("Argo CD's application social").never_says("outage");
    bench.on_source().await;
    // Paused, KEDA takes its autoscaler away.
    bench.lab.store.delete("horizontalpodautoscalers.autoscaling", NAMESPACE, "keda-hpa-queue").expect("there");
    let _ = bench.cutover().await.code(0).says("mastodon-web was started by somebody else");
    bench.on_target().await;
    bench.end().await;
}
