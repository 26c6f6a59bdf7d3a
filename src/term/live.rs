//! The live block: ended steps scroll up, below them the step at work and the outage against its budget.

use super::{Collected, dim, foreign, green, lines, red, yellow};
use crate::event::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// The block that is on the terminal now: whoever else writes must write above it.
static BLOCK: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Runs `write` with the block taken away, and draws it again after.
pub(super) fn above(write: impl FnOnce()) {
    let block = BLOCK.lock().ok().and_then(|block| block.clone());
    match block {
        Some(block) => block.suspend(write),
        None => write(),
    }
}

pub(super) struct Live {
    block: MultiProgress,
    step: ProgressBar,
    outage: ProgressBar,
    began: Instant,
    at: String,
    detail: String,
}

const BAR: usize = 24;

impl Live {
    pub(super) fn new() -> Live {
        let block = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12));
        let line = || {
            let style = ProgressStyle::with_template("{wide_msg}").expect("a fixed template");
            block.add(ProgressBar::new_spinner().with_style(style))
        };
        let (step, outage) = (line(), line());
        if let Ok(mut current) = BLOCK.lock() {
            *current = Some(block.clone());
        }
        Live { block, step, outage, began: Instant::now(), at: String::new(), detail: String::new() }
    }

    pub(super) fn show(&mut self, event: &Event, collected: &Collected) {
        match event {
            Event::StepStarted { number, title, .. } => {
                self.began = Instant::now();
                self.at = format!("{number}/{} {title}", collected.of);
                self.detail.clear();
            }
            Event::Detail { text } => self.detail = text.clone(),
            _ => {
                if matches!(event, Event::StepDone { .. } | Event::StepReverted { .. } | Event::StepFailed { .. }) {
                    self.at.clear();
                }
                let words = foreign::text(&lines::words(event, collected), false);
                self.block.println(colored(event, &words)).ok();
            }
        }
        self.tick(collected);
    }

    pub(super) fn tick(&mut self, collected: &Collected) {
        if self.at.is_empty() {
            self.step.set_message("");
        } else {
            let (at, detail) = (foreign::line(&self.at), foreign::line(&self.detail));
            let detail = if detail.is_empty() { String::new() } else { format!("  {}", dim(&detail)) };
            self.step.set_message(format!("now       {at} ({:.1} s){detail}", self.began.elapsed().as_secs_f64()));
        }
        let line = match (collected.down_since, collected.budget) {
            (Some(since), Some(budget)) => meter(since.elapsed(), budget),
            _ => String::new(),
        };
        self.outage.set_message(line);
    }

    pub(super) fn end(self) {
        if let Ok(mut current) = BLOCK.lock() {
            *current = None;
        }
        self.step.finish_and_clear();
        self.outage.finish_and_clear();
        self.block.clear().ok();
    }
}

fn colored(event: &Event, words: &str) -> String {
    match event {
        Event::StepDone { .. } | Event::StepReverted { .. } => green(words),
        Event::StepFailed { .. } => red(words),
        Event::Warning { .. } | Event::OutageBegan { .. } => yellow(words),
        Event::StepSkipped { .. } => dim(words),
        _ => words.to_string(),
    }
}

/// `outage    3.2 s of 300 s [##----------------------]`
fn meter(so_far: Duration, budget: Duration) -> String {
    let share = (so_far.as_secs_f64() / budget.as_secs_f64().max(0.001)).min(1.0);
    let full = (share * BAR as f64).round() as usize;
    let bar = format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full));
    let line = format!("outage    {:.1} s of {} s {bar}", so_far.as_secs_f64(), budget.as_secs());
    if share < 0.5 { yellow(&line) } else { red(&line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_never_overflows() {
        console::set_colors_enabled_stderr(false);
        let text = meter(Duration::from_secs(400), Duration::from_secs(300));
        assert_eq!(text, format!("outage    400.0 s of 300 s [{}]", "#".repeat(BAR)));
        assert!(meter(Duration::ZERO, Duration::ZERO).contains("0.0 s of 0 s"));
    }
}
