//! Ctrl-C once: stop at the next safe point. Twice: now. SIGTERM is like Ctrl-C.

use crate::term;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The token fires with the first signal; who fires it himself listens no more. `next` is the command that goes on after a run that was cut off by the
/// second; None for a verb that only looks, which the first one ends.
pub fn listen(next: Option<String>) -> CancellationToken {
    let stop = CancellationToken::new();
    let fired = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::warn!("signals cannot be caught: Ctrl-C ends the program at once");
            return;
        };
        let mut once = async || tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () };
        tokio::select! {
            // Who listened has ended by itself.
            () = fired.cancelled() => return,
            () = once() => fired.cancel(),
        }
        let Some(next) = next else {
            once().await;
            std::process::exit(130);
        };
        term::say(
            "stopping at the next safe point (after the point of no return: when the app is up); again to stop now",
        );
        once().await;
        term::say(&format!("stopped now: the step at work may have done all, some or nothing\n{next}"));
        std::process::exit(4);
    });
    stop
}
