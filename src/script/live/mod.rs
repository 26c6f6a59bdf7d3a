//! The host that does it: on the Kubernetes API, on both PostgreSQL servers, on the backup store.

mod changes;
pub mod compare;
mod objects;
mod reads;
mod undo;

pub use compare::{Counting, Recorded};
pub use undo::undo;

use super::host::{Answer, Compared, Host, JobFrom, Recorder, Replay, Replicas, Side, Size};
use crate::{
    error::{Error, Result},
    event::Events,
    kube::Kube,
    postgres::{Db, session::Row},
    spec::{Migration, Workload},
};
use serde_json::Value;
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How a session to each end is opened: who the leader is, which login, which way in. Implemented by the caller.
#[async_trait::async_trait]
pub trait Sides: Send + Sync {
    /// In the first of the migration's databases. An error when that end is stopped or cannot be reached.
    async fn open(&self, side: Side) -> Result<Db>;
}

pub struct Live {
    kube: Kube,
    migration: Arc<Migration>,
    sides: Arc<dyn Sides>,
    recorder: Arc<dyn Recorder>,
    events: Events,
    cancel: CancellationToken,
    counting: Counting,
    /// Kept between calls: a port-forward and a login cost more than a query.
    sessions: Mutex<HashMap<Side, Db>>,
}

impl Live {
    /// For one run of one hook: the recorder counts its calls.
    pub fn new(
        kube: Kube,
        migration: Arc<Migration>,
        sides: Arc<dyn Sides>,
        recorder: Arc<dyn Recorder>,
        events: Events,
        cancel: CancellationToken,
    ) -> Live {
        let sessions = Mutex::default();
        Live { kube, migration, sides, recorder, events, cancel, counting: Counting::Now, sessions }
    }
    /// How `compare` gets the source's numbers.
    pub fn counting(mut self, counting: Counting) -> Live {
        self.counting = counting;
        self
    }

    /// One use of a side's session. Taken out while in use: one that failed or was dropped half way is not put back.
    async fn session<T, F>(&self, side: Side, job: impl FnOnce(Db) -> F) -> Result<T>
    where
        F: Future<Output = Result<(T, Db)>>,
    {
        let kept = self.sessions.lock().await.remove(&side);
        let db = match kept {
            Some(db) => db,
            None => self.sides.open(side).await?,
        };
        let (value, db) = job(db).await?;
        self.sessions.lock().await.insert(side, db);
        Ok(value)
    }

    /// Intent and receipt in the journal, then the effect, then its outcome. `effect` gets the receipt of the first
    /// time, for after a crash the world may show what the effect made of it.
    async fn journaled<F>(&self, call: String, receipt: Value, effect: impl FnOnce(Value) -> F) -> Result<Value>
    where
        F: Future<Output = Result<Value>>,
    {
        let receipt = match self.recorder.intent(&call, receipt.clone()).await? {
            Replay::Done(value) => return Ok(value),
            Replay::First => receipt,
            Replay::Again(first) => first,
        };
        let value = effect(receipt).await?;
        self.recorder.done(value.clone()).await?;
        Ok(value)
    }
}

/// A script gets no verifier either; its queries have no business in these columns.
fn no_secrets(query: &str) -> Result<()> {
    let lower = query.to_lowercase();
    match ["pg_authid", "pg_shadow", "rolpassword", "subconninfo", "pg_user_mapping"]
        .into_iter()
        .find(|w| lower.contains(w))
    {
        Some(word) => Err(Error::usage(format!("a script may not read {word}: it holds passwords"))),
        None => Ok(()),
    }
}

#[async_trait::async_trait]
impl Host for Live {
    async fn sql(&self, side: Side, query: &str, args: &[String]) -> Result<Vec<Row>> {
        self.read(side, query, args).await
    }
    async fn compare(&self, query: &str) -> Result<Compared> {
        self.compare_now(query).await
    }
    async fn replicas(&self, workload: &Workload) -> Result<Replicas> {
        self.read_replicas(workload).await
    }
    async fn wait(&self, what: &str, condition: &str, timeout: Duration) -> Result<()> {
        self.wait_for(what, condition, timeout).await
    }
    async fn s3_size(&self, store: &str) -> Result<Size> {
        self.measure(store).await
    }
    async fn http(&self, address: &str) -> Result<Answer> {
        self.ask_http(address).await
    }
    async fn logs(&self, workload: &Workload, lines: usize) -> Result<Vec<String>> {
        self.read_logs(workload, lines).await
    }
    fn log(&self, text: &str) {
        self.events.log(text);
    }
    fn warn(&self, text: &str) {
        self.events.warn(text);
    }
    async fn execute(&self, side: Side, statement: &str, args: &[String]) -> Result<Vec<Row>> {
        self.write(side, statement, args).await
    }
    async fn scale(&self, workload: &Workload, replicas: i64) -> Result<()> {
        self.set_replicas(workload, replicas).await
    }
    async fn restart(&self, workload: &Workload) -> Result<()> {
        self.roll(workload).await
    }
    async fn job(&self, from: JobFrom) -> Result<String> {
        self.start_job(from).await
    }
    async fn annotate(&self, object: &str, key: &str, value: Option<&str>) -> Result<()> {
        self.set_annotation(object, key, value).await
    }
    async fn patch(&self, object: &str, merge: &Value) -> Result<()> {
        self.merge(object, merge).await
    }
    async fn backup(&self, cluster: &str) -> Result<String> {
        self.start_backup(cluster).await
    }
}
