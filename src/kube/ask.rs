//! One request to the API server: its deadline, what may be repeated, and errors that say what was asked of whom.
use super::{Kind, Kube, refusal::Refusal};
use crate::error::{Error, Result};
use http_body_util::BodyExt;
use std::{error::Error as StdError, sync::atomic::Ordering, time::Duration};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// The longest pause a server's Retry-After can make.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A request, and the words to speak of it.
pub(crate) struct Ask {
    pub method: http::Method,
    /// With its query.
    pub path: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// RBAC's verb and resource: `patch`, `clusters.postgresql.cnpg.io/database-cnpg`.
    pub verb: &'static str,
    pub resource: String,
    /// Asking twice is asking once: reads, dry runs, access reviews.
    pub repeatable: bool,
}

impl Ask {
    pub(crate) fn get(verb: &'static str, path: String, resource: String) -> Ask {
        Ask {
            method: http::Method::GET,
            path,
            content_type: "application/json",
            body: Vec::new(),
            verb,
            resource,
            repeatable: true,
        }
    }
}

/// Whether sending failed before the request can have reached the server.
fn never_sent(error: &::kube::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut connect = false;
    while let Some(current) = next {
        connect |= current.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect());
        // A certificate that does not match today will not match in a second.
        if current.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::InvalidData) {
            return false;
        }
        next = current.source();
    }
    connect
}

/// The text of the innermost cause: `Connection refused (os error 111)` rather than `client error (Connect)`.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut current = error;
    while let Some(next) = current.source() {
        current = next;
    }
    current.to_string()
}

/// What one try came to when it was not an answer.
pub(crate) enum Trouble {
    Refused(Refusal),
    Lost(::kube::Error),
}

impl From<::kube::Error> for Trouble {
    fn from(error: ::kube::Error) -> Trouble {
        match error {
            ::kube::Error::Api(status) => Trouble::Refused(Refusal::of(&status)),
            error => Trouble::Lost(error),
        }
    }
}

impl Trouble {
    pub(crate) fn again(&self, repeatable: bool) -> bool {
        match self {
            Trouble::Refused(refusal) => refusal.turned_away() || (repeatable && refusal.passing()),
            Trouble::Lost(::kube::Error::Auth(_)) => false,
            Trouble::Lost(error) => repeatable || never_sent(error),
        }
    }

    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let own = Duration::from_millis(100 << attempt.min(5));
        match self {
            Trouble::Refused(Refusal { retry_after: Some(wanted), .. }) => own.max(*wanted).min(LONGEST_PAUSE),
            _ => own,
        }
    }
}

impl Kube {
    /// The answer's body. Refusals are in the error's chain (`super::refusal::of`).
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<String> {
        let tries = async {
            let mut attempt = 0;
            loop {
                let trouble = match self.once(ask).await {
                    Ok(text) => return Ok(text),
                    Err(trouble) => trouble,
                };
                attempt += 1;
                if attempt == ATTEMPTS || !trouble.again(ask.repeatable) {
                    return Err(self.explain(trouble, ask.verb, &ask.resource));
                }
                tokio::time::sleep(trouble.pause(attempt)).await;
            }
        };
        match tokio::time::timeout(self.deadline, tries).await {
            Ok(done) => done,
            Err(_) => Err(self.late(ask.verb, &ask.resource, self.deadline)),
        }
    }

    async fn once(&self, ask: &Ask) -> Result<String, Trouble> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let request = http::Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(http::header::CONTENT_TYPE, ask.content_type)
            .header(http::header::ACCEPT, "application/json")
            .body(ask.body.clone().into())
            .map_err(::kube::Error::HttpError)?;
        let response = self.client.send(request).await?;
        let code = response.status();
        let after = response.headers().get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if code.is_success() {
            return Ok(text);
        }
        Err(Trouble::Refused(Refusal::read(code.as_u16(), after.map(Duration::from_secs), &text)))
    }

    pub(crate) fn explain(&self, trouble: Trouble, verb: &str, resource: &str) -> Error {
        let what = format!("cannot {verb} {resource} in namespace {}", self.namespace);
        match trouble {
            Trouble::Refused(refusal) if refusal.code == 403 => Error::failed(what)
                .hint(format!("kubectl auth can-i {verb} {resource} -n {}", self.namespace))
                .cause(refusal),
            Trouble::Refused(refusal) if refusal.code == 401 => {
                Error::failed(format!("the API server {} does not accept the credentials", self.server))
                    .hint("kubectl auth whoami")
                    .cause(refusal)
            }
            Trouble::Refused(refusal) => Error::failed(what).cause(refusal),
            Trouble::Lost(::kube::Error::Auth(cause)) => {
                Error::failed(format!("no credentials for the API server {}", self.server))
                    .hint("kubectl auth whoami")
                    .cause(cause)
            }
            Trouble::Lost(cause) if never_sent(&cause) => {
                Error::failed(format!("cannot reach the API server {}: {}", self.server, innermost(&cause)))
                    .hint("kubectl cluster-info")
                    .cause(cause)
            }
            Trouble::Lost(cause) => Error::failed(format!(
                "{what}: the connection to the API server {} failed: {}",
                self.server,
                innermost(&cause)
            ))
            .cause(cause),
        }
    }

    pub(crate) fn late(&self, verb: &str, resource: &str, after: Duration) -> Error {
        Error::failed(format!(
            "cannot {verb} {resource} in namespace {}: no answer from the API server {} in {} s",
            self.namespace,
            self.server,
            after.as_secs_f32()
        ))
        .cause(TimedOut)
        .hint("kubectl cluster-info, or a longer --request-timeout")
    }

    /// `/apis/apps/v1/namespaces/<ns>/deployments[/<name>]`; `everywhere` leaves the namespace out.
    pub(crate) fn path(&self, kind: &Kind, everywhere: bool, name: Option<&str>) -> String {
        let mut path = match kind.group {
            "" => format!("/api/{}", kind.version),
            group => format!("/apis/{group}/{}", kind.version),
        };
        if kind.namespaced() && !everywhere {
            path.push_str(&format!("/namespaces/{}", escape(&self.namespace)));
        }
        path.push_str(&format!("/{}", kind.plural));
        if let Some(name) = name {
            path.push_str(&format!("/{}", escape(name)));
        }
        path
    }
}

/// The answer did not come; what was asked may have been done.
#[derive(Debug, thiserror::Error)]
#[error("timed out")]
pub(crate) struct TimedOut;

pub(crate) fn escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
