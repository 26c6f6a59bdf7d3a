//! What a run did, gathered from its events: the JSON of the running verbs and their last words.

use super::Table;
use crate::event::Event;
use serde::Serialize;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Began, and no word of its end: the run was cut.
    Running,
    Done,
    Skipped,
    Failed,
    Reverted,
}

/// One step as the run reported it.
#[derive(Debug, Clone, Serialize)]
pub struct StepLine {
    pub number: usize,
    pub id: String,
    pub title: String,
    pub outcome: Outcome,
    /// Seconds it took; absent when it was skipped or did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// A note, the reason it was skipped, or the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The fold of a run's events.
#[derive(Debug, Default)]
pub struct Collected {
    pub steps: Vec<StepLine>,
    pub warnings: Vec<String>,
    /// How many steps the run (or the restore that followed it) has.
    pub of: usize,
    pub outage: Option<Duration>,
    pub budget: Option<Duration>,
    pub(super) down_since: Option<Instant>,
}

impl Collected {
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Began { steps, .. } => self.of = *steps,
            Event::StepStarted { number, id, title } => self.push(*number, id, title, Outcome::Running),
            Event::StepDone { id, title, took, note } => self.end(id, title, Outcome::Done, Some(*took), note.clone()),
            Event::StepReverted { id, title, took } => self.end(id, title, Outcome::Reverted, Some(*took), None),
            Event::StepFailed { id, title, error } => self.end(id, title, Outcome::Failed, None, Some(error.clone())),
            Event::StepSkipped { id, title, why } => {
                self.push(self.steps.len() + 1, id, title, Outcome::Skipped);
                self.end(id, title, Outcome::Skipped, None, Some(why.clone()));
            }
            Event::OutageBegan { so_far, budget } => {
                self.budget = Some(*budget);
                self.down_since = Instant::now().checked_sub(*so_far);
            }
            Event::OutageEnded { took } => {
                self.outage = Some(*took);
                self.down_since = None;
            }
            Event::Warning { text } => self.warnings.push(text.clone()),
            Event::Detail { .. } | Event::Log { .. } => {}
        }
    }

    fn push(&mut self, number: usize, id: &str, title: &str, outcome: Outcome) {
        let (id, title) = (id.to_string(), title.to_string());
        self.steps.push(StepLine { number, id, title, outcome, seconds: None, note: None });
    }

    /// Failures before a step's start (a gate that could not be looked at) come without one.
    fn end(&mut self, id: &str, title: &str, outcome: Outcome, took: Option<Duration>, note: Option<String>) {
        if self.steps.last().is_none_or(|s| s.id != id || s.title != title) {
            self.push(self.steps.len() + 1, id, title, outcome);
        }
        if let Some(step) = self.steps.last_mut() {
            step.outcome = outcome;
            step.seconds = took.map(seconds);
            step.note = note;
        }
    }

    /// Seconds of outage: the measured ones, or those so far.
    pub fn outage_seconds(&self) -> Option<f64> {
        self.outage.or(self.down_since.map(|since| since.elapsed())).map(seconds)
    }

    /// The slowest steps, for the summary of a run.
    pub fn table(&self) -> String {
        let mut table = Table::new(&["STEP", "RESULT", "SECONDS", "NOTE"]);
        for step in &self.steps {
            let result = format!("{:?}", step.outcome).to_lowercase();
            let took = step.seconds.map_or("-".into(), |s| format!("{s:.2}"));
            table.row([step.id.clone(), result, took, step.note.clone().unwrap_or_default()]);
        }
        table.render(0)
    }
}

/// Milliseconds are what a person can use.
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
