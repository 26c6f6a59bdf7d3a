//! Facts -> plan, one file a strategy; pure.

use crate::{error::Result, plan::Plan, spec::Migration, step::World};
use serde_json::Value;

/// What a plan is made from, taken once and kept in the journal: a plan made later, with the source stopped, is the same.
pub struct Facts;

impl Facts {
    pub async fn gather(_world: &World) -> Result<Facts> {
        todo!()
    }
    pub fn from_journal(_facts: &Value) -> Result<Facts> {
        todo!()
    }
    pub fn to_journal(&self) -> Result<Value> {
        todo!()
    }
    pub fn system_identifier(&self) -> &str {
        todo!()
    }
}

pub fn plan(_migration: &Migration, _facts: &Facts) -> Result<Plan> {
    todo!()
}
