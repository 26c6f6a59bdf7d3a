//! kube-proxy and the endpoints controller: Services as TCP listeners that lead to a ready endpoint.
//!
//! Without an endpoint there is no listener, so that a client sees "Connection refused" as it does behind kube-proxy.
//! Connections that exist are left alone when endpoints change: they end when the pod behind them does.
use super::Node;
use crate::lab::api::store::Change;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
};

/// One listening port; dropping it closes the listener, not its connections.
struct Listener {
    targets: Arc<Mutex<Vec<SocketAddrV4>>>,
    _task: JoinSet<()>,
}

pub async fn run(node: Node, mut changes: Receiver<Change>) {
    let mut listeners = BTreeMap::new();
    loop {
        settle(&node, &mut listeners).await;
        if !wait_for_change(&mut changes).await {
            return;
        }
    }
}

/// False when the store is gone. A second without news is a reason to look too: a port that was taken may be free now.
async fn wait_for_change(changes: &mut Receiver<Change>) -> bool {
    let watched = |change: &Change| matches!(change.resource.as_str(), "services" | "pods" | "endpoints");
    let news = async {
        loop {
            match changes.recv().await {
                Ok(change) if !watched(&change) => {}
                Err(RecvError::Closed) => return false,
                Ok(_) | Err(RecvError::Lagged(_)) => return true,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(1), news).await.unwrap_or(true)
}

async fn settle(node: &Node, listeners: &mut BTreeMap<SocketAddrV4, Listener>) {
    let mut wanted: BTreeMap<SocketAddrV4, Vec<SocketAddrV4>> = BTreeMap::new();
    for service in node.store().list("services", None) {
        let (name, namespace) = (text(&service["metadata"]["name"]), text(&service["metadata"]["namespace"]));
        let ip = node.cluster_ip(name, namespace);
        let endpoints = match selector(&service) {
            Some(selector) => maintain(node, &service, &selector),
            None => node.store().get("endpoints", namespace, name).map(|e| e["subsets"].clone()).unwrap_or_default(),
        };
        let Some(ip) = ip else { continue };
        for port in array(&service["spec"]["ports"]) {
            if let Some(number) = port["port"].as_u64() {
                let targets = targets(&endpoints, port);
                if !targets.is_empty() {
                    wanted.insert(SocketAddrV4::new(ip, number as u16), targets);
                }
            }
        }
    }
    listeners.retain(|address, _| wanted.contains_key(address));
    for (address, targets) in wanted {
        if let Some(listener) = listeners.get(&address) {
            *super::hold(&listener.targets) = targets;
            continue;
        }
        match TcpListener::bind(address).await {
            Ok(socket) => drop(listeners.insert(address, listen(socket, targets))),
            Err(error) => tracing::warn!("cannot listen on Service address {address}: {error}"),
        }
    }
}

fn listen(socket: TcpListener, targets: Vec<SocketAddrV4>) -> Listener {
    let targets = Arc::new(Mutex::new(targets));
    let shared = targets.clone();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let turn = AtomicUsize::new(0);
        loop {
            let Ok((client, peer)) = socket.accept().await else { continue };
            let target = {
                let targets = super::hold(&shared);
                targets.get(turn.fetch_add(1, Ordering::Relaxed) % targets.len().max(1)).copied()
            };
            tokio::spawn(carry(client, peer, target));
        }
    });
    Listener { targets, _task: task }
}

async fn carry(mut client: TcpStream, peer: SocketAddr, target: Option<SocketAddrV4>) {
    let server = match target {
        Some(target) => connect_from(peer, target).await,
        None => Err(std::io::ErrorKind::ConnectionRefused.into()),
    };
    match server {
        Ok(mut server) => {
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            // Either end may vanish: that is what the connection is there to show.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        // A reset, not an orderly end: nothing listens there.
        Err(_) => drop(client.set_zero_linger()),
    }
}

/// Comes from the client's own address, as behind kube-proxy: pg_stat_activity.client_addr names the pod.
async fn connect_from(peer: SocketAddr, target: SocketAddrV4) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let IpAddr::V4(ip) = peer.ip() {
        socket.bind(SocketAddrV4::new(ip, 0).into())?;
    }
    socket.connect(target.into()).await
}

/// Writes the Endpoints object of a Service with a selector; returns its subsets.
fn maintain(node: &Node, service: &Value, selector: &[(&str, &str)]) -> Value {
    let metadata = &service["metadata"];
    let namespace = text(&metadata["namespace"]);
    let (mut ready, mut unready) = (vec![], vec![]);
    for pod in node.store().list_labelled("pods", namespace, selector) {
        let Some(ip) = pod["status"]["podIP"].as_str() else { continue };
        let reference = json!({"kind": "Pod", "namespace": namespace, "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]});
        let address = json!({"ip": ip, "targetRef": reference});
        let leaving = pod["metadata"]["deletionTimestamp"].is_string();
        let publish = service["spec"]["publishNotReadyAddresses"] == true;
        if publish || (is_ready(&pod) && !leaving) { &mut ready } else { &mut unready }.push(address);
    }
    let subsets = if ready.is_empty() && unready.is_empty() {
        json!([])
    } else {
        let mut subset = json!({"ports": ports(service)});
        for (key, addresses) in [("addresses", ready), ("notReadyAddresses", unready)] {
            if !addresses.is_empty() {
                subset[key] = addresses.into();
            }
        }
        json!([subset])
    };
    let owner = json!({"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]});
    let about = json!({"name": metadata["name"], "namespace": namespace, "ownerReferences": [owner]});
    write_endpoints(node, namespace, text(&metadata["name"]), about, &subsets);
    subsets
}

fn write_endpoints(node: &Node, namespace: &str, name: &str, metadata: Value, subsets: &Value) {
    let store = node.store();
    let written = match store.get("endpoints", namespace, name) {
        Some(object) if object["subsets"] == *subsets => return,
        Some(_) => store.update("endpoints", namespace, name, |object| object["subsets"] = subsets.clone()),
        None => store.create("endpoints", json!({"metadata": metadata, "subsets": subsets})),
    };
    // The Service may have gone since it was listed, with all that it owned by then.
    if store.get("services", namespace, name).is_none() {
        let _ = store.delete("endpoints", namespace, name);
        return;
    }
    if let Err(refusal) = written {
        tracing::warn!("cannot write endpoints {namespace}/{name}: {}", refusal.message);
    }
}

/// A Service's ports as Endpoints ports. A named targetPort is known to the pods only; the lab's all use numbers.
fn ports(service: &Value) -> Vec<Value> {
    let port = |port: &Value| {
        let number = port["targetPort"].as_u64().or(port["port"].as_u64());
        let mut out = json!({"port": number, "protocol": "TCP"});
        if let Some(name) = port["name"].as_str() {
            out["name"] = name.into();
        }
        out
    };
    array(&service["spec"]["ports"]).iter().map(port).collect()
}

/// Where one port of a Service leads to: the Endpoints port of the same name, or the only one.
fn targets(subsets: &Value, port: &Value) -> Vec<SocketAddrV4> {
    let mut found = vec![];
    for subset in array(subsets) {
        let ports = array(&subset["ports"]);
        let same =
            ports.iter().find(|p| p["name"] == port["name"]).or(if ports.len() == 1 { ports.first() } else { None });
        let number = same.unwrap_or(port)["port"].as_u64().or(port["targetPort"].as_u64());
        for address in array(&subset["addresses"]) {
            if let (Ok(ip), Some(number)) = (text(&address["ip"]).parse::<Ipv4Addr>(), number) {
                found.push(SocketAddrV4::new(ip, number as u16));
            }
        }
    }
    found
}

pub fn is_ready(pod: &Value) -> bool {
    array(&pod["status"]["conditions"]).iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn selector(service: &Value) -> Option<Vec<(&str, &str)>> {
    let selector = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty())?;
    Some(selector.iter().map(|(key, value)| (key.as_str(), text(value))).collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_port_leads_to_the_endpoints_port_of_its_name() {
        let subsets = json!([{"addresses": [{"ip": "127.9.1.1"}], "ports": [{"name": "sql", "port": 5432}, {"name": "rest", "port": 8008}]}]);
        let to = |port: Value| targets(&subsets, &port);
        assert_eq!(to(json!({"name": "rest", "port": 80})), ["127.9.1.1:8008".parse().unwrap()]);
        assert_eq!(to(json!({"name": "sql", "port": 5432})), ["127.9.1.1:5432".parse().unwrap()]);
        let only = json!([{"addresses": [{"ip": "127.9.1.2"}], "ports": [{"port": 5433}]}]);
        assert_eq!(targets(&only, &json!({"port": 5432})), ["127.9.1.2:5433".parse().unwrap()]);
    }
}
