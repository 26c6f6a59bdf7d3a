//! Where a backup store is and how one gets in: from an ObjectStore and its Secrets (cnpg.md 8).

use crate::{
    error::{Context, Error, Result},
    kube::{Kube, kind},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::SecretString;
use serde_json::Value;

/// A prefix in a bucket. Its Debug text holds no key: secrecy masks both.
#[derive(Debug, Clone)]
pub struct Store {
    /// With scheme, without bucket: `https://s3.example.org:9000`.
    pub endpoint: url::Url,
    pub bucket: String,
    /// Without slashes at its ends; "" for the whole bucket.
    pub prefix: String,
    pub region: String,
    pub access_key: SecretString,
    pub secret_key: SecretString,
    pub session_token: Option<SecretString>,
    /// PEM; in place of the public authorities, as barman's endpointCA is.
    pub ca: Option<Vec<u8>>,
}

impl Store {
    /// The same bucket at another prefix.
    pub fn at(mut self, prefix: &str) -> Store {
        self.prefix = prefix.trim_matches('/').into();
        self
    }

    /// Reads `objectstores.barmancloud.cnpg.io/NAME` and the Secrets it refers to.
    pub async fn of_object_store(kube: &Kube, name: &str) -> Result<Store> {
        let place = || format!("objectstore/{name}");
        let object = kube.get(&kind::OBJECT_STORE, name).await?;
        let object =
            object.ok_or_else(|| Error::failed(format!("{} is not in namespace {}", place(), kube.namespace())))?;
        read(kube, &object).await.with_context(place)
    }

    /// The first ObjectStore of the namespace, by name, whose destination is in that bucket.
    pub async fn of_bucket(kube: &Kube, bucket: &str) -> Result<Store> {
        let mut stores = kube.list(&kind::OBJECT_STORE, "").await?;
        let name = |o: &Value| text(o, "/metadata/name").to_string();
        stores.sort_by_key(name);
        let found = stores.iter().find(|o| destination(o).is_ok_and(|(b, _)| b == bucket));
        let object = found.ok_or_else(|| {
            let namespace = kube.namespace();
            Error::failed(format!(
                "no ObjectStore in namespace {namespace} is in bucket {bucket:?}: its keys are not known"
            ))
        })?;
        read(kube, object).await.with_context(|| format!("objectstore/{}", name(object)))
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Bucket and prefix of `spec.configuration.destinationPath`.
fn destination(object: &Value) -> Result<(String, String)> {
    let path = text(object, "/spec/configuration/destinationPath");
    let rest =
        path.strip_prefix("s3://").ok_or_else(|| Error::failed(format!("destinationPath {path:?} is not s3://")))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((bucket.into(), prefix.trim_matches('/').into()))
}

async fn read(kube: &Kube, object: &Value) -> Result<Store> {
    let (bucket, prefix) = destination(object)?;
    let keys = object.pointer("/spec/configuration/s3Credentials").cloned().unwrap_or_default();
    if keys.get("inheritFromIAMRole").and_then(Value::as_bool) == Some(true) {
        return Err(Error::failed("its login is the pods' own (inheritFromIAMRole): it cannot be used from here"));
    }
    let region = match keys.get("region") {
        Some(reference) => plain(secret(kube, reference).await?)?,
        None => "us-east-1".into(), // what barman's client takes when nothing is said
    };
    let endpoint = match text(object, "/spec/configuration/endpointURL") {
        "" => format!("https://s3.{region}.amazonaws.com"),
        given => given.to_string(),
    };
    let session_token = match keys.get("sessionToken") {
        Some(reference) => Some(plain(secret(kube, reference).await?)?.into()),
        None => None,
    };
    let ca = match object.pointer("/spec/configuration/endpointCA") {
        Some(reference) => Some(secret(kube, reference).await?),
        None => None,
    };
    Ok(Store {
        endpoint: endpoint.parse().with_context(|| format!("endpointURL {endpoint:?}"))?,
        bucket,
        prefix,
        region,
        access_key: plain(secret(kube, &keys["accessKeyId"]).await?)?.into(),
        secret_key: plain(secret(kube, &keys["secretAccessKey"]).await?)?.into(),
        session_token,
        ca,
    })
}

/// `{name, key}` -> the bytes. Errors name the Secret and the key, never what they hold.
async fn secret(kube: &Kube, reference: &Value) -> Result<Vec<u8>> {
    let (name, key) = (text(reference, "/name"), text(reference, "/key"));
    if name.is_empty() || key.is_empty() {
        return Err(Error::failed("spec.configuration.s3Credentials is incomplete"));
    }
    let object =
        kube.get(&kind::SECRET, name).await?.ok_or_else(|| Error::failed(format!("secret/{name} is missing")))?;
    let encoded =
        object["data"][key].as_str().ok_or_else(|| Error::failed(format!("secret/{name} has no key {key}")))?;
    BASE64_STANDARD.decode(encoded).map_err(|_| Error::failed(format!("secret/{name} key {key} is not base64")))
}

/// Keys pasted with their line end are common, and no key ends with one.
fn plain(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|_| Error::failed("a login of the store is not UTF-8"))?;
    Ok(text.trim_end().into())
}
