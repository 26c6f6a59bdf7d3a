//! pods/portforward: a stream to a port of a pod, no local port; and HTTP over it.
use super::Kube;
use crate::error::Result;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
impl Kube {
    /// One websocket per stream; the stream ends it when dropped.
    pub async fn forward(&self, _pod: &str, _port: u16) -> Result<Box<dyn Io>> {
        todo!()
    }
    /// One HTTP/1.1 request to a pod's port (Patroni's REST API). Returns status and body.
    pub async fn http(
        &self,
        _pod: &str,
        _port: u16,
        _method: &str,
        _path: &str,
        _body: Option<&Value>,
        _deadline: Duration,
    ) -> Result<(u16, String)> {
        todo!()
    }
}
