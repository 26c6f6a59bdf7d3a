//! Follows a run's events and shows them: a live block on a terminal, a line per event elsewhere.

use super::{Collected, lines::Lines, live::Live, say};
use crate::event::Event;
use std::time::Duration;
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One block that is redrawn, on stderr.
    Live,
    /// One line per event, with the seconds since the start.
    Lines,
    /// Only what is said: logs and warnings.
    Quiet,
}

impl Mode {
    /// Live where stderr is a terminal that can be redrawn.
    pub fn auto() -> Mode {
        use std::io::IsTerminal;
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        if std::io::stderr().is_terminal() && !dumb { Mode::Live } else { Mode::Lines }
    }
}

enum Show {
    Live(Live),
    Lines(Lines),
    Quiet,
}

/// A follower at work.
pub struct Following {
    task: JoinHandle<Collected>,
    over: CancellationToken,
}

impl Following {
    /// Shows what was sent until now and ends, also where some task still holds a sender.
    pub async fn end(self) -> Collected {
        self.over.cancel();
        self.task.await.unwrap_or_default()
    }
}

pub fn follow(mut receiver: UnboundedReceiver<Event>, mode: Mode) -> Following {
    let over = CancellationToken::new();
    let ended = over.clone();
    let task = tokio::spawn(async move {
        let mut show = match mode {
            Mode::Live => Show::Live(Live::new()),
            Mode::Lines => Show::Lines(Lines::new()),
            Mode::Quiet => Show::Quiet,
        };
        let mut collected = Collected::default();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                biased;
                event = receiver.recv() => match event {
                    Some(event) => take(&mut collected, &mut show, &event),
                    None => break,
                },
                _ = ended.cancelled() => break,
                _ = tick.tick() => if let Show::Live(live) = &mut show { live.tick(&collected) },
            }
        }
        while let Ok(event) = receiver.try_recv() {
            take(&mut collected, &mut show, &event);
        }
        if let Show::Live(live) = show {
            live.end();
        }
        collected
    });
    Following { task, over }
}

fn take(collected: &mut Collected, show: &mut Show, event: &Event) {
    collected.add(event);
    match show {
        Show::Live(live) => live.show(event, collected),
        Show::Lines(lines) => lines.show(event, collected),
        Show::Quiet => match event {
            Event::Log { text } => say(text),
            Event::Warning { text } => say(&format!("warning: {text}")),
            _ => {}
        },
    }
}
