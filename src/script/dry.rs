//! A host that reads for real and only says what a changing call would do: `script run` of a changing hook.

use super::host::{Answer, Compared, Host, JobFrom, Replicas, Side, Size};
use crate::{
    error::{Error, Result},
    event::Events,
    postgres::session::Row,
    spec::{Workload, units},
};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub struct Dry {
    reader: Option<Arc<dyn Host>>,
    events: Events,
    /// Something would be different by now: what is waited for will not come.
    changed: AtomicBool,
}

impl Dry {
    pub fn new(reader: Arc<dyn Host>, events: Events) -> Dry {
        Dry { reader: Some(reader), events, changed: AtomicBool::new(false) }
    }
    /// Without a cluster: reading functions are errors, which is enough to try a script's own logic.
    pub fn offline(events: Events) -> Dry {
        Dry { reader: None, events, changed: AtomicBool::new(false) }
    }
    fn reader(&self) -> Result<&Arc<dyn Host>> {
        self.reader.as_ref().ok_or_else(|| Error::failed("there is no cluster to ask: the script runs offline"))
    }
    fn would(&self, what: String) {
        self.changed.store(true, Ordering::Relaxed);
        self.events.log(format!("would {what}"));
    }
}

#[async_trait::async_trait]
impl Host for Dry {
    async fn sql(&self, side: Side, query: &str, args: &[String]) -> Result<Vec<Row>> {
        self.reader()?.sql(side, query, args).await
    }
    async fn compare(&self, query: &str) -> Result<Compared> {
        self.reader()?.compare(query).await
    }
    async fn replicas(&self, workload: &Workload) -> Result<Replicas> {
        self.reader()?.replicas(workload).await
    }
    async fn wait(&self, what: &str, condition: &str, timeout: Duration) -> Result<()> {
        if self.changed.load(Ordering::Relaxed) {
            self.would(format!("wait up to {} for {what} to be {condition}", units::duration_text(timeout)));
            return Ok(());
        }
        self.reader()?.wait(what, condition, timeout).await
    }
    async fn s3_size(&self, store: &str) -> Result<Size> {
        self.reader()?.s3_size(store).await
    }
    async fn http(&self, address: &str) -> Result<Answer> {
        self.reader()?.http(address).await
    }
    async fn logs(&self, workload: &Workload, lines: usize) -> Result<Vec<String>> {
        self.reader()?.logs(workload, lines).await
    }
    fn log(&self, text: &str) {
        self.events.log(text);
    }
    fn warn(&self, text: &str) {
        self.events.warn(text);
    }
    async fn execute(&self, side: Side, statement: &str, args: &[String]) -> Result<Vec<Row>> {
        let args = if args.is_empty() { String::new() } else { format!(" with {} arguments", args.len()) };
        self.would(format!("run on the {side}{args}: {statement}"));
        Ok(Vec::new())
    }
    async fn scale(&self, workload: &Workload, replicas: i64) -> Result<()> {
        let now = match &self.reader {
            Some(reader) => format!(" (now {})", reader.replicas(workload).await?.wanted),
            None => String::new(),
        };
        self.would(format!("scale {workload} to {replicas}{now}"));
        Ok(())
    }
    async fn restart(&self, workload: &Workload) -> Result<()> {
        self.would(format!("restart {workload}"));
        Ok(())
    }
    async fn job(&self, from: JobFrom) -> Result<String> {
        self.would(match &from {
            JobFrom::CronJob(name) => format!("start a Job from cronjob/{name}"),
            JobFrom::Manifest(manifest) => format!("create the Job {manifest}"),
        });
        Ok("dry-run".into())
    }
    async fn annotate(&self, object: &str, key: &str, value: Option<&str>) -> Result<()> {
        self.would(match value {
            Some(value) => format!("annotate {object} with {key}={value}"),
            None => format!("take the annotation {key} from {object}"),
        });
        Ok(())
    }
    async fn patch(&self, object: &str, merge: &Value) -> Result<()> {
        self.would(format!("patch {object} with {merge}"));
        Ok(())
    }
    async fn backup(&self, cluster: &str) -> Result<String> {
        self.would(format!("start a backup of {cluster}"));
        Ok("dry-run".into())
    }
}
