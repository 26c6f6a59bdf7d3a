//! Stock `kubectl port-forward`, where there is one.
use super::{LONG, deployment, lab, name, pods, ready, settle};
use pgmigrate::lab::world::Lab;
use serde_json::json;
use std::{net::Ipv4Addr, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::timeout,
};

/// What every server here says: all that it got until `end`, or until the client has no more to send.
async fn echo(ip: Ipv4Addr, port: u16) {
    let listener = TcpListener::bind((ip, port)).await.expect("a listener");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut got, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
                while let Ok(count @ 1..) = stream.read(&mut piece).await {
                    got.extend_from_slice(&piece[..count]);
                    if got.ends_with(b"end") {
                        break;
                    }
                }
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.len());
                let _ = (stream.write_all(head.as_bytes()).await, stream.write_all(&got).await);
            });
        }
    });
}

struct Forward {
    kubectl: Child,
    port: u16,
}

/// None: no kubectl here.
fn kubectl(lab: &Lab, what: &str, port: u16) -> Option<Command> {
    std::process::Command::new("kubectl").args(["version", "--client"]).output().ok()?;
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(lab.kubeconfig_path()).args([
        "-n",
        "shop",
        "port-forward",
        "--address",
        "127.0.0.1",
    ]);
    command.args([what, &format!(":{port}")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Some(command)
}

impl Forward {
    async fn start(lab: &Lab, what: &str, port: u16) -> Option<Forward> {
        let mut kubectl = kubectl(lab, what, port)?.spawn().expect("kubectl runs");
        let mut lines = BufReader::new(kubectl.stdout.take().expect("a pipe")).lines();
        let line = timeout(LONG, lines.next_line()).await.expect("in time").expect("a line").unwrap_or_default();
        let port = line.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("kubectl forwards nothing: {line:?}"));
        // It says something for every connection: somebody has to listen.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Forward { kubectl, port })
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("kubectl listens")
    }

    /// A request of `size` bytes comes back whole. `close`: that is all, says the client by closing its half.
    async fn comes_back(&self, size: usize, close: bool) {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n");
        let body: Vec<u8> = (0..size).map(|n| b'0' + (n * n % 61) as u8).collect();
        let request = [head.as_bytes(), &body, if close { b"" } else { b"end" }].concat();
        let (mut read, mut write) = self.connect().await.into_split();
        let send = async {
            write.write_all(&request).await.expect("sent");
            if close {
                write.shutdown().await.expect("closed");
            }
        };
        let mut answer = Vec::new();
        let both = async { tokio::join!(send, read.read_to_end(&mut answer)) };
        timeout(LONG, both).await.expect("an answer in time").1.expect("an answer");
        let begin = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.len());
        assert!(answer == [begin.as_bytes(), &request].concat(), "{size}: {} bytes came back", answer.len());
    }

    /// What it said, and with which code it ended.
    async fn ended(self) -> (Option<i32>, String) {
        let output = timeout(LONG, self.kubectl.wait_with_output()).await.expect("kubectl ends").expect("an output");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A pod of the Service `web`, with two ports on which one can talk.
async fn web(lab: &Lab) -> String {
    let spec = json!({"selector": {"app": "web"}, "ports": [{"name": "rest", "port": 80, "targetPort": 8008}]});
    lab.put("services", json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})).unwrap();
    lab.put("deployments.apps", deployment("web", 1, json!({"name": "a", "image": "lab/idle"}))).unwrap();
    settle(lab, "ready", || ready(lab, "web") == 1).await;
    let pod = name(&pods(lab, "web")[0]);
    echo(lab.node.sandbox("shop", &pod).expect("a sandbox").ip, 8008).await;
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_carries_connections_side_by_side() {
    let lab = lab().await;
    let pod = web(&lab).await;
    for what in [format!("pod/{pod}"), "deployment/web".into()] {
        let Some(forward) = Forward::start(&lab, &what, 8008).await else { return lab.stop().await };
        for size in [0, 10] {
            forward.comes_back(size, false).await;
        }
        let sizes = [1, 300_000, 5_000_000, 70_000, 5_000_000, 2];
        let all = sizes.iter().enumerate().map(|(n, size)| forward.comes_back(*size, n % 2 == 0));
        futures::future::join_all(all).await;
        // Somebody who goes away in the middle takes nobody along.
        forward.connect().await.write_all(b"half a request").await.expect("sent");
        forward.comes_back(1000, true).await;
    }
    Forward::start(&lab, "svc/web", 80).await.expect("kubectl").comes_back(5000, true).await;
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_says_that_a_port_refuses() {
    let lab = lab().await;
    let pod = web(&lab).await;
    let Some(forward) = Forward::start(&lab, &format!("pod/{pod}"), 8009).await else { return lab.stop().await };
    let mut nothing = Vec::new();
    timeout(LONG, forward.connect().await.read_to_end(&mut nothing)).await.expect("in time").expect("an end");
    assert_eq!(nothing, b"");
    // kubectl gives the whole forward up after that.
    let (code, said) = forward.ended().await;
    assert!(said.contains("error forwarding port 8009") && said.contains("Connection refused"), "{said}");
    assert!(code == Some(1) && said.contains("lost connection to pod"), "{code:?} {said}");
    // Its older dialect, which it tries when the WebSocket is refused.
    let mut older = kubectl(&lab, &format!("pod/{pod}"), 8008).expect("kubectl");
    older.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", "false");
    let output = timeout(LONG, older.output()).await.expect("kubectl ends").expect("an output");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SPDY without a WebSocket around it is not spoken here"), "{said}");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_and_its_connections_end_together() {
    let lab = lab().await;
    let pod = web(&lab).await;
    let ip = lab.node.sandbox("shop", &pod).expect("a sandbox").ip;
    let silent = TcpListener::bind((ip, 7007)).await.expect("a listener");
    // Killed, it leaves no connection in the pod.
    let Some(mut forward) = Forward::start(&lab, &format!("pod/{pod}"), 7007).await else { return lab.stop().await };
    let _client = forward.connect().await;
    let (mut inside, _) = timeout(LONG, silent.accept()).await.expect("in time").expect("a connection");
    forward.kubectl.kill().await.expect("killed");
    let end = timeout(LONG, inside.read(&mut [0; 8])).await.expect("the connection ends");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    // Cut, it says so and ends.
    let forward = Forward::start(&lab, "svc/web", 80).await.expect("kubectl");
    forward.comes_back(10, true).await;
    lab.node.cut("shop", &pod);
    let (code, said) = forward.ended().await;
    assert!(code == Some(1) && said.contains("lost connection to pod"), "{code:?} {said}");
    lab.stop().await;
}
