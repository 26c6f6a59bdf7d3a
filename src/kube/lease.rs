//! The lock: one runner at a time.
use super::Kube;
use crate::error::Result;
use tokio_util::sync::CancellationToken;
/// Held until released or dropped (then it expires). Renewed in the background; `lost` fires when it was taken or could not be renewed in time.
pub struct Lock {
    pub lost: CancellationToken,
}
#[derive(Debug, Clone, serde::Serialize)]
pub struct Holder {
    pub identity: String,
    pub since: String,
    pub renewed: String,
    pub expired: bool,
}
impl Kube {
    /// Err(Kind::Locked) names the holder and since when. An expired lease is taken over.
    pub async fn lock(&self, _name: &str) -> Result<Lock> {
        todo!()
    }
    pub async fn lock_holder(&self, _name: &str) -> Result<Option<Holder>> {
        todo!()
    }
    /// Removes the lease whoever holds it; returns who did.
    pub async fn unlock(&self, _name: &str) -> Result<Option<Holder>> {
        todo!()
    }
}
impl Lock {
    pub async fn release(self) -> Result<()> {
        todo!()
    }
}
