//! Stopping a postmaster as the instance manager does: smart for a while, then fast.
use super::place::Place;
use std::time::{Duration, Instant};

const SMART: i32 = libc::SIGTERM;
const FAST: i32 = libc::SIGINT;
const IMMEDIATE: i32 = libc::SIGQUIT;

/// Returns when the server has stopped. `waiting` is told from time to time how long it takes.
pub async fn smart_then_fast(place: &Place, smart: Duration, mut waiting: impl FnMut(Duration)) {
    let begun = Instant::now();
    if !smart.is_zero() {
        place.log.info("Requesting smart shutdown of the PostgreSQL instance");
        signal(place, SMART);
        while place.server.running() && begun.elapsed() < smart {
            waiting(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    if place.server.running() {
        if !smart.is_zero() {
            place.log.info("Smart shutdown timed out, proceeding with fast shutdown");
        }
        fast(place, || waiting(begun.elapsed())).await;
    }
    place.log.info("PostgreSQL instance shut down");
}

/// Fast shutdown; returns when the server has stopped, however long its shutdown checkpoint takes.
pub async fn fast(place: &Place, mut waiting: impl FnMut()) {
    place.log.info("Requesting fast shutdown of the PostgreSQL instance");
    signal(place, FAST);
    while place.server.running() {
        waiting();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// For what is thrown away, or for a lab that ends.
pub async fn immediate(place: &Place) {
    for _ in 0..200 {
        if !place.server.running() {
            return;
        }
        signal(place, IMMEDIATE);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn signal(place: &Place, signal: i32) {
    let Ok(text) = std::fs::read_to_string(place.data().join("postmaster.pid")) else { return };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()).filter(|pid| *pid > 1) else {
        return;
    };
    // SAFETY: kill has no preconditions; the pid is our own postmaster's, from its lock file.
    unsafe { libc::kill(pid, signal) };
}
