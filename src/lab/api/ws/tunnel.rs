//! Port-forward as kubectl does it since 1.31: SPDY inside of a WebSocket (`SPDY/3.1+portforward.k8s.io`).
//!
//! Each connection to the client's local port is a pair of streams of one requestID: the first brings errors, the second
//! data (k8s.io/client-go/tools/portforward). All go through one tunnel.
use super::{
    channel::Socket,
    spdy::{self, Frame, Reader},
};
use futures::{SinkExt, StreamExt};
use hyper::body::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

pub const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";

/// One read of a connection: what kubectl itself copies at a time.
const CHUNK: usize = 32 * 1024;

type Frames = mpsc::Sender<Vec<u8>>;

/// Ends, and every connection through it, when either side goes away.
pub async fn run(ip: Ipv4Addr, socket: Socket, cut: impl Future<Output = ()>) {
    let (mut sink, mut messages) = socket.split();
    let (frames, mut queue) = mpsc::channel::<Vec<u8>>(16);
    let sending = async {
        while let Some(frame) = queue.recv().await {
            if sink.send(Message::binary(frame)).await.is_err() {
                return;
            }
        }
    };
    let receiving = async {
        let (mut reader, mut tunnel) = (Reader::new(), Tunnel::new(ip, frames));
        while let Some(Ok(message)) = messages.next().await {
            let Message::Binary(bytes) = message else { continue };
            reader.add(&bytes);
            loop {
                match reader.next() {
                    Ok(Some(Frame::GoAway)) => return,
                    Ok(Some(frame)) => tunnel.take(frame).await,
                    Ok(None) => break,
                    Err(error) => return tracing::debug!("port-forward: {error}"),
                }
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = receiving => {}
        () = cut => {}
    }
}

/// What the client sends into a connection; dropped, it has no more to send.
struct Open {
    input: Option<mpsc::Sender<Bytes>>,
    reset: CancellationToken,
}

struct Tunnel {
    ip: Ipv4Addr,
    frames: Frames,
    replied: bool,
    /// Error streams by requestID, until their data stream comes.
    errors: HashMap<String, u32>,
    open: HashMap<u32, Open>,
    connections: JoinSet<u32>,
}

impl Tunnel {
    fn new(ip: Ipv4Addr, frames: Frames) -> Tunnel {
        let (errors, open) = Default::default();
        Tunnel { ip, frames, replied: false, errors, open, connections: JoinSet::new() }
    }

    async fn take(&mut self, frame: Frame) {
        while let Some(Ok(ended)) = self.connections.try_join_next() {
            self.open.remove(&ended);
        }
        match frame {
            Frame::Open { stream, headers, last } => self.opened(stream, &headers, last).await,
            Frame::Data { stream, data, last } => {
                let Some(open) = self.open.get_mut(&stream) else { return };
                if let Some(input) = open.input.as_ref().filter(|_| !data.is_empty()) {
                    // An error is a server that has gone: its own end of the connection says so.
                    let _ = input.send(data).await;
                }
                if last {
                    open.input = None;
                }
            }
            Frame::Reset { stream } => {
                if let Some(open) = self.open.remove(&stream) {
                    open.reset.cancel();
                }
            }
            Frame::Ping(number) => self.say(spdy::ping(number)).await,
            Frame::GoAway | Frame::Other => {}
        }
    }

    async fn say(&self, frame: Vec<u8>) {
        // An error is a client that went away: the receiving half says so too.
        let _ = self.frames.send(frame).await;
    }

    async fn opened(&mut self, stream: u32, headers: &BTreeMap<String, String>, last: bool) {
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let (request, port) = (header("requestid"), header("port").parse::<u16>());
        let error = match (header("streamtype").as_str(), port) {
            ("error", Ok(_)) => {
                self.errors.insert(request, stream);
                return self.accept(stream).await;
            }
            ("data", Ok(port)) => self.errors.remove(&request).map(|error| (error, port)),
            _ => None,
        };
        let Some((error, port)) = error else { return self.say(spdy::refused(stream)).await };
        self.accept(stream).await;
        let (input, queue) = mpsc::channel(16);
        let reset = CancellationToken::new();
        self.open.insert(stream, Open { input: (!last).then_some(input), reset: reset.clone() });
        let (ip, frames) = (self.ip, self.frames.clone());
        self.connections.spawn(async move {
            tokio::select! {
                () = connect(ip, port, stream, error, queue, &frames) => {}
                () = reset.cancelled() => {}
            }
            // kubectl waits for this one, whatever became of the other.
            let _ = frames.send(spdy::end(error)).await;
            stream
        });
    }

    async fn accept(&mut self, stream: u32) {
        let first = !std::mem::replace(&mut self.replied, true);
        self.say(spdy::accepted(stream, first)).await;
    }
}

async fn connect(ip: Ipv4Addr, port: u16, stream: u32, error: u32, input: mpsc::Receiver<Bytes>, to: &Frames) {
    match TcpStream::connect((ip, port)).await {
        Ok(connection) => carry(connection, stream, input, to).await,
        Err(refused) => {
            let text = super::forward::not_connected(port, &refused);
            let _ = to.send(spdy::data(error, text.as_bytes())).await;
        }
    }
    let _ = to.send(spdy::end(stream)).await;
}

/// Until the server has no more to say.
async fn carry(connection: TcpStream, stream: u32, mut input: mpsc::Receiver<Bytes>, to: &Frames) {
    let _ = connection.set_nodelay(true);
    let (mut read, mut write) = connection.into_split();
    let forth = async {
        while let Some(data) = input.recv().await {
            if write.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    };
    let back = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            if to.send(spdy::data(stream, &buffer[..count])).await.is_err() {
                return;
            }
        }
    };
    tokio::pin!(back);
    tokio::select! {
        () = &mut back => {}
        () = forth => back.await,
    }
}
