//! Watching an import: its first failed pod ends it, with the reason from that pod's log and without the secrets in it.

use crate::{
    error::{Error, Result},
    facts::{cnpg, redact::redact},
    kube::kind::{CLUSTER, POD},
    step::World,
};
use serde_json::Value;
use std::time::Duration;

/// Lines of the reason that are shown.
const SHOWN: usize = 12;

/// Returns when the Cluster is healthy. Neither its phase nor its conditions tell of a failing import (they say "Setting
/// up primary" and `Initialized` meanwhile), and a retry costs as much as the first try: so the job's pods are looked at.
pub async fn until_healthy(world: &World, cluster: &str) -> Result<()> {
    let labels = format!("cnpg.io/cluster={cluster},cnpg.io/jobRole=import");
    let mut told = String::new();
    loop {
        let pods = world.kube.list(&POD, &labels).await?;
        if let Some(failed) = pods.iter().find(|p| p["status"]["phase"] == "Failed") {
            return Err(failure(world, cluster, failed).await);
        }
        let Some(object) = world.kube.get(&CLUSTER, cluster).await? else {
            return Err(Error::failed(format!("cluster {cluster} was deleted while it was importing")));
        };
        let seen = cnpg::read(&object);
        if seen.healthy() && seen.pod.is_some() {
            return Ok(());
        }
        if seen.phase.contains("unrecoverable") || seen.phase.contains("Invalid cluster definition") {
            return Err(Error::failed(format!("cluster {cluster}: {}: {}", seen.phase, seen.phase_reason)));
        }
        let now = progress(world, &pods).await.unwrap_or_else(|| format!("cluster {cluster}: {}", seen.phase));
        if now != told {
            world.events.detail(now.clone());
            told = now;
        }
        world.sleep(Duration::from_millis(500)).await?;
    }
}

/// The last thing a running import says it does.
async fn progress(world: &World, pods: &[Value]) -> Option<String> {
    let pod = pods.iter().find(|p| p["status"]["phase"] == "Running")?;
    let log = world.kube.logs(pod["metadata"]["name"].as_str()?, "import", Some(30)).await.ok()?;
    log.lines().rev().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let of = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        match line["msg"].as_str()? {
            "exporting database" => Some(format!("dumping {}", of("databaseName"))),
            "executing database importing section" => {
                Some(format!("restoring {} of {}", of("section"), of("databaseName")))
            }
            msg => msg.strip_prefix("running analyze for database: ").map(|d| format!("analyzing {d}")),
        }
    })
}

async fn failure(world: &World, cluster: &str, pod: &Value) -> Error {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let error = Error::failed(format!("the import of cluster {cluster} failed in pod {name}"));
    match world.kube.logs(name, "import", None).await {
        Ok(log) => {
            let lines = reason(&log);
            error.cause(if lines.is_empty() { "its log gives no reason".to_owned() } else { lines.join("\n") })
        }
        Err(unread) => error.cause(unread),
    }
}

/// What went wrong, from the JSON lines of an import's log: pg_restore's and pg_dump's errors with the statement they are
/// about, what the new server died of, then the last error of the manager. Redacted: a failed CREATE USER MAPPING prints a password in clear.
pub fn reason(log: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in log.lines() {
        let (logger, text, error) = match serde_json::from_str::<Value>(line) {
            Ok(v) => {
                let of = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
                let panic =
                    (v["record"]["error_severity"] == "PANIC").then(|| v["record"]["message"].as_str()).flatten();
                lines.extend(panic.map(|message| format!("PANIC:  {message}")));
                (of("logger"), of("msg"), of("error"))
            }
            Err(_) => (String::new(), line.to_owned(), String::new()),
        };
        let tool = matches!(logger.as_str(), "pg_restore" | "pg_dump" | "initdb");
        let telling =
            ["error:", "Command was:", "FATAL:", "ERROR:", "DETAIL:", "HINT:"].iter().any(|w| text.contains(w));
        if tool && telling {
            lines.push(text);
        } else if text == "Error while bootstrapping data directory" && !error.is_empty() {
            lines.push(error);
        }
    }
    lines.dedup();
    let skipped = lines.len().saturating_sub(SHOWN);
    // The end names the section that failed; the beginning is the cause of what follows.
    if skipped > 0 {
        let last = lines.pop();
        lines.truncate(SHOWN - 1);
        lines.push(format!("... {skipped} lines more"));
        lines.extend(last);
    }
    lines.iter().map(|l| redact(l)).collect()
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn reasons_without_secrets() {
        let log = r#"{"level":"info","msg":"executing import role query","query":"CREATE ROLE a PASSWORD 'SCRAM-SHA-256$4096:x'"}
{"level":"info","logger":"pg_restore","msg":"pg_restore: error: could not execute query: ERROR:  role \"app_rw\" does not exist"}
{"level":"info","logger":"pg_restore","msg":"Command was: CREATE USER MAPPING FOR app_rw SERVER other OPTIONS (password 'um-secret')"}
{"level":"info","logger":"postgres","msg":"record","record":{"error_severity":"PANIC","message":"could not write to file: No space left on device"}}
{"level":"error","msg":"Error while bootstrapping data directory","error":"while executing logical import: exit status 1"}"#;
        let lines = reason(log);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].contains("app_rw") && lines[3].ends_with("exit status 1"));
        assert_eq!(lines[2], "PANIC:  could not write to file: No space left on device");
        assert!(!lines.concat().contains("um-secret") && !lines.concat().contains("SCRAM"));
    }
}
