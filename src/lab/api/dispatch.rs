//! One request: identity, access, faults, and who answers it.

use super::{
    answer::{json_response, read, refused},
    discovery, proxy,
    request::{self, RequestInfo},
    resources::Resource,
    review, schema,
    server::{Shared, Verdict},
    store::Refusal,
    verbs, watch,
    ws::{self, Body},
};
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use std::collections::BTreeMap;

/// None: the connection is closed without an answer.
type Outcome = Result<Option<Response<Body>>, Refusal>;

/// An error here closes the connection without an answer.
pub(super) async fn respond(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, &'static str> {
    let path = request.uri().path().to_string();
    let query = request.uri().query().unwrap_or_default();
    let parsed = request::parse(request.method(), &path, query).map(|(mut info, resource)| {
        info.header(request.headers());
        (info, resource)
    });
    let (outcome, info) = match parsed {
        Some((mut info, resource)) => (object(shared, request, &mut info, resource).await, Some(info)),
        None => (other(shared, request, &path).await, None),
    };
    match outcome {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err("dropped by a fault"),
        Err(refusal) => Ok(refused(&refusal, info.as_ref())),
    }
}

/// Paths that lead to no object.
async fn other(shared: &Shared, request: Request<Incoming>, path: &str) -> Outcome {
    let user = shared.access.user(request.headers())?;
    let Some(plural) = review::plural(path) else {
        return discovery::answer(path, request.headers(), &shared.store).map(Some);
    };
    if request.method() != Method::POST {
        let message = "the server does not allow this method on the requested resource";
        return Err(Refusal::new(405, "MethodNotAllowed", message));
    }
    let mut info = about(path, plural);
    shared.count(&info);
    let body = read(request).await?;
    info.body = Some(body.clone());
    if let Some(instead) = fault(shared.faults.before(&info)).await {
        return Ok(instead);
    }
    let response = review::answer(&shared.store, &user, plural, body)?;
    Ok(fault(shared.faults.after(&info, 201)).await.unwrap_or(Some(response)))
}

fn about(path: &str, plural: &str) -> RequestInfo {
    RequestInfo {
        verb: "create",
        group: path.split('/').nth(2).unwrap_or_default().into(),
        resource: plural.into(),
        subresource: None,
        namespace: String::new(),
        name: None,
        body: None,
        watch: false,
        query: BTreeMap::new(),
        content_type: String::new(),
        rest: String::new(),
        agent: String::new(),
    }
}

async fn object(
    shared: &Shared,
    request: Request<Incoming>,
    info: &mut RequestInfo,
    resource: &'static Resource,
) -> Outcome {
    let user = shared.access.user(request.headers())?;
    shared.count(info);
    user.check(&shared.store, info)?;
    let sub = info.subresource.clone().unwrap_or_default();
    let streams = resource.key() == "pods" && matches!(sub.as_str(), "exec" | "portforward" | "log");
    if streams && matches!(*request.method(), Method::GET | Method::POST) {
        if let Some(instead) = fault(shared.faults.before(info)).await {
            return Ok(instead);
        }
        let pod = info.name.clone().unwrap_or_default();
        let (faults, about) = (shared.faults.clone(), info.clone());
        let lost: ws::Lost = Box::new(move |said| {
            let body = (!said.is_empty()).then(|| String::from_utf8_lossy(said).into());
            !matches!(faults.after(&RequestInfo { body, ..about }, 101), Verdict::Pass)
        });
        return ws::serve(&shared.store, &shared.node, request, &info.namespace, &pod, &sub, lost).await.map(Some);
    }
    if sub == "proxy" && matches!(resource.key().as_str(), "pods" | "services") {
        if let Some(instead) = fault(shared.faults.before(info)).await {
            return Ok(instead);
        }
        let response = proxy::answer(&shared.store, info, request).await?;
        return Ok(fault(shared.faults.after(info, 200)).await.unwrap_or(Some(response)));
    }
    let table = wants(request.headers(), "as=Table");
    if request.method() != Method::GET {
        info.body = Some(read(request).await?);
    }
    if let Some(instead) = fault(shared.faults.before(info)).await {
        return Ok(instead);
    }
    if info.watch {
        return watch::answer(&shared.store, resource, info, table).map(Some);
    }
    if let Some(body) = &info.body {
        schema::admit(resource, info, body)?;
    }
    let (status, value) = verbs::answer(&shared.store, resource, info, table)?;
    let response = json_response(status, &value);
    Ok(fault(shared.faults.after(info, status)).await.unwrap_or(Some(response)))
}

pub fn wants(headers: &HeaderMap, what: &str) -> bool {
    headers.get("accept").and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains(what))
}

/// Some: what happens instead. Some(None): the connection is closed.
async fn fault(verdict: Verdict) -> Option<Option<Response<Body>>> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Drop => Some(None),
        Verdict::Answer(code, reason, message) => Some(Some(refused(&Refusal::new(code, reason, message), None))),
        Verdict::Delay(time) => {
            tokio::time::sleep(time).await;
            None
        }
    }
}
