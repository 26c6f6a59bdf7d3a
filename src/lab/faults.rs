//! Scripted faults (being written).
use super::{node::Node, world::ground};
use crate::error::{Error, Result};
use std::sync::Arc;

pub struct Faults {
    pub node: Node,
}

impl Faults {
    pub fn new(node: Node) -> Arc<Faults> {
        Arc::new(Faults { node })
    }
}

/// SIGKILL to the postmaster of the pod: its process id. An error when no server runs there.
pub fn kill_server(node: &Node, namespace: &str, pod: &str) -> Result<i32> {
    let servers = ground::servers(&node.pod_dir(namespace, pod));
    let Some((pid, _)) = servers.first() else {
        return Err(Error::failed(format!("no PostgreSQL server runs in pod {namespace}/{pod}")));
    };
    ground::signal(*pid, libc::SIGKILL);
    Ok(*pid)
}
