//! What a step is: the unit of doing and undoing.

use crate::{
    error::{Error, Kind, Result},
    event::Events,
    journal::Journal,
    kube::Kube,
    sessions::Sessions,
    spec::Migration,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What a step may do to the world. The order is the order of danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// Looks only: a gate, a wait, a verification.
    ReadOnly,
    /// Adds something nobody uses yet.
    Additive,
    /// Takes something away from a user, and can give it back.
    Disruptive,
    /// Cannot be taken back: the point of no return.
    OneWay,
}

/// What a look at the world says about a step's effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    Absent,
    Partial(String),
    Done,
    Unknown(String),
}

#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// One line, imperative: "stop the source PostgreSQL cleanly".
    pub title: String,
    /// What it does and how it is undone, a sentence or two.
    pub details: String,
    /// `kind/name` of every object touched.
    pub objects: Vec<String>,
}

/// What everything that touches the world needs.
#[derive(Clone)]
pub struct World {
    pub migration: Arc<Migration>,
    pub kube: Kube,
    pub events: Events,
    /// Fires when the run must end at the next safe point; waits inside a step end at once.
    pub cancel: CancellationToken,
    /// For reading what earlier steps left (receipts, evidence); the runner alone writes step outcomes.
    pub journal: Journal,
    pub sessions: Sessions,
}

impl World {
    /// Sleeps, or ends at once when the run is told to stop: the pause between two looks.
    pub async fn sleep(&self, time: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.cancel.cancelled() => Err(Error::new(Kind::Interrupted, "interrupted")),
        }
    }
}

/// Where a step stands in the app's outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// Neither begins nor ends it.
    Same,
    /// From its start on, the app may be down: the downtime budget runs.
    Begins,
    /// When it is done, the app is up.
    Ends,
}

/// What undo needs, taken by `prepare` before `apply`; journaled, so never a secret.
pub type Receipt = Value;
/// What a step proved or made, journaled with its outcome; Null when there is nothing to say.
pub type Evidence = Value;

/// One thing that a step sends, as far as it is known before. Never a secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// A whole object, by server-side apply.
    Object(Value),
    /// A merge patch of `kind/name`.
    Patch { object: String, patch: Value },
    /// `at`: which server, which databases.
    Sql { at: String, text: String },
    /// What is no object's and no SQL: `PATCH /config` of Patroni's REST API, a command in a pod.
    Call { at: String, call: String, body: Value },
    /// `kind/name`
    Delete { object: String },
}

/// In the place of what is known only then, or is nobody's to read.
pub const REDACTED: &str = "<redacted>";

#[async_trait::async_trait]
pub trait Step: Send + Sync {
    /// Stable name, the key in the journal: `stop-apps`.
    fn id(&self) -> String;
    fn describe(&self) -> Description;
    fn hazard(&self) -> Hazard;
    fn outage(&self) -> Outage {
        Outage::Same
    }
    /// What exactly is sent: `plan --show all` prints it, the plan's digest covers it.
    fn sends(&self) -> Vec<Sent> {
        Vec::new()
    }
    /// How long `apply` may take before it counts as failed.
    fn deadline(&self) -> Duration;
    async fn observe(&self, world: &World) -> Result<Observed>;
    async fn prepare(&self, _world: &World) -> Result<Receipt> {
        Ok(Value::Null)
    }
    /// Idempotent: may run again after a crash, with the receipt of the first time.
    async fn apply(&self, world: &World, receipt: &Receipt) -> Result<Evidence>;
    /// Idempotent: runs also when `apply` was cut in the middle or never began.
    async fn revert(&self, _world: &World, _receipt: &Receipt) -> Result<()> {
        Ok(())
    }
}
