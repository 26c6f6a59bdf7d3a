//! pods/exec over WebSocket.
use super::Kube;
use crate::error::Result;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
#[derive(Debug, Clone)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}
/// A process in a pod with its streams kept open; killed (its stdin closed) on drop.
pub struct Process {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) _attached: Box<dyn std::any::Any + Send>,
}
impl Kube {
    /// Runs argv to its end. An unknown end (the stream was cut) is an error: the process may still run.
    pub async fn exec(&self, _pod: &str, _container: &str, _argv: &[&str], _deadline: Duration) -> Result<Output> {
        todo!()
    }
    /// As exec, and an exit code other than 0 is an error that shows stderr's last lines.
    pub async fn exec_ok(&self, _pod: &str, _container: &str, _argv: &[&str], _deadline: Duration) -> Result<String> {
        todo!()
    }
    pub async fn spawn(&self, _pod: &str, _container: &str, _argv: &[&str]) -> Result<Process> {
        todo!()
    }
}
