//! ListObjectsV2, page by page.

use super::{Store, client::Client};
use crate::error::{Context, Error, Result};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle, actions::ListObjectsV2};
use secrecy::ExposeSecret;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Object {
    pub key: String,
    pub bytes: u64,
    /// As the store gives it, quotes included.
    pub etag: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Total {
    pub objects: u64,
    pub bytes: u64,
}

/// A signature's life: a request is sent at once.
const SIGNED_FOR: Duration = Duration::from_secs(120);

impl Store {
    /// How much is under the prefix. A store that is empty there and a wrong prefix look the same: 0 objects.
    pub async fn size(&self) -> Result<Total> {
        let mut total = Total::default();
        self.pages(|object| {
            total.objects += 1;
            total.bytes += object.bytes;
        })
        .await?;
        Ok(total)
    }

    /// Every object under the prefix, in the store's order (by key).
    pub async fn list(&self) -> Result<Vec<Object>> {
        let mut all = Vec::new();
        self.pages(|object| all.push(object)).await?;
        Ok(all)
    }

    async fn pages(&self, mut each: impl FnMut(Object)) -> Result<()> {
        let client = Client::new(self)?;
        let bucket = Bucket::new(self.endpoint.clone(), UrlStyle::Path, self.bucket.clone(), self.region.clone())
            .map_err(|e| Error::failed(format!("endpoint {} with bucket {:?}: {e}", self.endpoint, self.bucket)))?;
        let credentials = self.credentials();
        // With its slash: `backups` must not count `backups-old`.
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let what = format!("listing s3://{}/{prefix} at {}", self.bucket, self.endpoint);
        let mut token: Option<String> = None;
        loop {
            let sign = || {
                let mut action = bucket.list_objects_v2(Some(&credentials));
                action.with_prefix(prefix.as_str());
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                action.sign(SIGNED_FOR)
            };
            let body = client.get(&what, sign).await?;
            let page =
                ListObjectsV2::parse_response(&body).map_err(|e| Error::failed(format!("not an S3 listing: {e}")));
            let page = page.with_context(|| what.clone())?;
            for found in page.contents {
                each(Object { key: found.key, bytes: found.size.unwrap_or(0), etag: found.etag });
            }
            match page.next_continuation_token {
                // A server that hands out the same token for ever would be listed for ever.
                Some(next) if Some(&next) == token.as_ref() => {
                    return Err(Error::failed("the store's listing does not go on")).context(what);
                }
                Some(next) => token = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn credentials(&self) -> Credentials {
        let (key, secret) = (self.access_key.expose_secret(), self.secret_key.expose_secret());
        match &self.session_token {
            Some(token) => Credentials::new_with_token(key, secret, token.expose_secret()),
            None => Credentials::new(key, secret),
        }
    }
}
