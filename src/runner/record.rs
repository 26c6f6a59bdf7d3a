//! A result of a look without the lock, written into the journal of a migration that has begun.

use crate::{
    error::{Error, Kind, Result},
    journal::{Fingerprint, Journal, What},
    kube::{self, Kube},
};

/// Takes the lock for the moment of writing, if nobody holds it. One that has expired is left alone: whoever held it may
/// come back for it (`Lock::regain`), in the middle of a cutover.
pub async fn record(kube: &Kube, name: &str, begun: &Fingerprint, what: What) -> Result<()> {
    let written = write(kube, name, begun, what).await;
    written.map_err(|error| match kube::is_forbidden(&error) {
        true => Error::check("you may not change leases and configmaps, as who runs the migration may"),
        false => error,
    })
}

async fn write(kube: &Kube, name: &str, begun: &Fingerprint, what: What) -> Result<()> {
    if let Some(holder) = kube.lock_holder(name).await? {
        let (who, since) = (holder.identity, holder.since);
        return Err(Error::new(Kind::Locked, format!("the migration is being worked on by {who} since {since}")));
    }
    let lock = kube.lock(name).await?;
    let mut left = true;
    let written = async {
        let journal = Journal::read(kube, name).await?;
        left = !journal.is_empty();
        match journal.state().fingerprint.as_ref() == Some(begun) {
            true => journal.append(vec![what]).await,
            false => Err(Error::failed("the migration has ended, or begun anew, meanwhile")),
        }
    };
    let written = written.await;
    // What can't be released expires.
    if left { lock.release().await } else { lock.remove().await }.ok();
    written
}
