//! What the engine tells whoever shows it: plain values, no rendering.

use serde::Serialize;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run of steps begins: a phase, a rollback or an automatic restore.
    Began {
        title: String,
        steps: usize,
    },
    StepStarted {
        number: usize,
        id: String,
        title: String,
    },
    /// What the current step sees right now: a rate, a lag, the last state waited on.
    Detail {
        text: String,
    },
    StepDone {
        id: String,
        title: String,
        #[serde(serialize_with = "seconds")]
        took: Duration,
        note: Option<String>,
    },
    StepSkipped {
        id: String,
        title: String,
        why: String,
    },
    StepFailed {
        id: String,
        title: String,
        error: String,
    },
    StepReverted {
        id: String,
        title: String,
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    /// The apps are down, `so_far` in an earlier run; the budget is what may pass before the automatic restore.
    OutageBegan {
        #[serde(serialize_with = "seconds")]
        so_far: Duration,
        #[serde(serialize_with = "seconds")]
        budget: Duration,
    },
    OutageEnded {
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    Log {
        text: String,
    },
    Warning {
        text: String,
    },
}

fn seconds<S: serde::Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64((d.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Where events go. Sending never fails and never waits: a closed receiver means nobody looks.
#[derive(Clone)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    pub fn new(sender: UnboundedSender<Event>) -> Self {
        Events(Some(sender))
    }
    pub fn silent() -> Self {
        Events(None)
    }
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            sender.send(event).ok();
        }
    }
    pub fn detail(&self, text: impl Into<String>) {
        self.send(Event::Detail { text: text.into() });
    }
    pub fn warn(&self, text: impl Into<String>) {
        self.send(Event::Warning { text: text.into() });
    }
    pub fn log(&self, text: impl Into<String>) {
        self.send(Event::Log { text: text.into() });
    }
}
