//! A running lab's control socket: one command a line, one JSON answer a line. For `lab status`, `lab audit` and faults
//! from another process; tests call the same functions in-process.
//!
//! Commands: `status` · `audit <namespace>` · `mark <namespace>` (gaps are counted anew) · `kill <namespace> <pod>` (the
//! pod's PostgreSQL server, SIGKILL) · `cut <namespace> <pod>` (its exec and port-forward streams) · `disk <namespace>
//! <pod> <MiB>` (a disk of its own, before it is made) · `fill <namespace> <pod>` (that disk) · `down`.
use super::Lab;
use crate::{
    error::{Context, Error, Result},
    lab::{app::audit::audit_namespace, app::ledger::Ledger, faults},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

pub fn socket(dir: &Path) -> std::path::PathBuf {
    dir.join("control")
}

/// Answers until `down` is asked for.
pub async fn serve(lab: Arc<Lab>) -> Result<()> {
    let path = socket(lab.dir());
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    let down = CancellationToken::new();
    loop {
        tokio::select! {
            () = down.cancelled() => return Ok(()),
            Ok((stream, _)) = listener.accept() => {
                tokio::spawn(converse(lab.clone(), stream, down.clone()));
            }
        }
    }
}

async fn converse(lab: Arc<Lab>, stream: UnixStream, down: CancellationToken) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match obey(&lab, &line).await {
            Ok(answer) => json!({"ok": answer}),
            Err(error) => json!({"error": error.chain()}),
        };
        if write.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
        if line.trim() == "down" {
            return down.cancel();
        }
    }
}

async fn obey(lab: &Lab, line: &str) -> Result<Value> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["status"] => Ok(status(lab)),
        ["down"] => Ok(json!("stopping")),
        ["audit", namespace] => {
            let audit = audit_namespace(&lab.store, &lab.node, namespace).await.map_err(Error::failed)?;
            Ok(audit.to_json())
        }
        ["mark", namespace] => {
            let ledgers = Ledger::all(lab.dir());
            ledgers.iter().filter(|(of, _)| of == namespace).for_each(|(_, ledger)| ledger.mark());
            Ok(Value::Null)
        }
        ["kill", namespace, pod] => Ok(faults::kill_server(&lab.node, namespace, pod)?.into()),
        ["disk", namespace, pod, size] => {
            let size = size.parse().map_err(|_| Error::usage(format!("{size} is not a number of MiB")))?;
            faults::disk::small(&lab.node, namespace, pod, size)?;
            Ok(Value::Null)
        }
        ["fill", namespace, pod] => {
            faults::disk::fill(&lab.node, namespace, pod)?;
            Ok(Value::Null)
        }
        ["cut", namespace, pod] => {
            lab.node.cut(namespace, pod);
            Ok(Value::Null)
        }
        _ => Err(Error::usage(format!("unknown command: {line}"))),
    }
}

fn status(lab: &Lab) -> Value {
    let pods: Vec<Value> = lab.store.list("pods", None).iter().map(|pod| pod_line(pod)).collect();
    let apps: serde_json::Map<String, Value> =
        Ledger::all(lab.dir()).into_iter().map(|(namespace, ledger)| (namespace, ledger.report().to_json())).collect();
    json!({"directory": lab.dir(), "kubeconfig": lab.kubeconfig_path(), "pods": pods, "apps": apps})
}

fn pod_line(pod: &Value) -> Value {
    json!({
        "namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"], "ip": pod["status"]["podIP"],
        "phase": pod["status"]["phase"], "ready": crate::lab::node::is_ready(pod),
    })
}

/// Asks a running lab.
pub async fn ask(dir: &Path, command: &str) -> Result<Value> {
    let what = || format!("the lab in {} does not answer", dir.display());
    let stream = UnixStream::connect(socket(dir)).await.with_context(what)?;
    let (read, mut write) = stream.into_split();
    write.write_all(format!("{command}\n").as_bytes()).await.with_context(what)?;
    let line = BufReader::new(read).lines().next_line().await.with_context(what)?.unwrap_or_default();
    let answer: Value = serde_json::from_str(&line).with_context(what)?;
    match answer["error"].as_str() {
        Some(error) => Err(Error::failed(error)),
        None => Ok(answer["ok"].clone()),
    }
}
