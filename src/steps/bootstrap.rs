//! The job that makes the target's data directory: its pods, and why one of them failed, without the secrets in its log.

use crate::{
    error::{Error, Result},
    facts::redact::redact,
    kube::kind::POD,
    step::World,
};
use serde_json::Value;

/// Lines of the reason that are shown.
const SHOWN: usize = 12;
/// The instance manager's last word, of an import and of a base backup.
const ENDS: [&str; 2] = ["Error while bootstrapping data directory", "Unable to bootstrap cluster"];

/// `role`: CNPG's name of the method, of the job's container too: `import`, `pgbasebackup`.
pub async fn pods(world: &World, cluster: &str, role: &str) -> Result<Vec<Value>> {
    world.kube.list(&POD, &format!("cnpg.io/cluster={cluster},cnpg.io/jobRole={role}")).await
}

pub fn has_failed(pod: &Value) -> bool {
    pod["status"]["phase"] == "Failed"
}

/// What the job's pod said of its end.
pub async fn failure(world: &World, cluster: &str, role: &str, pod: &Value) -> Error {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let error = Error::failed(format!("the {role} of cluster {cluster} failed in pod {name}"));
    match world.kube.logs(name, role, None).await {
        Ok(log) => {
            let lines = reason(&log);
            error.cause(if lines.is_empty() { "its log gives no reason".to_owned() } else { lines.join("\n") })
        }
        Err(unread) => error.cause(unread),
    }
}

/// What went wrong, from the JSON lines of the job's log: the tools' errors with the statement they are about, what the new
/// server died of, then the last error of the manager. Redacted: a failed CREATE USER MAPPING prints a password in clear.
fn reason(log: &str) -> Vec<String> {
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
        let tool = matches!(logger.as_str(), "pg_restore" | "pg_dump" | "initdb" | "pg_basebackup");
        let telling =
            ["error:", "Command was:", "FATAL:", "ERROR:", "DETAIL:", "HINT:"].iter().any(|w| text.contains(w));
        if tool && telling {
            lines.push(text);
        } else if ENDS.contains(&text.as_str()) && !error.is_empty() {
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
        let log = r#"{"level":"info","logger":"pg_basebackup","msg":"pg_basebackup: error: could not write to file: No space left on device"}
{"level":"error","msg":"Unable to bootstrap cluster","error":"while cloning pgdata: error in pg_basebackup, exit status 1"}"#;
        let lines = reason(log);
        assert!(lines[0].ends_with("No space left on device") && lines[1].ends_with("exit status 1"), "{lines:?}");
    }
}
