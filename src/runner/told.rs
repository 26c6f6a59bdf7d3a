//! The script is told of a way back: `on_failure(m, error)` after the automatic one, `on_rollback(m)` after one that was
//! asked for. The app is back on the source by then, so nothing that goes wrong here changes what the run came to.

use super::Runner;
use crate::{
    error::Result,
    journal::What,
    script,
    step::World,
    steps::hook::{self, Calls},
};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);

/// Why the app goes back to the source.
pub enum Why<'a> {
    Asked,
    /// The error that ended the cutover, as it is told.
    Failed(&'a str),
}

/// True for the id that one of these functions has in the journal.
pub fn tells(step: &str) -> bool {
    ["on_failure", "on_rollback"].into_iter().any(|name| step == hook::id(name))
}

impl Runner {
    /// A failure is a warning and an entry in the journal: the first error stays the one that is told.
    pub(super) async fn tell_script(&mut self, why: &Why<'_>) {
        let (name, error) = match why {
            Why::Asked => ("on_rollback", None),
            Why::Failed(error) => ("on_failure", Some(*error)),
        };
        let Some(script) = self.world.migration.script.clone() else { return };
        if !script::defines(&script, name).unwrap_or(false) {
            return;
        }
        let step = hook::id(name);
        // Each way back is told anew: the calls of the last one do not count.
        self.unwritten.push(What::Reverted { step: step.clone() });
        self.unwritten.push(What::Started { step: step.clone(), receipt: Value::Null });
        let began = Instant::now();
        let told: Result<_> = async {
            self.flush().await?;
            // The Ctrl-C that led here does not stop it.
            let world = World { cancel: CancellationToken::new(), ..self.world.clone() };
            let calls = Arc::new(Calls::of(&world, &step));
            hook::run(&world, &script, name, error, calls, LIMIT).await
        }
        .await;
        self.unwritten.push(match told {
            Ok(_) => What::Done { step, evidence: Value::Null, millis: began.elapsed().as_millis() as u64 },
            Err(error) => {
                self.world.events.warn(format!("{name} of the script failed: {}", error.chain()));
                What::Failed { step, error: error.chain() }
            }
        });
    }
}
