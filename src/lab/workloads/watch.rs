//! Level-triggered control loops: look at the whole, settle it, wait for news.
use crate::lab::api::store::{Change, Store};
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Without news a loop looks again after this long: time itself changes things (schedules, back-offs, ages).
pub const TICK: Duration = Duration::from_secs(1);

/// Calls `settle` now and whenever one of `resources` changed. Ends with the store.
pub async fn each(store: Store, resources: &'static [&'static str], settle: fn(&Store)) {
    let mut changes = store.changes();
    loop {
        settle(&store);
        if !news(&mut changes, resources).await {
            return;
        }
    }
}

/// Waits for a change of one of these resources, at most [`TICK`]; what else has come by then is taken along.
/// False when the store is gone.
pub async fn news(changes: &mut Receiver<Change>, resources: &[&str]) -> bool {
    let ours = |change: &Change| resources.contains(&change.resource.as_str());
    let first = async {
        loop {
            match changes.recv().await {
                Ok(change) if !ours(&change) => {}
                Err(RecvError::Closed) => return false,
                // Having missed some is a reason to look, too.
                Ok(_) | Err(RecvError::Lagged(_)) => return true,
            }
        }
    };
    let open = tokio::time::timeout(TICK, first).await.unwrap_or(true);
    while changes.try_recv().is_ok() {}
    open
}
