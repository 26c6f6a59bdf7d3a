//! Who led the source before: Patroni's record of its timelines (`GET /history`).

use super::zalando::PATRONI;
use crate::{
    error::{Context, Result},
    kube::Kube,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(10);

/// A promotion: where a timeline ended, and who led from there on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The one that ended.
    pub timeline: u64,
    /// As PostgreSQL wrote it into the history file: `no recovery target specified`.
    pub reason: String,
    /// RFC 3339; None: Patroni came to know of it later.
    pub at: Option<String>,
    pub leader: Option<String>,
}

impl Turn {
    /// Since then; None where Patroni has not said when.
    pub fn hours(&self) -> Option<f64> {
        let at: jiff::Timestamp = self.at.as_deref()?.parse().ok()?;
        Some(jiff::Timestamp::now().duration_since(at).as_secs_f64() / 3600.0)
    }
}

/// Oldest first.
pub async fn history(kube: &Kube, pod: &str) -> Result<Vec<Turn>> {
    let what = || format!("asking Patroni in pod {pod} for /history");
    let (_, body) = kube.http(pod, PATRONI, "GET", "/history", None, LOOK).await.with_context(what)?;
    let lines: Vec<Vec<Value>> = serde_json::from_str(&body).with_context(what)?;
    Ok(lines.iter().map(|line| read(line)).collect())
}

/// `[timeline, lsn, reason, time, leader]`; the last two are younger than the rest.
fn read(line: &[Value]) -> Turn {
    let text = |at: usize| line.get(at).and_then(Value::as_str).map(str::to_owned);
    Turn {
        timeline: line.first().and_then(Value::as_u64).unwrap_or(0),
        reason: text(2).unwrap_or_default(),
        at: text(3),
        leader: text(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_with_and_without_a_time() {
        let old = read(&[json!(1), json!(25_000_000), json!("no recovery target specified")]);
        assert_eq!((old.timeline, old.hours(), old.leader), (1, None, None));
        let now = jiff::Timestamp::now().to_string();
        let new = read(&[json!(2), json!(1), json!("x"), json!(now.replace('Z', "+00:00")), json!("acid-0")]);
        assert!(new.hours().is_some_and(|hours| hours < 0.1), "{new:?}");
        assert_eq!(new.leader.as_deref(), Some("acid-0"));
    }
}
