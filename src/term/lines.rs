//! A line per event, for logs and pipes: seconds since the start, a word, what.

use super::{Collected, say};
use crate::event::Event;
use std::time::{Duration, Instant};

pub(super) struct Lines {
    start: Instant,
    detail: Option<(Instant, String)>,
}

/// A detail that changes faster than this is shown only now and then: a log is read, not watched.
const PACE: Duration = Duration::from_secs(2);

impl Lines {
    pub(super) fn new() -> Lines {
        Lines { start: Instant::now(), detail: None }
    }

    pub(super) fn show(&mut self, event: &Event, collected: &Collected) {
        if let Event::Detail { text } = event
            && !self.due(text)
        {
            return;
        }
        let at = format!("+{:.1}s", self.start.elapsed().as_secs_f64());
        say(&format!("{at:>8}  {}", words(event, collected)));
    }

    fn due(&mut self, text: &str) -> bool {
        let now = Instant::now();
        let due = self.detail.as_ref().is_none_or(|(when, was)| was != text && now - *when >= PACE);
        if due {
            self.detail = Some((now, text.to_string()));
        }
        due
    }
}

/// The event in words. No colour: what reads this keeps it in a file.
pub(super) fn words(event: &Event, collected: &Collected) -> String {
    match event {
        Event::Began { title, steps } => format!("begin     {title} ({steps} steps)"),
        Event::StepStarted { number, title, .. } => format!("step      {number}/{} {title}", collected.of),
        Event::Detail { text } => format!("          {text}"),
        Event::StepDone { title, took, note, .. } => {
            let note = note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
            format!("done      {title} ({:.2} s){note}", took.as_secs_f64())
        }
        Event::StepSkipped { title, why, .. } => format!("skip      {title}: {why}"),
        // The error ends the run and is told whole there.
        Event::StepFailed { title, error, .. } => {
            format!("FAILED    {title}: {}", error.lines().next().unwrap_or_default())
        }
        Event::StepReverted { title, took, .. } => format!("undone    {title} ({:.2} s)", took.as_secs_f64()),
        Event::OutageBegan { so_far: Duration::ZERO, budget } => {
            format!("outage    begins; back by itself after {} s", budget.as_secs())
        }
        Event::OutageBegan { so_far, .. } => format!("outage    goes on: {:.2} s so far", so_far.as_secs_f64()),
        Event::OutageEnded { took } => format!("outage    ended: {:.2} s", took.as_secs_f64()),
        Event::Log { text } => format!("log       {text}"),
        Event::Warning { text } => format!("warning   {text}"),
    }
}
