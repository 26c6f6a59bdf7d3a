//! What the runner waits for between steps and when the API server is away.
//!
//! The lock is waited for at any time: with it goes the right to finish, and to go back. Past the point of no return the app
//! is down until the run has come to its end, so there an API server or an operator's webhook that is away is waited for by
//! the steps, idempotent as they are, and by the journal, too.

use super::Runner;
use crate::{
    error::{Error, Kind, Result},
    kube,
    step::{Evidence, Hazard, Receipt, Step},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// How long they may be away; a killed operator is back in about 10 s, a rolled API server in a minute.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

impl Runner {
    pub(super) async fn apply_patiently(&mut self, step: &Arc<dyn Step>, receipt: &Receipt) -> Result<Evidence> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.apply(step, receipt).await {
                Err(error) if step.hazard() != Hazard::OneWay => self.again(error, end).await?,
                applied => return applied,
            }
        }
    }

    /// Writes what is unwritten. What could not be written stays for the next try.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.flush_once().await {
                Err(error) => self.again(error, end).await?,
                Ok(()) => return Ok(()),
            }
        }
    }

    pub(super) async fn flush_once(&mut self) -> Result<()> {
        if !self.unwritten.is_empty() {
            self.world.journal.append(self.unwritten.clone()).await?;
            self.unwritten.clear();
        }
        Ok(())
    }

    /// Returns when it is time for another try; Err: the error, which does not pass, or not in time.
    async fn again(&mut self, error: Error, end: Instant) -> Result<()> {
        let past = self.past_one_way.load(Ordering::SeqCst);
        if !past || !kube::is_uncertain(&error) || Instant::now() >= end {
            return Err(error);
        }
        self.world.events.detail(format!("tried again: {}", error.chain()));
        tokio::time::sleep(PAUSE).await;
        self.hold_lock(end).await
    }

    /// While the API server is away the lock is lost, too. It is ours again if nobody else has had it meanwhile: only who
    /// reaches the API server can have taken it.
    pub(super) async fn hold_lock(&mut self, end: Instant) -> Result<()> {
        while self.lock.lost.is_cancelled() {
            match self.lock.regain().await {
                Ok(()) => self.world.events.detail("the lock is held again"),
                Err(error) if kube::is_uncertain(&error) && Instant::now() < end => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Before every step: still allowed to go on? Ctrl-C and the budget bind only while there is a way back.
    pub(super) async fn safe_point(&mut self) -> Result<()> {
        self.hold_lock(Instant::now() + PATIENCE).await?;
        if self.past_one_way.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.stop.is_cancelled() {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        if self.limit(Duration::MAX).is_zero() {
            let budget = self.world.migration.guardrails.downtime_budget;
            return Err(Error::failed(format!("the downtime budget of {} s is used up", budget.as_secs())));
        }
        Ok(())
    }
}
