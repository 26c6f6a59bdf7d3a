//! Logs in to the target as the owner, as an app would: proof before any app is sent there. Looks only.

use super::ends;
use crate::{
    error::{Context, Error, Result},
    facts::zalando,
    kube::kind::SECRET,
    postgres::wire,
    step::*,
};
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;

#[derive(Clone)]
pub struct ProveLogin {
    pub owner: String,
    pub owner_secret: String,
    pub database: String,
}

impl ProveLogin {
    /// Connects as the owner, over TLS verified against the cluster's own CA, as an app would. To a pod of the target or
    /// of its pooler.
    pub async fn log_in(&self, world: &World, pod: &str) -> Result<()> {
        let cluster = &world.migration.target.cluster;
        let secret = world.kube.get(&SECRET, &self.owner_secret).await?.unwrap_or_default();
        let password = SecretString::from(
            zalando::decoded(&secret, "password").with_context(|| format!("read secret {}", self.owner_secret))?,
        );
        let ca = world.kube.get(&SECRET, &format!("{cluster}-ca")).await?.unwrap_or_default();
        let ca = zalando::decoded(&ca, "ca.crt").with_context(|| format!("read secret {cluster}-ca"))?;
        let login = wire::Login {
            pod,
            user: &self.owner,
            password: &password,
            database: &self.database,
            ca: Some(ca.as_bytes()),
        };
        let mut db = wire::connect(&world.kube, login)
            .await
            .with_context(|| format!("log in to the target as {}", self.owner))?;
        match db.identity().await?.in_recovery {
            false => Ok(()),
            true => Err(Error::failed(format!("the server behind pod {pod} is still a replica"))),
        }
    }
}

#[async_trait::async_trait]
impl Step for ProveLogin {
    fn id(&self) -> String {
        "prove-login".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("log in to the target as {}", self.owner),
            details: "over TLS verified against the cluster's CA, to a server that is not a replica; looks only".into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        self.log_in(world, &ends::target_pod(world).await?).await?;
        Ok(json!({ "note": format!("{} logs in to {}", self.owner, self.database) }))
    }
}
