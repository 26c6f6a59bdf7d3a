//! The way from clients to the API server, which can be slammed: every connection through it breaks at once, watches and
//! streams included, as when an API server is rolled or a load balancer forgets.
use crate::error::{Context, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

pub struct Door {
    pub port: u16,
    shared: Arc<Mutex<Shared>>,
    task: AbortHandle,
}

#[derive(Default)]
struct Shared {
    connections: JoinSet<()>,
    closed: bool,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn hold(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    /// On a free loopback port, leading to `server`, another one.
    pub async fn open(server: u16) -> Result<Door> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot open the lab's API port")?;
        let port = listener.local_addr().context("cannot read the lab's API port")?.port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let task = tokio::spawn(admit(listener, server, shared.clone())).abort_handle();
        Ok(Door { port, shared, task })
    }

    /// Breaks every connection of this moment: requests under way, watches, exec and port-forward streams.
    pub fn slam(&self) {
        hold(&self.shared).connections.abort_all();
    }

    /// While closed, new connections end at once and those of before are broken: the API server is away.
    pub fn set_closed(&self, closed: bool) {
        hold(&self.shared).closed = closed;
        if closed {
            self.slam();
        }
    }
}

async fn admit(listener: TcpListener, server: u16, shared: Arc<Mutex<Shared>>) {
    loop {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let mut shared = hold(&shared);
        while shared.connections.try_join_next().is_some() {}
        if shared.closed {
            continue;
        }
        shared.connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
