//! Makes the roles' passwords work under CNPG, and proves it by logging in as the owner.
//!
//! The Zalando operator (1.15) stores md5 hashes, CNPG's last hba line asks for SCRAM. Roles whose password is in an
//! operator's Secret get it anew as a SCRAM verifier made here, so that no clear text reaches the server or its log.
//! Nothing to undo (the target is ours); a crash leaves some roles done, running again does all.

use super::ends;
use crate::{
    error::{Context, Error, Result},
    facts::{scram, server, zalando},
    kube::kind::SECRET,
    postgres::{Ident, Literal, wire},
    step::*,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;

pub struct RepairLogins {
    pub owner: String,
    pub owner_secret: String,
    pub database: String,
}

impl RepairLogins {
    /// Connects as the owner, over TLS verified against the cluster's own CA, as an app would.
    async fn log_in(&self, world: &World) -> Result<()> {
        let cluster = &world.migration.target.cluster;
        let pod = ends::target_pod(world).await?;
        let secret = world.kube.get(&SECRET, &self.owner_secret).await?.unwrap_or_default();
        let password = SecretString::from(zalando::decoded(&secret, "password").with_context(|| format!("read secret {}", self.owner_secret))?);
        let ca = world.kube.get(&SECRET, &format!("{cluster}-ca")).await?.unwrap_or_default();
        let ca = zalando::decoded(&ca, "ca.crt").with_context(|| format!("read secret {cluster}-ca"))?;
        let login = wire::Login { pod: &pod, user: &self.owner, password: &password, database: &self.database, ca: Some(ca.as_bytes()) };
        let mut db = wire::connect(&world.kube, login).await.with_context(|| format!("log in to the target as {}", self.owner))?;
        match db.identity().await?.in_recovery {
            false => Ok(()),
            true => Err(Error::failed("the server behind the target's pod is still a replica")),
        }
    }
}

#[async_trait::async_trait]
impl Step for RepairLogins {
    fn id(&self) -> String {
        "repair-logins".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "make the roles' passwords work on the target".into(),
            details: format!("md5 hashes become SCRAM, same passwords; then logs in as {}", self.owner),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let mut db = ends::target(world).await?;
        let mut repaired = Vec::new();
        let mut left = Vec::new();
        for role in server::roles(&mut db).await? {
            if !role.login || role.system() || role.verifier != server::Verifier::Md5 {
                continue;
            }
            match zalando::credentials(&world.kube, &world.migration.source, &role.name).await {
                Ok((user, password)) if user == role.name => {
                    let verifier = scram::verifier(&password);
                    let statement =
                        format!("ALTER ROLE {} PASSWORD {}", Ident::new(&role.name), Literal::new(verifier.expose_secret()));
                    db.run(&statement).await.map_err(|_| Error::failed(format!("could not set the password of role {}", role.name)))?;
                    repaired.push(role.name);
                }
                _ => left.push(role.name),
            }
        }
        ends::keep_target(world, db).await;
        if !left.is_empty() {
            world.events.warn(format!("no Secret holds the password of {}: md5 logins work only by a pg_hba line", left.join(", ")));
        }
        self.log_in(world).await?;
        Ok(json!({ "note": format!("{} logs in", self.owner), "repaired": repaired, "md5Left": left, "owner": Value::from(self.owner.clone()) }))
    }
}
