//! The lock: one runner at a time.
//!
//! A Lease `pgmigrate-<name>`, written only under its resourceVersion, so of two runners one loses. It is renewed every 5 s
//! and stands for 15 s. It is taken over when its time has passed on our clock by 2 s more, or at once when its holder was
//! a process of this very machine and boot that is provably gone (so `resume` after kill -9 need not wait).
use super::{Kube, is_already_exists, is_conflict, is_not_found, is_uncertain, kind::LEASE, machine};
use crate::error::{Error, Kind as ErrorKind, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the lease stands without renewal.
const DURATION: Duration = Duration::from_secs(15);
const RENEWAL: Duration = Duration::from_secs(5);
/// We stop believing in our own lease so much earlier than others may take it.
const MARGIN: Duration = Duration::from_secs(5);
/// What clocks may differ by before an expired lease is taken over.
const SKEW: SignedDuration = SignedDuration::from_secs(2);
/// Where the holder's process id means something (`machine::place`).
const PLACE: &str = "pgmigrate.dev/place";
/// How often a lost race for the lease is run again.
const RACES: usize = 5;

/// Held until released or dropped (then it expires). Renewed in the background; `lost` fires when it was taken or could not be renewed in time.
pub struct Lock {
    pub lost: CancellationToken,
    kube: Kube,
    name: String,
    identity: String,
    stop: CancellationToken,
    renewal: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Debug, Clone, serde::Serialize)]
pub struct Holder {
    /// `user@host/pid/random`
    pub identity: String,
    pub since: String,
    pub renewed: String,
    /// By time, or its holder was a process of this machine and is gone.
    pub expired: bool,
}

impl Kube {
    /// Err(Kind::Locked) names the holder and since when. An expired lease is taken over.
    pub async fn lock(&self, name: &str) -> Result<Lock> {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let identity = format!("{}/{}/{}", machine::user_at_host(), std::process::id(), &random[..8]);
        let mut trouble = None;
        for _ in 0..RACES {
            let before = self.get(&LEASE, &object(name)).await?;
            if let Some(lease) = &before {
                refuse_if_held(name, lease, &identity)?;
            }
            let sent = Instant::now();
            let wanted = lease(name, &identity, before.as_ref());
            let outcome = match before {
                Some(_) => self.replace(&LEASE, &wanted).await,
                None => self.create(&LEASE, &wanted).await,
            };
            match outcome {
                Ok(held) => return Ok(self.hold(name, identity, held, sent)),
                // Another runner was faster, or it is ours and the answer was lost: the next look tells.
                Err(error)
                    if is_conflict(&error)
                        || is_already_exists(&error)
                        || is_not_found(&error)
                        || is_uncertain(&error) =>
                {
                    trouble = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let error =
            Error::new(ErrorKind::Locked, format!("cannot get the lock of migration {name} from other runners"));
        Err(match trouble {
            Some(cause) => error.cause(cause),
            None => error,
        })
    }

    fn hold(&self, name: &str, identity: String, held: Value, sent: Instant) -> Lock {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let renewing = Renewal { kube: self.clone(), identity: identity.clone(), held, lost: lost.clone() };
        let stopped = stop.clone();
        let renewal = tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = renewing.run(sent) => {}
            }
        });
        Lock { lost, kube: self.clone(), name: name.to_string(), identity, stop, renewal: Some(renewal) }
    }

    /// Who holds the lock; None: nobody.
    pub async fn lock_holder(&self, name: &str) -> Result<Option<Holder>> {
        Ok(self.get(&LEASE, &object(name)).await?.as_ref().and_then(holder))
    }

    /// Err(Kind::Locked), as of [`Kube::lock`], while a living runner holds the lock. Takes nothing.
    pub async fn refuse_if_locked(&self, name: &str) -> Result<()> {
        match self.get(&LEASE, &object(name)).await? {
            Some(lease) => refuse_if_held(name, &lease, ""),
            None => Ok(()),
        }
    }

    /// Removes the lease whoever holds it; returns who did.
    pub async fn unlock(&self, name: &str) -> Result<Option<Holder>> {
        let holder = self.lock_holder(name).await?;
        self.delete(&LEASE, &object(name)).await?;
        Ok(holder)
    }
}

impl Lock {
    /// Gives the lock to whoever comes next; an error leaves it to expire.
    pub async fn release(mut self) -> Result<()> {
        self.stop.cancel();
        if let Some(renewal) = self.renewal.take() {
            // Its end first: a renewal under way would take the lease again.
            renewal.await.ok();
        }
        for _ in 0..RACES {
            let Some(mut lease) = self.kube.get(&LEASE, &object(&self.name)).await? else { return Ok(()) };
            if lease["spec"]["holderIdentity"] != self.identity.as_str() {
                return Ok(());
            }
            if let Some(spec) = lease["spec"].as_object_mut() {
                spec.remove("holderIdentity");
            }
            match self.kube.replace(&LEASE, &lease).await {
                Ok(_) => return Ok(()),
                Err(error) if is_conflict(&error) || is_uncertain(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::failed(format!(
            "cannot release the lock of migration {}; it expires in {} s",
            self.name,
            DURATION.as_secs()
        )))
    }

    /// Gives the lock back and takes its Lease away: nothing of the migration is left.
    pub async fn remove(mut self) -> Result<()> {
        self.stop.cancel();
        if let Some(renewal) = self.renewal.take() {
            renewal.await.ok();
        }
        // One that somebody else has taken meanwhile stays.
        match self.kube.get(&LEASE, &object(&self.name)).await? {
            Some(lease) if lease["spec"]["holderIdentity"] == self.identity.as_str() => {
                self.kube.delete(&LEASE, &object(&self.name)).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// After `lost`, when the API server was away: held again if nobody has taken or removed the lease since.
    /// Err(Kind::Locked) otherwise.
    pub async fn regain(&mut self) -> Result<()> {
        let found = self.kube.get(&LEASE, &object(&self.name)).await?;
        let Some(mut lease) = found.filter(|lease| lease["spec"]["holderIdentity"] == self.identity.as_str()) else {
            return Err(Error::new(
                ErrorKind::Locked,
                format!("the lock of migration {} was taken by another runner, or away by `unlock`", self.name),
            ));
        };
        lease["spec"]["renewTime"] = micro_time(Timestamp::now()).into();
        let sent = Instant::now();
        let held = self.kube.replace(&LEASE, &lease).await?;
        let mut again = self.kube.hold(&self.name, self.identity.clone(), held, sent);
        // The old one has no renewal any more; dropped, it must not stop the new one.
        std::mem::swap(self, &mut again);
        Ok(())
    }

    /// As [`Holder::identity`].
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The task that keeps the lease ours.
struct Renewal {
    kube: Kube,
    identity: String,
    held: Value,
    lost: CancellationToken,
}

impl Renewal {
    /// Ends only by losing the lease.
    async fn run(mut self, mut sent: Instant) {
        // Counted from before the request: the server's clock started no earlier.
        loop {
            let until = sent + DURATION - MARGIN;
            tokio::time::sleep_until((sent + RENEWAL).min(until)).await;
            match tokio::time::timeout_at(until, self.renew()).await {
                Ok(Some(renewed)) => sent = renewed,
                Ok(None) | Err(_) => return self.lost.cancel(),
            }
        }
    }

    /// When the successful renewal was sent; None: somebody else's, or removed. Tries until it knows.
    async fn renew(&mut self) -> Option<Instant> {
        loop {
            let sent = Instant::now();
            self.held["spec"]["renewTime"] = micro_time(Timestamp::now()).into();
            match self.kube.replace(&LEASE, &self.held).await {
                Ok(held) => {
                    self.held = held;
                    return Some(sent);
                }
                Err(error) if is_not_found(&error) => return None,
                Err(error) => {
                    tracing::debug!("the lease was not renewed: {}", error.chain());
                    let name = self.held["metadata"]["name"].as_str().unwrap_or_default().to_string();
                    match self.kube.get(&LEASE, &name).await {
                        Ok(Some(lease)) if lease["spec"]["holderIdentity"] == self.identity.as_str() => {
                            self.held = lease
                        }
                        Ok(_) => return None,
                        Err(_) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            }
        }
    }
}

fn object(name: &str) -> String {
    format!("pgmigrate-{name}")
}

/// coordination/v1 MicroTime.
fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// The lease as ours, on top of what was there.
fn lease(name: &str, identity: &str, before: Option<&Value>) -> Value {
    let now = micro_time(Timestamp::now());
    let mut lease = before.cloned().unwrap_or_else(|| json!({"metadata": {"name": object(name)}}));
    lease["metadata"]["labels"]["pgmigrate.dev/migration"] = name.into();
    lease["metadata"]["annotations"][PLACE] = machine::place().unwrap_or_default().into();
    let transitions = before.map_or(0, |b| b["spec"]["leaseTransitions"].as_i64().unwrap_or(0) + 1);
    lease["spec"] = json!({
        "holderIdentity": identity, "leaseDurationSeconds": DURATION.as_secs(),
        "acquireTime": now, "renewTime": now, "leaseTransitions": transitions,
    });
    lease
}

/// Who holds a Lease that was read already; None: nobody.
pub fn holder(lease: &Value) -> Option<Holder> {
    let spec = &lease["spec"];
    let text = |key: &str| spec[key].as_str().unwrap_or_default().to_string();
    let identity = Some(text("holderIdentity")).filter(|i| !i.is_empty())?;
    let place = lease["metadata"]["annotations"][PLACE].as_str().unwrap_or_default();
    let expired = expiry(lease) < Timestamp::now() || gone(&identity, place);
    Some(Holder { identity, since: text("acquireTime"), renewed: text("renewTime"), expired })
}

/// When the lease may be taken over; a lease without a renewal, at once.
fn expiry(lease: &Value) -> Timestamp {
    let renewed = lease["spec"]["renewTime"].as_str().and_then(|t| t.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let stands = lease["spec"]["leaseDurationSeconds"].as_i64().unwrap_or(0).clamp(0, 3600);
    renewed.saturating_add(SignedDuration::from_secs(stands) + SKEW).unwrap_or(Timestamp::MAX)
}

fn refuse_if_held(name: &str, lease: &Value, us: &str) -> Result<()> {
    let Some(holder) = holder(lease) else { return Ok(()) };
    if holder.expired || holder.identity == us {
        return Ok(());
    }
    let until = expiry(lease);
    Err(Error::new(
        ErrorKind::Locked,
        format!(
            "migration {name} is being worked on by {} since {}; its lock was renewed {} and expires {until:.0} unless renewed again",
            holder.identity, holder.since, holder.renewed
        ),
    )
    .hint(format!("kubectl pgmigrate status {name}")))
}

/// Whether the holder was a process of our user on this machine, this boot and this PID namespace, and is dead.
fn gone(identity: &str, place: &str) -> bool {
    let mut parts = identity.split('/');
    let (who, pid) = (parts.next(), parts.next().and_then(|p| p.parse().ok()));
    match pid {
        Some(pid) if pid > 0 => {
            who == Some(machine::user_at_host().as_str())
                && machine::place().as_deref() == Some(place)
                && machine::dead(pid)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(identity: &str, age: i64) -> Value {
        let mut held = lease("m", identity, None);
        held["spec"]["renewTime"] = micro_time(Timestamp::now() - SignedDuration::from_secs(age)).into();
        held
    }

    #[test]
    fn a_living_holder_is_named_and_an_expired_one_is_not() {
        let refused = refuse_if_held("m", &held_by("ann@elsewhere/1/abcd", 3), "us@here/2/ef").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Locked);
        assert!(refused.what.contains("ann@elsewhere/1/abcd"), "{}", refused.what);
        assert!(refuse_if_held("m", &held_by("ann@elsewhere/1/abcd", 16), "us@here/2/ef").is_err());
        assert!(refuse_if_held("m", &held_by("ann@elsewhere/1/abcd", 18), "us@here/2/ef").is_ok());
        assert!(refuse_if_held("m", &json!({"spec": {"leaseTransitions": 1}}), "us@here/2/ef").is_ok());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_dead_process_of_ours_holds_nothing() {
        let us = format!("{}/1/x", machine::user_at_host());
        let by = |pid: u32| held_by(&format!("{}/{pid}/y", machine::user_at_host()), 1);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        assert!(refuse_if_held("m", &by(std::process::id()), &us).is_err());
        child.wait().unwrap();
        assert!(refuse_if_held("m", &by(child.id()), &us).is_ok());
        let mut elsewhere = by(child.id());
        elsewhere["metadata"]["annotations"][PLACE] = "another-boot/pid:[1]".into();
        assert!(refuse_if_held("m", &elsewhere, &us).is_err());
    }

    #[test]
    fn micro_time_has_six_digits() {
        assert_eq!(micro_time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }
}
