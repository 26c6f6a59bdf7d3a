//! SQL sessions kept open between steps, so that nothing in the window begins with a connection.

use crate::postgres::Db;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Mutex;

/// A session is taken for use and put back when it is known to be good; one that failed is dropped.
/// Keys say who is at the other end: `source/<pod>/<database>`, `target/<pod>/<database>`.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<String, Db>>>);

impl Sessions {
    pub async fn take(&self, key: &str) -> Option<Db> {
        self.0.lock().await.remove(key)
    }

    pub async fn keep(&self, key: &str, db: Db) {
        self.0.lock().await.insert(key.to_string(), db);
    }

    /// Closes everything: before a server restart that would wait for its clients.
    pub async fn close(&self, prefix: &str) {
        self.0.lock().await.retain(|key, _| !key.starts_with(prefix));
    }
}
