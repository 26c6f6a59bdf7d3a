//! pods/portforward: a stream to a port of a pod, no local port; and HTTP over it.
use super::Kube;
use crate::error::{Context, Error, Result};
use ::kube::api::{Api, Portforwarder};
use futures::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as Task, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One forwarded port. Ends its websocket when dropped: kube's own task would live on.
pub struct Stream {
    stream: DuplexStream,
    forwarder: Arc<Portforwarder>,
    watcher: tokio::task::JoinHandle<()>,
    /// What the pod's side said when it gave the port up ("connection refused").
    error: Arc<Mutex<Option<String>>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.watcher.abort();
        self.forwarder.abort();
    }
}

impl Stream {
    fn failure(&self) -> Option<io::Error> {
        let error = self.error.lock().unwrap_or_else(|e| e.into_inner());
        error.as_ref().map(|text| io::Error::new(io::ErrorKind::ConnectionAborted, text.clone()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(task, buffer))?;
        // The end of the stream is where its reason is told; what arrived before it has been read by now.
        match self.failure() {
            Some(error) if buffer.filled().len() == before => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.stream).poll_write(task, bytes));
        Poll::Ready(done.map_err(|error| self.failure().unwrap_or(error)))
    }
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

impl Kube {
    /// One websocket per stream (kube reads and writes all ports of one in one loop); dropping the stream ends it.
    /// Shutting down the write half closes both: read the answer first.
    pub async fn forward(&self, pod: &str, port: u16) -> Result<Box<dyn Io>> {
        Ok(Box::new(self.stream(pod, port).await?))
    }

    /// The same, with its type: the compiler cannot see that futures over a `dyn Io` are Send.
    pub async fn stream(&self, pod: &str, port: u16) -> Result<Stream> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let ports = [port];
        let mut forwarder = self
            .open("create", format!("pods/portforward of {pod}:{port}"), || pods.portforward(pod, &ports).boxed())
            .await?;
        let (Some(stream), Some(failed)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
            return Err(Error::bug("portforward was opened without its stream"));
        };
        let forwarder = Arc::new(forwarder);
        let error = Arc::new(Mutex::new(None));
        // The error future must be polled: kube's loop ends on a message that nobody takes.
        let watcher = tokio::spawn({
            let (forwarder, error) = (forwarder.clone(), error.clone());
            async move {
                if let Some(text) = failed.await {
                    *error.lock().unwrap_or_else(|e| e.into_inner()) = Some(text.trim().to_string());
                    // Some servers leave the websocket open after it; the reader must not wait for ever.
                    forwarder.abort();
                }
            }
        });
        Ok(Stream { stream, forwarder, watcher, error })
    }

    /// One HTTP/1.1 request to a pod's port (Patroni's REST API). Returns status and body.
    pub async fn http(
        &self,
        pod: &str,
        port: u16,
        method: &str,
        path: &str,
        body: Option<&Value>,
        deadline: Duration,
    ) -> Result<(u16, String)> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))
            .map_err(|cause| Error::bug(format!("{method} {path} is not a request")).cause(cause))?;
        let talk = async {
            let stream = self.stream(pod, port).await?;
            talk(stream, request).await.with_context(|| format!("{method} {path} on port {port} of pod {pod} failed"))
        };
        match tokio::time::timeout(deadline, talk).await {
            Ok(done) => done,
            Err(_) => {
                let waited = deadline.as_secs_f32();
                Err(Error::failed(format!("{method} {path} on port {port} of pod {pod}: no answer in {waited} s"))
                    .cause(super::ask::TimedOut))
            }
        }
    }
}

async fn talk(stream: Stream, request: http::Request<Full<Bytes>>) -> Result<(u16, String), hyper::Error> {
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = whole(response.into_body()).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let mut exchange = std::pin::pin!(exchange);
    // The connection drives the exchange, and knows better why it ended.
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        done = &mut exchange => match done {
            Ok(answer) => Ok(answer),
            Err(error) => Err(connection.await.err().unwrap_or(error)),
        },
        ended = &mut connection => exchange.await.map_err(|error| ended.err().unwrap_or(error)),
    }
}

/// The body up to its end. Patroni gives no length and closes the connection, and the kubelet passes that on a second
/// later (seen with containerd 1.6): a JSON object is over with its last brace.
async fn whole(mut body: hyper::body::Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.trim_ascii_end().ends_with(b"}") && serde_json::from_slice::<serde_json::Map<_, _>>(&bytes).is_ok() {
            break;
        }
    }
    Ok(bytes)
}
