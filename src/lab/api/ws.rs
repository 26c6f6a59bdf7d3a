//! `pods/exec`, `pods/portforward` and `pods/log`: what the API server hands on to the kubelet.
//!
//! The server calls [`serve`] for these three; a [`Refusal`] is answered as a metav1.Status like any other.
mod channel;
mod exec;
mod forward;
mod log;
mod spdy;
mod tty;
mod tunnel;

use super::store::{Refusal, Store};
use crate::lab::node::{Node, Sandbox};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Bytes;
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};

pub type Body = BoxBody<Bytes, Infallible>;

/// Asked when a command in a pod has come to its end, or a forwarded port begins to answer what was said to it: true, and
/// the answer gets lost on the way.
pub type Lost = Box<dyn FnOnce(&[u8]) -> bool + Send>;

/// `subresource`: "exec", "portforward" or "log". For the first two the answer is 101 and the connection is taken over:
/// the server must serve it `with_upgrades`. The request's body is not looked at.
pub async fn serve<B>(
    store: &Store,
    node: &Node,
    request: Request<B>,
    namespace: &str,
    pod: &str,
    subresource: &str,
    lost: Lost,
) -> Result<Response<Body>, Refusal> {
    let Some(object) = store.get("pods", namespace, pod) else {
        return Err(refuse(404, "NotFound", format!("pods \"{pod}\" not found")));
    };
    let target = Target { node: node.clone(), namespace: namespace.into(), pod: pod.into(), object };
    let query = Query::of(request.uri().query().unwrap_or_default());
    match subresource {
        "exec" => exec::answer(target, &query, request, lost),
        "portforward" => forward::answer(target, &query, request, lost),
        "log" => log::answer(target, &query),
        other => Err(refuse(404, "NotFound", format!("the server could not find the requested resource pods/{other}"))),
    }
}

/// The pod that a request is about.
struct Target {
    node: Node,
    namespace: String,
    pod: String,
    object: Arc<Value>,
}

impl Target {
    /// The container that is meant: the only one if none is named.
    fn container(&self, named: Option<&str>) -> Result<String, Refusal> {
        let all = ["containers", "initContainers"].map(|key| names(&self.object["spec"][key]));
        let pod = &self.pod;
        match (named.filter(|name| !name.is_empty()), all[0].as_slice()) {
            (Some(name), _) if all.concat().iter().any(|known| known == name) => Ok(name.to_owned()),
            (Some(name), _) => Err(bad_request(format!("container {name} is not valid for pod {pod}"))),
            (None, [only]) => Ok(only.clone()),
            (None, many) => {
                let many = many.join(" ");
                Err(bad_request(format!("a container name must be specified for pod {pod}, choose one of: [{many}]")))
            }
        }
    }

    /// Where a running container lives; `None` when it does not run now.
    fn running(&self, container: &str) -> Option<Sandbox> {
        let statuses = self.object["status"]["containerStatuses"].as_array();
        let status = statuses.and_then(|all| all.iter().find(|status| status["name"] == container));
        let down = status.is_some_and(|status| status["state"]["running"].is_null() && status["state"].is_object());
        if down { None } else { self.node.sandbox(&self.namespace, &self.pod) }
    }
}

fn names(containers: &Value) -> Vec<String> {
    let containers = containers.as_array().map(Vec::as_slice).unwrap_or_default();
    containers.iter().filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
}

/// Query parameters, in order, keys repeated.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(text: &str) -> Query {
        Query(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }
    fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(k, _)| k == key).map(|(_, value)| value.clone()).collect()
    }
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
    fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1"))
    }
    /// Err: 400, as the API server's own.
    fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let wrong = |text| bad_request(format!("unable to decode \"{text}\" as query parameter {key}"));
        self.get(key).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }
}

fn refuse(code: u16, reason: &'static str, message: String) -> Refusal {
    Refusal { code, reason, message, causes: vec![] }
}

fn bad_request(message: String) -> Refusal {
    refuse(400, "BadRequest", message)
}

/// `Upgrade: SPDY/3.1`, what kubectl's port-forward tries when the WebSocket was refused.
fn is_plain_spdy(headers: &http::HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().starts_with(b"SPDY"))
}

/// 101 with the subprotocol chosen, and the future connection.
fn upgrade<B>(
    mut request: Request<B>,
    supported: &[&'static str],
) -> Result<(Response<Body>, hyper::upgrade::OnUpgrade, &'static str), Refusal> {
    let headers = request.headers();
    let offered: Vec<&str> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(bad_request("Upgrade request required".into()));
    };
    let Some(protocol) = supported.iter().find(|protocol| offered.contains(protocol)) else {
        let message = format!("unable to upgrade: none of the protocols {offered:?} is supported ({supported:?} are)");
        return Err(refuse(403, "Forbidden", message));
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, *protocol)
        .body(Empty::new().boxed())
        .map_err(|error| refuse(500, "InternalError", format!("cannot answer the upgrade: {error}")))?;
    Ok((response, hyper::upgrade::on(&mut request), protocol))
}
