//! Port-forward in `v4.channel.k8s.io`: for the i-th port, channel 2i carries data and 2i+1 an error text; the first
//! frame of each is the port's number, little endian.
use super::{Body, Lost, Query, Refusal, Target, bad_request, channel, refuse, tunnel, upgrade};
use crate::lab::node::hold;
use http::{Request, Response};
use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// None: it has answered.
type Said = Arc<Mutex<Option<Vec<u8>>>>;

/// Bytes of a message that tell what is asked: a request line, a header or two.
const SAID: usize = 256;

pub fn answer<B>(target: Target, query: &Query, request: Request<B>, lost: Lost) -> Result<Response<Body>, Refusal> {
    let listed = query.all("ports");
    let ports: Result<Vec<u16>, _> = listed.iter().flat_map(|list| list.split(',')).map(str::parse).collect();
    let Ok(ports) = ports else {
        return Err(bad_request(format!("unable to parse ports {listed:?}")));
    };
    let Some(sandbox) = target.node.sandbox(&target.namespace, &target.pod) else {
        let phase = target.object["status"]["phase"].as_str().unwrap_or("Pending");
        let message = format!("unable to forward port because pod is not running. Current status={phase}");
        return Err(refuse(500, "InternalError", message));
    };
    if super::is_plain_spdy(request.headers()) {
        let message = "SPDY without a WebSocket around it is not spoken here: kubectl 1.31 and newer need it no more, \
            unless KUBECTL_PORT_FORWARD_WEBSOCKETS=false";
        return Err(bad_request(message.into()));
    }
    let (response, socket, protocol) = upgrade(request, &[tunnel::PROTOCOL, "v4.channel.k8s.io"])?;
    if protocol != tunnel::PROTOCOL && ports.is_empty() {
        return Err(bad_request("query parameter \"ports\" is required".into()));
    }
    let cut = target.node.cut_signal(&target.namespace, &target.pod);
    tokio::spawn(async move {
        if protocol == tunnel::PROTOCOL {
            let Some(socket) = channel::accept(socket).await else { return };
            return tunnel::run(sandbox.ip, socket, cut).await;
        }
        let Some((sender, receiver)) = channel::open(socket).await else { return };
        for (index, port) in ports.iter().enumerate() {
            for number in [2 * index, 2 * index + 1] {
                sender.send(number as u8, port.to_le_bytes().to_vec()).await;
            }
        }
        talk(sandbox.ip, &ports, sender, receiver, cut, lost).await;
    });
    Ok(response)
}

async fn talk(
    ip: Ipv4Addr,
    ports: &[u16],
    sender: channel::Sender,
    mut receiver: channel::Receiver,
    cut: impl Future<Output = ()>,
    lost: Lost,
) {
    // What was said to the first port, until it answers: with more than one nobody asks for an answer that gets lost.
    let (said, gone, mut lost) = (Said::new(Mutex::new(Some(vec![]))), CancellationToken::new(), Some(lost));
    let mut writers = vec![];
    let mut readers = tokio::task::JoinSet::new();
    // Never set: a connection's end is its end.
    let (_exit, exited) = watch::channel(false);
    for (index, port) in ports.iter().enumerate() {
        match TcpStream::connect((ip, *port)).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                let (read, write) = stream.into_split();
                let (said, gone, lost) = (said.clone(), gone.clone(), lost.take());
                let pump = (2 * index as u8, sender.frames.clone(), exited.clone());
                readers.spawn(async move {
                    if let (Some(lost), Ok(())) = (lost, read.readable().await)
                        && lost(&hold(&said).take().unwrap_or_default())
                    {
                        gone.cancel();
                        return std::future::pending().await;
                    }
                    channel::pump(read, pump.0, pump.1, pump.2).await;
                });
                writers.push(Some(write));
            }
            Err(error) => {
                sender.send(2 * index as u8 + 1, not_connected(*port, &error)).await;
                writers.push(None);
            }
        }
    }
    let ended = async { while readers.join_next().await.is_some() {} };
    let input = async {
        while let Some((number, data)) = receiver.next().await {
            if let (0, Some(said)) = (number, hold(&said).as_mut()) {
                said.extend(data.iter().take(SAID));
            }
            pass_on(&mut writers, number, &data).await;
        }
    };
    tokio::select! {
        () = input => sender.abort(),
        () = ended => sender.close().await,
        () = cut => sender.abort(),
        () = gone.cancelled() => sender.abort(),
    }
}

/// What the kubelet says on an error stream.
pub fn not_connected(port: u16, error: &std::io::Error) -> String {
    format!("error forwarding port {port}: failed to connect to localhost:{port} inside the pod: {error}")
}

async fn pass_on(writers: &mut [Option<OwnedWriteHalf>], number: u8, data: &[u8]) {
    let slot = writers.get_mut(usize::from(number / 2)).filter(|_| number.is_multiple_of(2));
    if let Some(slot) = slot
        && let Some(writer) = slot
        && writer.write_all(data).await.is_err()
    {
        *slot = None;
    }
}
