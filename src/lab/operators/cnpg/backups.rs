//! (stub)
use super::{Operator, cluster::Cluster};
use std::sync::Arc;
#[derive(Default)]
pub struct Running;
impl Running {
    pub fn look(&mut self, _operator: &Arc<Operator>, _cluster: &Cluster) {}
}
