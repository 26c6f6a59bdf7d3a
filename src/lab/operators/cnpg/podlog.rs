//! A pod's log: JSON lines as the instance manager writes them, PostgreSQL's own lines wrapped into them.
use serde_json::{Map, Value, json};
use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// What PostgreSQL is told to begin its lines with, so that they can be taken apart: time, pid, user, database, SQLSTATE.
pub const LINE_PREFIX: &str = "%m|%p|%u|%d|%e| ";

/// Appends; cheap to clone.
#[derive(Clone)]
pub struct PodLog {
    path: PathBuf,
    pod: String,
}

impl PodLog {
    pub fn new(path: PathBuf, pod: &str) -> std::io::Result<PodLog> {
        OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(PodLog { path, pod: pod.into() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn info(&self, message: &str) {
        self.write("info", "", message, Value::Null);
    }

    /// `more` is an object whose fields join the line.
    pub fn info_with(&self, message: &str, more: Value) {
        self.write("info", "", message, more);
    }

    pub fn error(&self, message: &str, error: &str) {
        self.write("error", "", message, json!({ "error": error }));
    }

    /// A line of a tool that runs in the pod.
    pub fn tool(&self, logger: &str, message: &str) {
        self.write("info", logger, message, Value::Null);
    }

    /// A record of the server.
    pub fn record(&self, record: Value) {
        self.write("info", "postgres", "record", json!({ "record": record }));
    }

    /// A record the server would have written itself.
    pub fn server(&self, severity: &str, state: &str, message: &str) {
        let at = jiff::Timestamp::now().to_string();
        let record = json!({"log_time": at, "process_id": "1", "error_severity": severity, "sql_state_code": state,
            "message": message, "backend_type": "postmaster"});
        self.record(record);
    }

    fn write(&self, level: &str, logger: &str, message: &str, more: Value) {
        let mut line = Map::new();
        line.insert("level".into(), level.into());
        line.insert("ts".into(), jiff::Timestamp::now().to_string().into());
        if !logger.is_empty() {
            line.insert("logger".into(), logger.into());
        }
        line.insert("msg".into(), message.into());
        line.insert("logging_pod".into(), self.pod.clone().into());
        if let Value::Object(more) = more {
            line.extend(more);
        }
        let text = format!("{}\n", Value::Object(line));
        let file = OpenOptions::new().append(true).open(&self.path);
        if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::warn!("cannot write the log of pod {}: {error}", self.pod);
        }
    }
}

/// Wraps what the server writes to `from` until dropped with its task. Starts at the end of what is there at the call.
pub fn follow(from: PathBuf, log: PodLog) -> impl Future<Output = ()> + Send {
    let at = std::fs::metadata(&from).map(|meta| meta.len()).unwrap_or(0);
    wrap_lines(from, log, at)
}

async fn wrap_lines(from: PathBuf, log: PodLog, mut at: u64) {
    let mut reader = Records::default();
    let mut rest = String::new();
    loop {
        let fresh = read_from(&from, &mut at);
        if fresh.is_empty() {
            reader.end(&log);
        }
        rest.push_str(&fresh);
        while let Some(end) = rest.find('\n') {
            let line: String = rest.drain(..=end).collect();
            reader.line(line.trim_end_matches('\n'), &log);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn read_from(path: &Path, at: &mut u64) -> String {
    let mut read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        // Cut short or made anew: begin again.
        if file.metadata()?.len() < *at {
            *at = 0;
        }
        file.seek(SeekFrom::Start(*at))?;
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    *at += bytes.len() as u64;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts lines together to records: DETAIL, HINT, STATEMENT and continuation lines belong to the one before.
#[derive(Default)]
struct Records {
    open: Option<Map<String, Value>>,
    last: String,
}

impl Records {
    fn line(&mut self, line: &str, log: &PodLog) {
        if let (Some(open), Some(more)) = (&mut self.open, line.strip_prefix('\t')) {
            let text = open[&self.last].as_str().unwrap_or_default().to_owned();
            open.insert(self.last.clone(), format!("{text}\n{more}").into());
            return;
        }
        let Some((head, severity, message)) = parse(line) else {
            self.end(log);
            // Before the server has read its log_line_prefix.
            log.tool("postgres", line);
            return;
        };
        let field = match severity {
            "DETAIL" => "detail",
            "HINT" => "hint",
            "CONTEXT" => "context",
            "STATEMENT" => "query",
            _ => "message",
        };
        self.last = field.to_owned();
        if field != "message"
            && let Some(open) = &mut self.open
        {
            open.insert(field.into(), message.into());
            return;
        }
        self.end(log);
        let names = ["log_time", "process_id", "user_name", "database_name", "sql_state_code"];
        let mut record: Map<String, Value> =
            names.iter().zip(head).filter(|(_, v)| !v.is_empty()).map(|(k, v)| ((*k).into(), v.into())).collect();
        record.insert("error_severity".into(), severity.into());
        record.insert(field.into(), message.into());
        self.open = Some(record);
    }

    fn end(&mut self, log: &PodLog) {
        if let Some(record) = self.open.take() {
            log.record(Value::Object(record));
        }
    }
}

/// The five fields of [`LINE_PREFIX`], the severity and the text.
fn parse(line: &str) -> Option<(Vec<&str>, &str, &str)> {
    let mut parts = line.splitn(6, '|');
    let head: Vec<&str> = parts.by_ref().take(5).collect();
    let (severity, message) = parts.next()?.trim_start().split_once(':')?;
    let known = severity.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    known.then(|| (head, severity, message.trim_start()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_server_line_is_taken_apart() {
        let line = "2026-11-21 05:00:00.000 UTC|42|app|shop|28P01| FATAL:  password authentication failed";
        let (head, severity, message) = super::parse(line).unwrap();
        assert_eq!((head[2], head[4], severity, message), ("app", "28P01", "FATAL", "password authentication failed"));
        assert!(super::parse("pg_ctl: could not start server").is_none());
    }
}
