//! Patroni's REST API on port 8008 of a member (Patroni 4 docs, "Patroni REST API"), through a port-forward.

use crate::{
    error::{Context, Error, Result},
    kube::{Kube, kind::POD, kind::STATEFUL_SET},
};
use serde_json::Value;
use std::time::Duration;

const PORT: u16 = 8008;
const DEADLINE: Duration = Duration::from_secs(20);

/// The pods of a Zalando cluster, by the labels that its StatefulSet selects.
pub async fn members(kube: &Kube, cluster: &str) -> Result<Vec<Value>> {
    let set = kube.get(&STATEFUL_SET, cluster).await?;
    let set = set.ok_or_else(|| Error::failed(format!("statefulset {cluster} of the Zalando cluster is not there")))?;
    let labels = set["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let selector: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    kube.list(&POD, &selector.join(",")).await
}

/// `GET /patroni`: state, role, timeline, pause, ... It answers 503 while PostgreSQL is down, with the same body.
pub async fn status(kube: &Kube, pod: &str) -> Result<Value> {
    let (_, body) = kube.http(pod, PORT, "GET", "/patroni", None, DEADLINE).await?;
    serde_json::from_str(&body).with_context(|| format!("read Patroni's status of pod {pod}"))
}

pub fn is_running_primary(status: &Value) -> bool {
    status["state"] == "running" && matches!(status["role"].as_str(), Some("primary" | "master"))
}

/// The dynamic configuration, shared by all members.
pub async fn config(kube: &Kube, pod: &str) -> Result<Value> {
    let (code, body) = kube.http(pod, PORT, "GET", "/config", None, DEADLINE).await?;
    answered(code, 200, &body, "GET /config", pod)?;
    serde_json::from_str(&body).with_context(|| format!("read Patroni's configuration from pod {pod}"))
}

/// Merges into the dynamic configuration; null deletes a key, lists are replaced.
pub async fn patch_config(kube: &Kube, pod: &str, patch: &Value) -> Result<()> {
    let (code, body) = kube.http(pod, PORT, "PATCH", "/config", Some(patch), DEADLINE).await?;
    answered(code, 200, &body, "PATCH /config", pod)
}

/// Starts PostgreSQL of a member, also while paused and stopped (observed: 0.4-2.9 s).
pub async fn restart(kube: &Kube, pod: &str) -> Result<()> {
    let empty = Value::Object(Default::default());
    let (code, body) = kube.http(pod, PORT, "POST", "/restart", Some(&empty), Duration::from_secs(120)).await?;
    answered(code, 200, &body, "POST /restart", pod)
}

fn answered(code: u16, wanted: u16, body: &str, call: &str, pod: &str) -> Result<()> {
    if code == wanted {
        return Ok(());
    }
    Err(Error::failed(format!("Patroni in pod {pod} answered {code} to {call}: {}", body.trim())))
}
