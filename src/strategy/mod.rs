//! Facts -> plan, one file a strategy; pure.

pub mod choose;
pub mod dump;
pub mod estimate;
mod manifest;
mod replica;

use crate::{
    error::{Error, Result},
    facts::Facts,
    plan::Plan,
    spec::{Migration, Strategy},
};

/// The plan of a migration. `facts` are those of its first run, from the journal: with the source stopped the plan is
/// still the same.
pub fn plan(migration: &Migration, facts: &Facts) -> Result<Plan> {
    match migration.strategy {
        Strategy::Replica => replica::plan(migration, facts),
        Strategy::Dump => dump::plan(migration, facts),
        other => Err(Error::usage(format!("strategy {other} is not in this version; it has replica and dump"))),
    }
}
