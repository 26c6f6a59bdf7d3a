//! Who else sets an app's size or a connection's value: KEDA, Argo CD, Flux. Named before the window, since what the
//! migration sets they would set back.
//!
//! A plain HorizontalPodAutoscaler is no such: at 0 replicas it does nothing (Kubernetes: "scaling is disabled since the
//! replica count of the target is zero").

use super::workloads;
use crate::{
    error::{Error, Kind, Result},
    kube::kind::{CONFIG_MAP, HPA, SECRET},
    spec::ConnectionObject,
    step::World,
};
use serde_json::Value;

/// KEDA puts it on the autoscaler that it makes; a paused ScaledObject has none.
const KEDA: &str = "scaledobject.keda.sh/name";

/// Refuses where an app would certainly come back up; warns of what may be set back.
pub async fn look(world: &World) -> Result<()> {
    for app in &world.migration.apps {
        warn(world, &app.workload.to_string(), "size", &workloads::fetch(world, &app.workload).await?);
    }
    for connection in &world.migration.connections {
        let (kind, name) = match &connection.object {
            ConnectionObject::Secret(name) => (&SECRET, name),
            ConnectionObject::ConfigMap(name) => (&CONFIG_MAP, name),
        };
        let object = world.kube.get(kind, name).await?.unwrap_or_default();
        warn(world, &format!("{}/{name}", kind.kind.to_lowercase()), "values", &object);
    }
    for hpa in world.kube.list(&HPA, "").await? {
        if let Some((scaled, app)) = scaled_object(&hpa)
            && world.migration.apps.iter().any(|a| a.workload.to_string() == app)
        {
            let hint = format!(
                "kubectl annotate scaledobject -n {} {scaled} autoscaling.keda.sh/paused=true",
                world.kube.namespace()
            );
            let what = format!("KEDA's scaledobject/{scaled} would start {app} again in the window");
            return Err(Error::new(Kind::Check, what).hint(hint));
        }
    }
    Ok(())
}

fn warn(world: &World, what: &str, field: &str, object: &Value) {
    if let Some((who, remedy)) = keeper(object) {
        world.events.warn(format!("{who} looks after {what} and may set its {field} back: {remedy}"));
    }
}

/// The ScaledObject behind an autoscaler, and the workload that it sizes: `deployment/web`.
pub fn scaled_object(hpa: &Value) -> Option<(&str, String)> {
    let target = &hpa["spec"]["scaleTargetRef"];
    let app = format!("{}/{}", target["kind"].as_str()?.to_lowercase(), target["name"].as_str()?);
    Some((hpa["metadata"]["labels"][KEDA].as_str()?, app))
}

/// Who looks after an object, and how that is paused: by the marks that the two leave on what they apply; whether they are set to undo changes is in their own objects,
/// elsewhere.
pub fn keeper(object: &Value) -> Option<(String, String)> {
    let (labels, annotations) = (&object["metadata"]["labels"], &object["metadata"]["annotations"]);
    if let Some(id) = annotations["argocd.argoproj.io/tracking-id"].as_str() {
        let app = id.split(':').next().unwrap_or_default();
        return Some((format!("Argo CD's application {app}"), format!("argocd app set {app} --sync-policy none")));
    }
    for (group, kind) in [("kustomize", "kustomization"), ("helm", "helmrelease")] {
        let mark = |field: &str| labels[format!("{group}.toolkit.fluxcd.io/{field}")].as_str();
        let paused = annotations[format!("{group}.toolkit.fluxcd.io/reconcile")] == "disabled";
        if let (Some(name), false) = (mark("name"), paused) {
            let namespace = mark("namespace").unwrap_or("flux-system");
            let remedy = format!("flux suspend {kind} -n {namespace} {name}");
            return Some((format!("Flux's {kind} {namespace}/{name}"), remedy));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_looks_after_an_object() {
        let of = |metadata: Value| keeper(&json!({ "metadata": metadata }));
        let argo = of(json!({"annotations": {"argocd.argoproj.io/tracking-id": "social:apps/Deployment:m/web"}}));
        assert_eq!(argo.unwrap().1, "argocd app set social --sync-policy none");
        let label =
            json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"});
        assert_eq!(of(json!({"labels": label})).unwrap().1, "flux suspend kustomization -n flux apps");
        let paused = json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"});
        assert_eq!(of(json!({"labels": label, "annotations": paused})), None);
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn an_autoscaler_of_keda() {
        let target = json!({"kind": "Deployment", "name": "web"});
        let plain = json!({"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target}});
        assert_eq!(scaled_object(&plain), None);
        let keda = json!({"metadata": {"labels": {KEDA: "queue"}}, "spec": {"scaleTargetRef": target}});
        assert_eq!(scaled_object(&keda), Some(("queue", "deployment/web".into())));
    }
}
