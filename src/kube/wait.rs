//! Waiting for one object: watch, deadline, cancel, and the last state seen on timeout.
use super::{Kind, Kube, ask::Trouble, escape, is_forbidden, typed};
use crate::{
    error::{Error, Kind as ErrorKind, Result},
    event::Events,
};
use ::kube::core::WatchEvent;
use futures::StreamExt;
use serde_json::Value;
use std::{pin::pin, sync::atomic::Ordering, time::Duration};
use tokio_util::sync::CancellationToken;

/// What a look at the object says.
pub enum Probe {
    Done,
    /// not yet: the state seen
    Pending(String),
    /// never: why
    Failed(String),
}

/// A watch that says nothing for so long is not believed: the object is read again.
const SILENCE: Duration = Duration::from_secs(10);
/// Between the end of one watch and the next look.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2)];

impl Kube {
    /// Watches `name` until `probe` says Done (returns the object, None if it is gone) or Failed.
    /// A dropped watch, 410, 429 and 5xx are healed by reading again; forbidden, the deadline and `cancel` end it.
    #[allow(clippy::too_many_arguments)]
    pub async fn wait(
        &self,
        kind: &Kind,
        name: &str,
        what: &str,
        deadline: Duration,
        cancel: &CancellationToken,
        events: &Events,
        mut probe: impl FnMut(Option<&Value>) -> Probe + Send,
    ) -> Result<Option<Value>> {
        let query = format!("fieldSelector={}", escape(&format!("metadata.name={name}")));
        let look = |seen: &[Value]| probe(seen.first());
        Ok(self.wait_for(kind, &query, what, deadline, cancel, events, look).await?.into_iter().next())
    }
    /// The same for every object a label selector finds: the probe sees them all at each change.
    #[allow(clippy::too_many_arguments)]
    pub async fn wait_all(
        &self,
        kind: &Kind,
        labels: &str,
        what: &str,
        deadline: Duration,
        cancel: &CancellationToken,
        events: &Events,
        probe: impl FnMut(&[Value]) -> Probe + Send,
    ) -> Result<Vec<Value>> {
        let query = format!("labelSelector={}", escape(labels));
        self.wait_for(kind, &query, what, deadline, cancel, events, probe).await
    }

    #[allow(clippy::too_many_arguments)]
    async fn wait_for(
        &self,
        kind: &Kind,
        query: &str,
        what: &str,
        deadline: Duration,
        cancel: &CancellationToken,
        events: &Events,
        probe: impl FnMut(&[Value]) -> Probe + Send,
    ) -> Result<Vec<Value>> {
        let mut look = Look { what, events, probe, last: String::new(), trouble: None };
        let outcome = tokio::select! {
            // A finished wait is not reported as an interrupted one.
            biased;
            outcome = tokio::time::timeout(deadline, self.follow(kind, query, &mut look)) => outcome,
            () = cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, format!("interrupted while waiting for {what}")));
            }
        };
        outcome.unwrap_or_else(|_| Err(look.timeout(deadline)))
    }

    /// Read, watch from there, and read again when the watch ends for any reason.
    async fn follow<P: FnMut(&[Value]) -> Probe + Send>(
        &self,
        kind: &Kind,
        query: &str,
        look: &mut Look<'_, P>,
    ) -> Result<Vec<Value>> {
        let mut failures = 0;
        loop {
            match self.pages(kind, false, query).await {
                Ok(Some((seen, version))) => {
                    if look.at(&seen)? {
                        return Ok(seen);
                    }
                    let (seen, healthy) = self.watch(kind, query, seen, version, look).await?;
                    if let Some(seen) = seen {
                        return Ok(seen);
                    }
                    failures = if healthy { 0 } else { failures + 1 };
                }
                Ok(None) => {
                    let known = kind.resource();
                    return Err(Error::failed(format!("waiting for {}: the cluster does not know {known}", look.what))
                        .hint(format!("kubectl get crd {known}")));
                }
                Err(error) if is_forbidden(&error) => return Err(error),
                Err(error) => {
                    look.trouble(error.chain());
                    failures += 1;
                }
            }
            tokio::time::sleep(PAUSES[failures.min(PAUSES.len() - 1)]).await;
        }
    }

    /// Ok((Some, _)): the probe said Done. Ok((None, healthy)): the watch ended; `healthy` when it had told something or was merely silent.
    async fn watch<P: FnMut(&[Value]) -> Probe + Send>(
        &self,
        kind: &Kind,
        query: &str,
        mut seen: Vec<Value>,
        version: String,
        look: &mut Look<'_, P>,
    ) -> Result<(Option<Vec<Value>>, bool)> {
        let path = format!(
            "{}?watch=true&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds=290&{query}",
            self.path(kind, false, None),
            escape(&version)
        );
        let request = match http::Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return Err(Error::bug("cannot build a watch request").cause(error)),
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        let opened = match tokio::time::timeout(SILENCE, self.client.request_events::<Value>(request)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.broken(Trouble::from(error), kind, look).map(|()| (None, false)),
            Err(_) => return Ok((None, false)),
        };
        let mut stream = pin!(opened);
        let mut healthy = false;
        loop {
            let event = match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return self.broken(Trouble::from(error), kind, look).map(|()| (None, false)),
                Ok(None) => return Ok((None, healthy)),
                Err(_) => return Ok((None, true)),
            };
            healthy = true;
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => put(&mut seen, typed(kind, &object)),
                WatchEvent::Deleted(object) => seen.retain(|o| o["metadata"]["name"] != object["metadata"]["name"]),
                WatchEvent::Bookmark(_) => continue,
                // 410 above all: the next read begins anew.
                WatchEvent::Error(_) => return Ok((None, false)),
            }
            if look.at(&seen)? {
                return Ok((Some(seen), true));
            }
        }
    }

    /// Forbidden ends the wait; anything else is remembered and healed.
    fn broken<P>(&self, trouble: Trouble, kind: &Kind, look: &mut Look<'_, P>) -> Result<()> {
        let error = self.explain(trouble, "watch", &kind.resource());
        if is_forbidden(&error) {
            return Err(error);
        }
        look.trouble(error.chain());
        Ok(())
    }
}

fn put(seen: &mut Vec<Value>, object: Value) {
    match seen.iter_mut().find(|o| o["metadata"]["name"] == object["metadata"]["name"]) {
        Some(old) => *old = object,
        None => seen.push(object),
    }
}

/// The probe, and what it saw last.
struct Look<'a, P> {
    what: &'a str,
    events: &'a Events,
    probe: P,
    last: String,
    trouble: Option<String>,
}

impl<P> Look<'_, P> {
    fn trouble(&mut self, text: String) {
        self.events.detail(format!("{text}; trying again"));
        self.trouble = Some(text);
    }

    fn timeout(&self, deadline: Duration) -> Error {
        let mut text = format!("gave up waiting for {} after {} s", self.what, deadline.as_secs_f32());
        if !self.last.is_empty() {
            text.push_str(&format!("; last seen: {}", self.last));
        }
        if let Some(trouble) = &self.trouble {
            text.push_str(&format!("; then {trouble}"));
        }
        Error::failed(text)
    }
}

impl<P: FnMut(&[Value]) -> Probe> Look<'_, P> {
    /// True when the probe says Done.
    fn at(&mut self, seen: &[Value]) -> Result<bool> {
        self.trouble = None;
        match (self.probe)(seen) {
            Probe::Done => Ok(true),
            Probe::Failed(why) => Err(Error::failed(format!("waiting for {}: {why}", self.what))),
            Probe::Pending(state) => {
                if state != self.last {
                    self.events.detail(state.clone());
                    self.last = state;
                }
                Ok(false)
            }
        }
    }
}
