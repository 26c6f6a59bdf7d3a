//! Runs a phase: lock, plan, signals, the live block, and one document at the end whatever happened.

use super::{context::Context, cost::Cost, signals};
use crate::{
    error::{Kind, Result},
    event::Events,
    kube::Kube,
    runner::{self, Runner},
    spec::Migration,
    term::{self, Collected, Page, kind_name},
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

/// `what` is the phase or verb as documents name it; `again` the verb that goes on after a cut.
pub struct Drive<'a> {
    pub context: &'a Context,
    pub migration: Migration,
    pub kube: Kube,
    pub what: &'a str,
    pub again: &'a str,
}

impl Drive<'_> {
    pub async fn run(self, work: impl AsyncFnOnce(&mut Runner) -> Result<()>) -> Result<()> {
        let context = self.context;
        let (page, result) = self.driven(runner::open, work).await;
        context.ui.print_with(page, &result)?;
        result
    }

    /// The same with another way to open the migration, and the document not printed.
    pub async fn driven(
        self,
        open: impl AsyncFnOnce(Migration, Kube, Events, CancellationToken) -> Result<Runner>,
        work: impl AsyncFnOnce(&mut Runner) -> Result<()>,
    ) -> (Page, Result<()>) {
        let ui = &self.context.ui;
        let (name, began) = (self.migration.name.clone(), Instant::now());
        let next = ui.commands(&format!("kubectl pgmigrate {} {name}", self.again));
        let stop = signals::listen(Some(next));
        let (sender, receiver) = unbounded_channel();
        let following = term::follow(receiver, self.context.mode());
        let cost = Cost::begin(&self.kube);
        let driven = async {
            let mut runner = open(self.migration, self.kube, Events::new(sender), stop).await?;
            let result = work(&mut runner).await;
            let released = runner.release().await;
            if let (Ok(()), Err(error)) = (&result, &released) {
                ui.warn(format!("the lock was not released and will expire by itself: {}", error.chain()));
            }
            result
        };
        let result = driven.await;
        let collected = following.end().await;
        if self.context.global.verbose > 0 {
            cost.say(ui);
        }
        (page(&name, self.what, &collected, began.elapsed(), &result), result)
    }
}

fn page(name: &str, what: &str, collected: &Collected, took: Duration, result: &Result<()>) -> Page {
    let word = match result {
        Ok(()) => "done",
        Err(error) => kind_name(error.kind),
    };
    let outage = collected.outage_seconds();
    let document = json!({
        "migration": name, "phase": what, "result": word, "outageSeconds": outage,
        "steps": collected.steps, "warnings": collected.warnings,
    });
    let mut text = String::new();
    if result.is_ok() {
        text = format!("{what} {name}: done, {} steps in {:.1} s", collected.steps.len(), took.as_secs_f64());
        if let Some(seconds) = outage {
            text.push_str(&format!(", outage {seconds:.2} s"));
        }
        text.push('\n');
    } else if let (Some(seconds), false) = (outage, matches!(result, Err(e) if e.kind == Kind::Locked)) {
        text = format!("{what} {name}: {word}, outage {seconds:.2} s\n");
    }
    Page { document, names: vec![format!("migration/{name}")], text }
}
