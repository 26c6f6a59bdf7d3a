//! `pods/NAME:PORT/proxy/...` and `services/...`: plain HTTP to what stands behind the name, through the API server.

use super::{answer::typed, request::RequestInfo, store::Refusal, store::Store, ws::Body};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;

/// As the API server's own patience with a backend that does not answer the connection.
const CONNECT: Duration = Duration::from_secs(5);

pub async fn answer(store: &Store, info: &RequestInfo, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let address = backend(store, info)?;
    let unreachable = |why: String| {
        let message = format!("error trying to reach service: dial tcp {address}: {why}");
        Refusal::new(503, "ServiceUnavailable", message)
    };
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(&address)).await;
    let stream = connected.map_err(|_| unreachable("i/o timeout".into()))?.map_err(|e| unreachable(e.to_string()))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| unreachable(e.to_string()))?;
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.uri = format!("/{}{query}", info.rest)
        .parse::<Uri>()
        .map_err(|e| Refusal::new(400, "BadRequest", format!("the path behind /proxy is not one: {e}")))?;
    // The caller's token is for the API server alone.
    parts.headers.remove(http::header::AUTHORIZATION);
    if let Ok(host) = address.parse() {
        parts.headers.insert(http::header::HOST, host);
    }
    let sent = sender.send_request(Request::from_parts(parts, body)).await;
    let (parts, body) = sent.map_err(|e| unreachable(e.to_string()))?.into_parts();
    let bytes: Bytes = body.collect().await.map_err(|e| unreachable(e.to_string()))?.to_bytes();
    let mut response = typed(parts.status.as_u16(), "text/plain", bytes);
    if let Some(kind) = parts.headers.get(http::header::CONTENT_TYPE) {
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind.clone());
    }
    Ok(response)
}

/// `[scheme:]name[:port]` to an address; a port may be given by its name.
fn backend(store: &Store, info: &RequestInfo) -> Result<String, Refusal> {
    let named = info.name.as_deref().unwrap_or_default();
    let (scheme, name, port) = match named.split(':').collect::<Vec<_>>().as_slice() {
        [name] => ("", *name, ""),
        [name, port] if !matches!(*name, "http" | "https") => ("", *name, *port),
        [scheme, name] => (*scheme, *name, ""),
        [scheme, name, port] => (*scheme, *name, *port),
        _ => return Err(Refusal::new(400, "BadRequest", format!("invalid {} request {named:?}", info.resource))),
    };
    if scheme == "https" {
        return Err(Refusal::new(503, "ServiceUnavailable", format!("{name} has no TLS port in the lab")));
    }
    let object =
        store.get(&info.resource, &info.namespace, name).ok_or_else(|| Refusal::not_found(&info.resource, name))?;
    let (host, ports) = match info.resource.as_str() {
        "pods" => (&object["status"]["podIP"], ports_of_pod(&object)),
        _ => (&object["spec"]["clusterIP"], list(&object["spec"]["ports"]).to_vec()),
    };
    let number = |port: &Value| port["port"].as_u64().or(port["containerPort"].as_u64());
    let found = match port {
        "" => ports.first().and_then(number).or((info.resource == "pods").then_some(80)),
        port => port.parse().ok().or_else(|| ports.iter().find(|known| known["name"] == port).and_then(number)),
    };
    let missing = |what: &str| Refusal::new(503, "ServiceUnavailable", format!("no {what} available for {named:?}"));
    let host = host.as_str().filter(|host| !host.is_empty()).ok_or_else(|| missing("endpoints"))?;
    Ok(format!("{host}:{}", found.ok_or_else(|| missing("port"))?))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ports_of_pod(pod: &Value) -> Vec<Value> {
    list(&pod["spec"]["containers"]).iter().flat_map(|container| list(&container["ports"]).to_vec()).collect()
}
