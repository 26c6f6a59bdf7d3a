//! A WebSocket whose binary messages begin with a channel's number.
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::{
    body::Bytes,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Channel and data.
pub type Frame = (u8, Bytes);

/// One read of a process or a connection: below what kubectl and kube-rs buffer comfortably.
const CHUNK: usize = 32 * 1024;

/// How long a finished process' output may stay open, silent, in somebody else's hands (a daemon that it left behind).
const LINGER: std::time::Duration = std::time::Duration::from_secs(2);

/// None: the client went away before the switch.
pub async fn accept(upgrade: OnUpgrade) -> Option<Socket> {
    let upgraded = upgrade.await.inspect_err(|error| tracing::debug!("upgrade failed: {error}")).ok()?;
    Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await)
}

/// None: as above.
pub async fn open(upgrade: OnUpgrade) -> Option<(Sender, Receiver)> {
    let (sink, stream) = accept(upgrade).await?.split();
    let (frames, queue) = mpsc::channel(16);
    let writer = tokio::spawn(write(sink, queue));
    Some((Sender { frames, writer }, Receiver(stream)))
}

async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Frame>) {
    while let Some((channel, data)) = queue.recv().await {
        let mut message = Vec::with_capacity(data.len() + 1);
        message.push(channel);
        message.extend_from_slice(&data);
        if sink.send(Message::binary(message)).await.is_err() {
            return;
        }
    }
    // With a code: kubectl takes a close without one for a broken connection.
    let end = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let _ = sink.send(Message::Close(Some(end))).await;
}

/// The sending half. Dropped without [`Sender::close`], the connection just breaks off.
pub struct Sender {
    pub frames: mpsc::Sender<Frame>,
    writer: JoinHandle<()>,
}

impl Sender {
    pub async fn send(&self, channel: u8, data: impl Into<Bytes>) {
        // An error is a client that went away: the receiving half says so too.
        let _ = self.frames.send((channel, data.into())).await;
    }

    /// Everything that was sent goes out, then the close message.
    pub async fn close(self) {
        let Sender { frames, writer } = self;
        drop(frames);
        let _ = writer.await;
    }

    /// As a cable pulled out.
    pub fn abort(self) {
        self.writer.abort();
    }
}

pub struct Receiver(SplitStream<Socket>);

impl Receiver {
    /// None: closed or broken.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.0.next().await? {
                Ok(Message::Binary(data)) if !data.is_empty() => return Some((data[0], data.slice(1..))),
                // kubectl's older clients send text frames for nothing we need.
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// Sends what is read until its end; after `exited` turned true, until it has been silent for a while.
pub async fn pump(
    mut from: impl AsyncRead + Unpin,
    channel: u8,
    to: mpsc::Sender<Frame>,
    mut exited: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let silent = async {
            if exited.wait_for(|exited| *exited).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(LINGER).await;
        };
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = silent => return,
        };
        // A pseudo terminal ends with an error instead of an end of file.
        let Ok(count @ 1..) = read else { return };
        if to.send((channel, Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}
