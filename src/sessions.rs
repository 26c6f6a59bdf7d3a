//! Sessions kept open between steps, so that nothing in the window begins with a connection.

use crate::{
    error::Result,
    kube::{Kube, dialogue::Shell, exec::Output},
    postgres::{Db, pod::CONTAINER},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// A kept shell that says nothing for so long is as good as gone.
const ALIVE: Duration = Duration::from_secs(2);

/// A session is taken for use and put back when it is known to be good; one that failed is dropped.
/// Keys say who is at the other end: `source`, `target/<cluster>`; a shell's key is its pod.
#[derive(Clone, Default)]
pub struct Sessions {
    databases: Arc<Mutex<HashMap<String, Db>>>,
    shells: Arc<Mutex<HashMap<String, Shell>>>,
}

impl Sessions {
    pub async fn take(&self, key: &str) -> Option<Db> {
        self.databases.lock().await.remove(key)
    }

    pub async fn keep(&self, key: &str, db: Db) {
        self.databases.lock().await.insert(key.to_string(), db);
    }

    /// Closes the databases: before a server restart that would wait for its clients.
    pub async fn close(&self, prefix: &str) {
        self.databases.lock().await.retain(|key, _| !key.starts_with(prefix));
    }

    /// Runs a script in the pod's database container, in the shell that is kept there if it still answers, else in a new
    /// one, which is kept.
    pub async fn shell(&self, kube: &Kube, pod: &str, script: &str, deadline: Duration) -> Result<Output> {
        let mut kept = self.shells.lock().await.remove(pod);
        if let Some(shell) = &mut kept
            && shell.run(":", ALIVE).await.is_err()
        {
            kept = None;
        }
        let mut shell = match kept {
            Some(shell) => shell,
            None => Shell::open(kube, pod, CONTAINER).await?,
        };
        let output = shell.run(script, deadline).await?;
        self.shells.lock().await.insert(pod.to_string(), shell);
        Ok(output)
    }
}
