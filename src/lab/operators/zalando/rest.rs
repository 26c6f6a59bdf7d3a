//! Patroni's REST interface: podIP:8008, plain HTTP, no authentication.
use super::{
    actions::{self, Answer},
    member::{Member, VERSION, of_cluster},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMIT: usize = 1 << 20;

pub async fn serve(member: Arc<Member>, stop: CancellationToken) {
    let address = (member.server.ip, 8008);
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return member.log("ERROR", &format!("cannot listen on {}:8008: {error}", member.server.ip)),
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (member, stop) = (member.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(member.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // A client that went away is no news.
                _ = connection => {}
            }
        });
    }
}

async fn answer(member: Arc<Member>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = match http_body_util::Limited::new(request.into_body(), LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(respond((400, error.to_string()), false)),
    };
    if method == Method::GET || method == Method::HEAD || method == Method::OPTIONS {
        return Ok(respond(read(&member, &path).await, true));
    }
    let body = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice::<Value>(&body) };
    let Ok(body) = body else { return Ok(respond((400, "invalid json body".into()), false)) };
    Ok(match (method, path.as_str()) {
        (Method::PATCH, "/config") => respond(patch(&member, &body), true),
        (Method::POST, "/restart") => respond(actions::restart(&member, &body).await, false),
        (Method::POST, "/switchover" | "/failover") => respond(actions::switchover(&member, &body).await, false),
        (Method::POST, "/reload") => {
            member.work.lock().await.reload = true;
            respond((202, "reload scheduled".into()), false)
        }
        _ => respond((501, "Unsupported method".into()), false),
    })
}

fn respond((code, text): Answer, json: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if json { "application/json" } else { "text/html" };
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

fn patch(member: &Member, body: &Value) -> Answer {
    if !body.is_object() {
        return (400, "\"invalid json\"".into());
    }
    match member.dcs.patch_config(body) {
        Some(config) => {
            // Patroni wakes the member that was asked; the others see it in their next turn.
            member.wake.notify_one();
            (200, config.to_string())
        }
        None => (502, "\"the cluster has no configuration yet\"".into()),
    }
}

async fn read(member: &Arc<Member>, path: &str) -> Answer {
    match path {
        "/config" => member.dcs.config().map_or((502, "null".into()), |config| (200, config.to_string())),
        "/history" => (200, member.dcs.history().to_string()),
        "/cluster" => (200, cluster(member).to_string()),
        "/liveness" => (200, state(member).await.0.to_string()),
        "/patroni" => (200, state(member).await.0.to_string()),
        _ => {
            let (state, primary) = state(member).await;
            let running = state["state"] == "running";
            let leads = primary && member.dcs.leader().as_deref() == Some(&member.name);
            let healthy = match path {
                "/" | "/primary" | "/master" | "/leader" | "/read-write" => running && leads,
                "/replica" => running && !primary,
                "/health" => running,
                "/readiness" | "/read-only" => running && (leads || !primary),
                _ => false,
            };
            (if healthy { 200 } else { 503 }, state.to_string())
        }
    }
}

/// The document of GET /patroni, and whether this member is a primary.
async fn state(member: &Arc<Member>) -> (Value, bool) {
    let paused = member.paused.load(Ordering::Relaxed);
    let about = json!({"version": VERSION, "scope": member.dcs.cluster, "name": member.name});
    let (mut state, primary) = match member.restapi.status(&member.server).await {
        Ok(status) => {
            let xlog = if status.recovery {
                json!({"received_location": status.received, "replayed_location": status.location, "replayed_timestamp": null, "paused": status.replay_paused})
            } else {
                json!({"location": status.location})
            };
            let mut state = json!({
                "state": "running", "postmaster_start_time": status.started, "role": if status.recovery { "replica" } else { "primary" },
                "server_version": status.version, "xlog": xlog, "timeline": status.timeline,
            });
            if status.recovery && status.streaming == Some(true) {
                state["replication_state"] = "streaming".into();
            }
            if status.replication.as_array().is_some_and(|list| !list.is_empty()) {
                state["replication"] = status.replication.clone();
            }
            if status.pending_restart || member.stale_options().await {
                state["pending_restart"] = true.into();
            }
            (state, !status.recovery)
        }
        Err(_) => {
            let primary = !member.is_standby_on_disk();
            let role = if primary { "primary" } else { "replica" };
            (json!({"state": member.stopped_state(), "role": role}), primary)
        }
    };
    if paused {
        state["pause"] = true.into();
    }
    state["dcs_last_seen"] = jiff::Timestamp::now().as_second().into();
    state["database_system_identifier"] = member.dcs.initialize().into();
    state["patroni"] = about;
    (state, primary)
}

/// GET /cluster: as the members last wrote about themselves in the DCS.
fn cluster(member: &Arc<Member>) -> Value {
    let leader = member.dcs.leader();
    let mut shown: Vec<(String, Value)> = vec![];
    for other in of_cluster(&member.context, &member.dcs) {
        let Some(pod) = member.context.store.get("pods", &member.dcs.namespace, &other.name) else { continue };
        let text = pod["metadata"]["annotations"]["status"].as_str().unwrap_or("{}");
        shown.push((other.name.clone(), serde_json::from_str(text).unwrap_or_default()));
    }
    let top =
        shown.iter().find(|(name, _)| Some(name) == leader.as_ref()).and_then(|(_, s)| s["xlog_location"].as_u64());
    let describe = |(name, status): &(String, Value)| {
        let leads = Some(name) == leader.as_ref();
        let host = status["conn_url"].as_str().and_then(|url| url.strip_prefix("postgres://")?.split(':').next());
        let state =
            if status["replication_state"] == "streaming" { &status["replication_state"] } else { &status["state"] };
        let role = if leads { "leader" } else { "replica" };
        let mut out = json!({"name": name, "role": role, "state": state, "api_url": status["api_url"], "host": host, "port": 5432});
        if !status["timeline"].is_null() {
            out["timeline"] = status["timeline"].clone();
        }
        if status["pending_restart"] == true {
            out["pending_restart"] = true.into();
        }
        if !leads {
            let lag = top.zip(status["xlog_location"].as_u64()).map(|(top, own)| top.saturating_sub(own));
            out["lag"] = lag.map_or_else(|| "unknown".into(), Value::from);
        }
        out
    };
    let mut document = json!({"members": shown.iter().map(describe).collect::<Vec<_>>(), "scope": member.dcs.cluster});
    if member.dcs.paused() {
        document["pause"] = true.into();
    }
    document
}
