//! What `check --fix` does: the few remedies that are safe, as steps, so that intent and receipt are in the journal first.
//!
//! Safe is what an earlier try of this tool has left and nobody else makes, what PostgreSQL's manual says is to be dropped,
//! and what a rollback puts back as it was.

mod drop_invalid;
mod take_back;

pub use drop_invalid::DropInvalid;
pub use take_back::TakeBack;

use super::replica::wal_retention::WalRetention;
use crate::{
    journal::{Standing, State},
    step::Step,
};
use std::sync::Arc;

/// The fixes that a rollback takes back, if the journal knows them. Leftovers are not put back.
pub fn kept(state: &State, source: &str) -> Vec<Arc<dyn Step>> {
    let all = [Arc::new(WalRetention::of_slots(source)) as Arc<dyn Step>];
    let made = |step: &Arc<dyn Step>| !matches!(state.step(&step.id()).standing, Standing::Never | Standing::Reverted);
    all.into_iter().filter(made).collect()
}
