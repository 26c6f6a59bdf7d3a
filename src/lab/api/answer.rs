//! Bodies in and out: what a client sent, and what it is told.

use super::{protobuf, request::RequestInfo, store::Refusal, ws::Body};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use std::convert::Infallible;

pub fn json_response(status: u16, value: &Value) -> Response<Body> {
    typed(status, "application/json", value.to_string().into())
}

pub fn typed(status: u16, content_type: &str, body: Bytes) -> Response<Body> {
    let body: Body = Full::new(body).map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = content_type.parse() {
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    }
    response
}

/// metav1.Status; `info` tells what it is about.
pub fn status(refusal: &Refusal, info: Option<&RequestInfo>) -> Value {
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": refusal.message, "reason": refusal.reason, "code": refusal.code,
    });
    // errors.NewGenericServerResponse and friends: an unforeseen error has no reason.
    if refusal.reason.is_empty() {
        status.as_object_mut().map(|status| status.remove("reason"));
    }
    let mut details = json!({});
    if let Some(info) = info {
        details["name"] = json!(info.name);
        details["group"] = json!(info.group);
        details["kind"] = json!(info.resource);
    }
    if !refusal.causes.is_empty() {
        details["causes"] = json!(refusal.causes);
    }
    if refusal.code == 429 {
        details["retryAfterSeconds"] = json!(1);
    }
    if let Value::Object(map) = &mut details {
        map.retain(|_, value| !value.is_null() && value != "");
        if !map.is_empty() {
            status["details"] = details;
        }
    }
    status
}

pub fn refused(refusal: &Refusal, info: Option<&RequestInfo>) -> Response<Body> {
    let mut response = json_response(refusal.code, &status(refusal, info));
    if refusal.code == 429 {
        response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    }
    response
}

/// YAML and protobuf as well as JSON: `kubectl apply --server-side` sends the first, `kubectl create` the second.
pub async fn read(request: Request<Incoming>) -> Result<Value, Refusal> {
    let bad = |what: String| Refusal::new(400, "BadRequest", what);
    let bytes = request.into_body().collect().await.map_err(|e| bad(format!("the body was cut: {e}")))?.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if let Some(object) = protobuf::read(&bytes) {
        return object.map_err(|message| Refusal::new(415, "UnsupportedMediaType", message));
    }
    serde_json::from_slice(&bytes).or_else(|_| {
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("the body is not text".into()))?;
        serde_saphyr::from_str(text).map_err(|e| bad(format!("the body is neither JSON nor YAML: {e}")))
    })
}
