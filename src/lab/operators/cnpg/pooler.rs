//! (stub)
use super::{Operator, cluster::Cluster};
use std::sync::Arc;
#[derive(Default)]
pub struct Running;
impl Running {
    pub async fn look(&mut self, _operator: &Arc<Operator>, _cluster: &Cluster) {}
    pub async fn stop(self) {}
}
