//! Waiting for one object: watch, deadline, cancel, and the last state seen on timeout.
use super::{Kind, Kube};
use crate::{error::Result, event::Events};
use serde_json::Value;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
/// What a look at the object says.
pub enum Probe {
    Done,
    /** not yet: the state seen */
    Pending(String),
    /** never: why */
    Failed(String),
}
impl Kube {
    /// Watches `name` until `probe` says Done (returns the object, None if it is gone) or Failed.
    pub async fn wait(
        &self,
        _kind: &Kind,
        _name: &str,
        _what: &str,
        _deadline: Duration,
        _cancel: &CancellationToken,
        _events: &Events,
        _probe: impl FnMut(Option<&Value>) -> Probe + Send,
    ) -> Result<Option<Value>> {
        todo!()
    }
    /// The same for every object a label selector finds: the probe sees them all at each change.
    pub async fn wait_all(
        &self,
        _kind: &Kind,
        _labels: &str,
        _what: &str,
        _deadline: Duration,
        _cancel: &CancellationToken,
        _events: &Events,
        _probe: impl FnMut(&[Value]) -> Probe + Send,
    ) -> Result<Vec<Value>> {
        todo!()
    }
}
