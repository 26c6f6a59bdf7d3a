//! What a script can ask of the world. Two hosts answer: [`super::live`] and [`super::dry`].

use crate::{error::Result, postgres::session::Row, spec::Workload};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{str::FromStr, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Source,
    Target,
}
impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Target => "target",
        }
    }
}
impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for Side {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Side::Source, Side::Target]
            .into_iter()
            .find(|side| side.name() == text)
            .ok_or_else(|| format!("a side is \"source\" or \"target\", not {text:?}"))
    }
}

/// What could not be looked at is `Inconclusive`, never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    Pass,
    Inconclusive,
    Fail,
}
impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Fail => "FAIL",
        }
    }
}

/// One query on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    pub verdict: Verdict,
    pub source: Vec<Row>,
    pub target: Vec<Row>,
    /// One line: the numbers, or why there is no answer.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Replicas {
    pub wanted: i64,
    pub ready: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Size {
    pub objects: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Where a Job comes from: a CronJob's template, or a manifest.
#[derive(Debug, Clone)]
pub enum JobFrom {
    CronJob(String),
    Manifest(Value),
}

#[async_trait::async_trait]
pub trait Host: Send + Sync {
    // Reading.
    /// In a read-only transaction with a statement timeout; `args` bind to $1.. as text.
    async fn sql(&self, side: Side, query: &str, args: &[String]) -> Result<Vec<Row>>;
    async fn compare(&self, query: &str) -> Result<Compared>;
    async fn replicas(&self, workload: &Workload) -> Result<Replicas>;
    /// `what` is `kind/name`; conditions: `ready gone stopped complete`, or `Type=Status` of a condition.
    async fn wait(&self, what: &str, condition: &str, timeout: Duration) -> Result<()>;
    /// An ObjectStore's name, or `s3://bucket/prefix` in a store of this namespace.
    async fn s3_size(&self, store: &str) -> Result<Size>;
    /// `service/NAME:PORT/path` or `pod/NAME:PORT/path`, through the API server.
    async fn http(&self, address: &str) -> Result<Answer>;
    /// The last lines of every pod of it, each with its pod's name in front.
    async fn logs(&self, workload: &Workload, lines: usize) -> Result<Vec<String>>;
    fn log(&self, text: &str);
    fn warn(&self, text: &str);

    // Changing: journaled by the host, intent and receipt before the effect.
    /// Returns the rows of a RETURNING. Never undone.
    async fn execute(&self, side: Side, statement: &str, args: &[String]) -> Result<Vec<Row>>;
    async fn scale(&self, workload: &Workload, replicas: i64) -> Result<()>;
    async fn restart(&self, workload: &Workload) -> Result<()>;
    /// Starts it and returns its name; `wait("job/NAME", "complete", ..)` waits.
    async fn job(&self, from: JobFrom) -> Result<String>;
    /// None takes the annotation away.
    async fn annotate(&self, object: &str, key: &str, value: Option<&str>) -> Result<()>;
    async fn patch(&self, object: &str, merge: &Value) -> Result<()>;
    /// Starts a CNPG Backup and returns its name.
    async fn backup(&self, cluster: &str) -> Result<String>;
}

/// What the journal says about the next changing call of a hook.
#[derive(Debug, Clone, PartialEq)]
pub enum Replay {
    /// Never begun: the intent is written now.
    First,
    /// Begun by an earlier run that did not say it ended: do it again, with the receipt of the first time.
    Again(Value),
    /// Done by an earlier run: this is what it returned.
    Done(Value),
}

/// The journal as a host sees it, implemented by the runner; one for each run of a hook.
///
/// Calls are told apart by their order. A `call` text other than the one journaled at that place means that
/// the script was edited between the runs: an error, for nothing can be said about what was done.
#[async_trait::async_trait]
pub trait Recorder: Send + Sync {
    /// Written, and seen written, before the effect. `call`: `scale("deployment/web", 0)`.
    async fn intent(&self, call: &str, receipt: Value) -> Result<Replay>;
    /// The effect of the last intent is there. `value`: what the call returned.
    async fn done(&self, value: Value) -> Result<()>;
}
