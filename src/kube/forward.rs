//! pods/portforward: a stream to a port of a pod, no local port; and HTTP over it.
use super::Kube;
use crate::error::{Context, Error, Result};
use ::kube::api::{Api, Portforwarder};
use futures::{FutureExt, future::BoxFuture};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::{
    io,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// One forwarded port. Ends its websocket when dropped: kube's own task would live on.
pub struct Stream {
    stream: DuplexStream,
    forwarder: Portforwarder,
    failure: Failure,
}

/// What the pod's side says when it gives the port up ("connection refused").
enum Failure {
    Awaited(BoxFuture<'static, Option<String>>),
    Told(String),
    /// The websocket ended without one.
    None,
}

impl Failure {
    /// Err once it has been told. Until then `task` is woken by it: some servers leave the websocket open after it.
    fn look(&mut self, task: &mut Task<'_>) -> io::Result<()> {
        if let Failure::Awaited(told) = self
            && let Poll::Ready(text) = told.as_mut().poll(task)
        {
            *self = text.map_or(Failure::None, |text| Failure::Told(text.trim().to_string()));
        }
        match self {
            Failure::Told(text) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, text.clone())),
            _ => Ok(()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(task, buffer)?;
        // What arrived before the failure is read first; a plain end is none only when no failure was told.
        if buffer.filled().len() == before {
            self.failure.look(task)?;
        }
        read.map(Ok)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.stream).poll_write(task, bytes));
        Poll::Ready(done.or_else(|error| self.failure.look(task).and(Err(error))))
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
    pub async fn stream(&self, pod: &str, port: u16) -> Result<Stream> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let ports = [port];
        let mut forwarder = self
            .open("create", format!("pods/portforward of {pod}:{port}"), || pods.portforward(pod, &ports).boxed())
            .await?;
        let (Some(stream), Some(failed)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
            return Err(Error::bug("portforward was opened without its stream"));
        };
        Ok(Stream { stream, forwarder, failure: Failure::Awaited(failed.boxed()) })
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
