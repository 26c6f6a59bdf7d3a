//! What a script reads.

use super::{Answer, Live, Replicas, Row, Side, Size, no_secrets, objects};
use crate::{
    error::{Context, Error, Result},
    kube::{Probe, kind},
    s3,
    spec::{Workload, WorkloadKind},
};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use std::time::Duration;

/// Read-only even if the query ends the transaction; short, for a lock taken here could delay the app.
const BEGIN: &str = "set default_transaction_read_only = on; begin transaction read only; \
                     set local statement_timeout = '30s'; set local lock_timeout = '2s'";
const END: &str = "rollback; reset default_transaction_read_only";
/// Of an HTTP answer; a health page is smaller.
const BODY_MOST: usize = 1 << 20;

impl Live {
    pub(super) async fn read(&self, side: Side, query: &str, args: &[String]) -> Result<Vec<Row>> {
        no_secrets(query)?;
        // A session may wrap it in a query of its own.
        let query = query.trim().trim_end_matches(';');
        self.session(side, |mut db| async move {
            db.run(BEGIN).await?;
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let rows = db.rows(query, &args).await.with_context(|| format!("on the {side}"))?;
            db.run(END).await?;
            Ok((rows, db))
        })
        .await
    }

    async fn workload(&self, workload: &Workload) -> Result<Value> {
        let found = self.kube.get(objects::kind_of(workload), &workload.name).await?;
        found.ok_or_else(|| Error::failed(format!("{workload} is not in namespace {}", self.kube.namespace())))
    }

    pub(super) async fn read_replicas(&self, workload: &Workload) -> Result<Replicas> {
        if workload.kind == WorkloadKind::CronJob {
            return Err(Error::usage(format!("{workload} has no replicas")));
        }
        let object = self.workload(workload).await?;
        let wanted = objects::number(&object, "/spec/replicas").unwrap_or(1);
        Ok(Replicas { wanted, ready: objects::number(&object, "/status/readyReplicas").unwrap_or(0) })
    }

    pub(super) async fn wait_for(&self, what: &str, condition: &str, timeout: Duration) -> Result<()> {
        let (kind, name) = objects::object(what)?;
        if condition == "stopped" {
            return self.wait_stopped(what, timeout).await;
        }
        let label = format!("{what} to be {condition}");
        let probe = |object: Option<&Value>| objects::probe(kind, condition, object);
        self.kube.wait(kind, name, &label, timeout, &self.cancel, &self.events, probe).await.map(|_| ())
    }

    /// By its pods: a Deployment's status.replicas leaves out those that are still terminating, and still writing.
    async fn wait_stopped(&self, what: &str, timeout: Duration) -> Result<()> {
        let workload: Workload = what.parse().map_err(Error::usage)?;
        let labels = objects::selector(&self.workload(&workload).await?)?;
        let probe = |pods: &[Value]| {
            let names: Vec<&str> = pods.iter().map(|p| objects::text(p, "/metadata/name")).collect();
            if names.is_empty() { Probe::Done } else { Probe::Pending(format!("still there: {}", names.join(", "))) }
        };
        let label = format!("{what} to be stopped");
        let wait = self.kube.wait_all(&kind::POD, &labels, &label, timeout, &self.cancel, &self.events, probe);
        wait.await.map(|_| ())
    }

    pub(super) async fn read_logs(&self, workload: &Workload, lines: usize) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for pod in self.pods(workload).await? {
            let name = objects::text(&pod, "/metadata/name");
            let chosen = objects::text(&pod, "/metadata/annotations/kubectl.kubernetes.io~1default-container");
            let first = objects::text(&pod, "/spec/containers/0/name");
            let container = if chosen.is_empty() { first } else { chosen };
            let text = self.kube.logs(name, container, None).await?;
            let from = text.lines().count().saturating_sub(lines);
            all.extend(text.lines().skip(from).map(|line| format!("{name} {line}")));
        }
        Ok(all)
    }

    /// A CronJob's pods are its Jobs'.
    async fn pods(&self, workload: &Workload) -> Result<Vec<Value>> {
        let object = self.workload(workload).await?;
        if workload.kind != WorkloadKind::CronJob {
            return self.kube.list(&kind::POD, &objects::selector(&object)?).await;
        }
        let mut pods = Vec::new();
        for job in self.kube.list(&kind::JOB, "").await? {
            let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            if owners.is_some_and(|owners| owners.iter().any(|o| o["uid"] == object["metadata"]["uid"])) {
                let label = format!("job-name={}", objects::text(&job, "/metadata/name"));
                pods.extend(self.kube.list(&kind::POD, &label).await?);
            }
        }
        Ok(pods)
    }

    pub(super) async fn ask_http(&self, address: &str) -> Result<Answer> {
        let path = proxy_path(self.kube.namespace(), address).map_err(Error::usage)?;
        let request =
            http::Request::get(path).body(::kube::client::Body::empty()).context("cannot build the request")?;
        let answer = tokio::time::timeout(self.kube.deadline, async {
            let response = self.kube.client.send(request).await.context("the API server did not pass it on")?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), BODY_MOST).collect().await;
            let body = body.map_err(|e| Error::failed(format!("its answer could not be read: {e}")))?;
            Ok::<_, Error>(Answer { status, body: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
        });
        let late = |_| Error::failed(format!("no answer within {} s", self.kube.deadline.as_secs()));
        answer.await.map_err(late).and_then(|a| a).with_context(|| format!("GET {address}"))
    }

    pub(super) async fn measure(&self, store: &str) -> Result<Size> {
        let store = match store.strip_prefix("s3://") {
            None => s3::Store::of_object_store(&self.kube, store).await?,
            Some(rest) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                s3::Store::of_bucket(&self.kube, bucket).await?.at(prefix)
            }
        };
        let size = store.size().await?;
        Ok(Size { objects: size.objects, bytes: size.bytes })
    }
}

/// `service/web:3000/health` -> the API server's proxy path. A scheme may stand before the name: `service/https:web:443/`.
fn proxy_path(namespace: &str, address: &str) -> Result<String, String> {
    let wrong = || format!("{address:?} is not service/NAME:PORT/path or pod/NAME:PORT/path");
    let (kind, rest) = address.split_once('/').ok_or_else(wrong)?;
    let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plural = match kind {
        "service" => "services",
        "pod" => "pods",
        _ => return Err(wrong()),
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    if name.is_empty() || !name.chars().all(sound) || !name.contains(':') {
        return Err(wrong());
    }
    Ok(format!("/api/v1/namespaces/{namespace}/{plural}/{name}/proxy/{path}"))
}

#[cfg(test)]
mod tests {
    use super::proxy_path;

    #[test]
    fn addresses_become_proxy_paths() {
        let path = proxy_path("mastodon", "service/mastodon-web:3000/health?full=1");
        assert_eq!(path.as_deref(), Ok("/api/v1/namespaces/mastodon/services/mastodon-web:3000/proxy/health?full=1"));
        assert_eq!(
            proxy_path("m", "pod/https:a-1:8000").as_deref(),
            Ok("/api/v1/namespaces/m/pods/https:a-1:8000/proxy/")
        );
        for wrong in ["web:3000/health", "service/web/health", "secret/a:1/", "service/../x:1/y"] {
            assert!(proxy_path("m", wrong).is_err(), "{wrong}");
        }
    }
}
