//! Where the outage went: the time of each step between the first app stopped and the last one seen ready.

use crate::journal::{Entry, What};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// None: the time between steps, which is this tool's own.
    pub step: Option<String>,
    pub title: String,
    pub seconds: f64,
}

/// Parts in the order in which they ran; they sum up to the outage. Empty when no outage has ended.
pub fn split(entries: &[Entry]) -> Vec<Part> {
    let Some(end) = entries.iter().rposition(|e| matches!(e.what, What::OutageEnded { .. })) else { return Vec::new() };
    let Some(begin) = entries[..end].iter().rposition(|e| matches!(e.what, What::OutageBegan)) else {
        return Vec::new();
    };
    let total = match entries[end].what {
        What::OutageEnded { millis } => millis,
        _ => 0,
    };
    let mut parts: Vec<Part> = entries[begin..end]
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Done { step, millis, .. } => Some((step.clone(), *millis)),
            _ => None,
        })
        .map(|(step, millis)| Part { title: step.clone(), step: Some(step), seconds: millis as f64 / 1000.0 })
        .collect();
    let inside: f64 = parts.iter().map(|part| part.seconds).sum();
    let rest = ((total as f64 / 1000.0 - inside) * 1000.0).round() / 1000.0;
    if rest > 0.0 {
        parts.push(Part { step: None, title: "between the steps".into(), seconds: rest });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn parts_sum_up_to_the_outage_of_the_last_try() {
        let done = |step: &str, millis| What::Done { step: step.into(), evidence: Value::Null, millis };
        let whats = vec![
            What::OutageBegan,
            done("earlier", 9000),
            What::OutageEnded { millis: 9000 },
            done("outside", 100),
            What::OutageBegan,
            done("stop-apps", 1000),
            done("promote", 500),
            What::OutageEnded { millis: 1750 },
        ];
        let entry = |(n, what)| Entry { seq: n as u64, at: jiff::Timestamp::UNIX_EPOCH, by: "me".into(), what };
        let entries: Vec<Entry> = whats.into_iter().enumerate().map(entry).collect();
        let parts = split(&entries);
        let ids: Vec<_> = parts.iter().map(|p| p.step.as_deref()).collect();
        assert_eq!(ids, [Some("stop-apps"), Some("promote"), None]);
        assert!((parts.iter().map(|p| p.seconds).sum::<f64>() - 1.75).abs() < 1e-9);
        assert!(split(&entries[..2]).is_empty());
    }
}
