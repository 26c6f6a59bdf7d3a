//! Copies the owner's credentials from the operator's Secret into one that CNPG accepts (kubernetes.io/basic-auth).
//!
//! CNPG re-applies this password to the owner at promotion, so the apps' password stays what it was, stored as SCRAM.
//! Part of the target from now on. Undone by deleting it; a crash leaves it or not.

use crate::{
    error::{Error, Result},
    facts::{cnpg::OURS, zalando},
    kube::kind::SECRET,
    step::*,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::Duration;

pub struct OwnerSecret {
    pub name: String,
    /// The role that owns the application's database.
    pub owner: String,
}

#[async_trait::async_trait]
impl Step for OwnerSecret {
    fn id(&self) -> String {
        "owner-secret".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("copy the credentials of {} for the target", self.owner),
            details: format!("secret {} from the Zalando operator's; undone by deleting it", self.name),
            objects: vec![format!("secret/{}", self.name)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let data = json!({ "username": self.owner, "password": REDACTED });
        let metadata = json!({ "name": self.name, "labels": { "cnpg.io/reload": "true" } });
        let kind = "kubernetes.io/basic-auth";
        vec![Sent::Object(json!({ "kind": "Secret", "type": kind, "metadata": metadata, "stringData": data }))]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        match world.kube.get(&SECRET, &self.name).await? {
            None => Ok(Observed::Absent),
            Some(secret) if secret["metadata"]["labels"][OURS] == world.migration.name.as_str() => Ok(Observed::Done),
            Some(_) => Err(Error::check(format!("secret {} is there and is not ours", self.name)).hint(format!(
                "kubectl get secret -n {} {} -o yaml",
                world.kube.namespace(),
                self.name
            ))),
        }
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let (user, password) = zalando::credentials(&world.kube, &world.migration.source, &self.owner).await?;
        if user != self.owner {
            return Err(Error::check(format!(
                "the Secret of {} holds the user {user} (password rotation): CNPG needs the owner's own name",
                self.owner
            )));
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
            "metadata": { "name": self.name, "labels": { OURS: world.migration.name, "cnpg.io/reload": "true" } },
            "stringData": { "username": user, "password": password.expose_secret() },
        });
        world.kube.apply(&SECRET, &secret).await?;
        Ok(Value::Null)
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        world.kube.delete(&SECRET, &self.name).await.map(drop)
    }
}
