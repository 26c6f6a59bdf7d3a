//! GET with a deadline, and again when the server or the way to it failed. Errors hold no URL: it is signed.

use super::Store;
use crate::error::{Context, Error, Result};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Legacy, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::time::Duration;

/// One request, from the connection to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(30);
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A page of 1000 keys of the longest kind is far below.
const ANSWER_MOST: usize = 16 << 20;

pub(super) struct Client(Legacy<HttpsConnector<HttpConnector>, Empty<Bytes>>);

enum Failure {
    /// The server, or the way to it: the same request may succeed.
    Passing(Error),
    Final(Error),
}

impl Client {
    pub fn new(store: &Store) -> Result<Client> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match &store.ca {
            None => builder
                .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
                .context("cannot set up TLS")?,
            Some(pem) => builder.with_tls_config(trusting(pem)?),
        };
        let connector = builder.https_or_http().enable_http1().build();
        Ok(Client(Legacy::builder(TokioExecutor::new()).build(connector)))
    }

    /// The body of a 200. `sign` makes a URL for each try: a signature ages.
    pub async fn get(&self, what: &str, sign: impl Fn() -> url::Url) -> Result<String> {
        let mut pause = FIRST_PAUSE;
        for n in 1.. {
            let tried = tokio::time::timeout(DEADLINE, self.once(sign())).await;
            let late = || Failure::Passing(Error::failed(format!("no answer within {} s", DEADLINE.as_secs())));
            match tried.unwrap_or_else(|_| Err(late())) {
                Ok(body) => return Ok(body),
                Err(Failure::Passing(error)) if n == TRIES => return Err(error).context(format!("{what}, {n} times")),
                Err(Failure::Final(error)) => return Err(error).context(what),
                Err(Failure::Passing(_)) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
        unreachable!("the loop above has no other end")
    }

    async fn once(&self, url: url::Url) -> Result<String, Failure> {
        let bug = |_| Failure::Final(Error::bug("a signed URL is not a URI"));
        let uri: hyper::Uri = url.as_str().parse().map_err(bug)?;
        let response = self.0.get(uri).await.map_err(|e| Failure::Passing(Error::failed("no connection").cause(e)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MOST).collect().await;
        let body = body.map_err(|e| Failure::Passing(Error::failed("the answer broke off").cause(e)))?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let error = refusal(status.as_u16(), &text);
        // 429, SlowDown (503) and RequestTimeout (400) ask to come again.
        let passing = status.is_server_error() || status.as_u16() == 429 || error.what.contains("RequestTimeout");
        Err(if passing { Failure::Passing(error) } else { Failure::Final(error) })
    }
}

fn trusting(pem: &[u8]) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| Error::failed(format!("endpointCA is not PEM: {e}")))?;
        roots.add(certificate).context("endpointCA")?;
    }
    if roots.is_empty() {
        return Err(Error::failed("endpointCA holds no certificate"));
    }
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.context("cannot set up TLS")?.with_root_certificates(roots).with_no_client_auth())
}

/// `403 SignatureDoesNotMatch: the message`, from the XML body (S3 API reference, "Error responses").
pub(super) fn refusal(status: u16, body: &str) -> Error {
    let said = match (tag(body, "Code"), tag(body, "Message")) {
        (Some(code), Some(message)) => format!("{status} {code}: {message}"),
        (Some(code), None) => format!("{status} {code}"),
        _ => format!("{status}"),
    };
    let error = Error::failed(format!("the store answered {said}"));
    match tag(body, "Code").as_deref() {
        Some("NoSuchBucket") => {
            error.hint("kubectl get objectstores.barmancloud.cnpg.io -o yaml  # destinationPath names the bucket")
        }
        Some("RequestTimeTooSkewed") => {
            error.hint("this machine's clock is wrong: compare `date -u` with the server's")
        }
        _ => error,
    }
}

/// The text of the first such element; S3's error bodies are flat. The five XML entities are put back.
fn tag(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    Some(entities.iter().fold(text.trim().to_string(), |text, (entity, plain)| text.replace(entity, plain)))
}
