//! Makes the roles' passwords work under CNPG.
//!
//! The Zalando operator (1.15) stores md5 hashes, CNPG's last hba line asks for SCRAM. Roles whose password is in an
//! operator's Secret get it anew as a SCRAM verifier made here, so that no clear text reaches the server or its log.
//! Nothing to undo (the target is ours); a crash leaves some roles done, running again does all.

use super::ends;
use crate::{
    error::{Error, Result},
    facts::{scram, server, zalando},
    postgres::{Db, Ident, Literal},
    step::*,
};
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;

pub struct RepairLogins {
    /// Roles whose password nobody knows: they keep their md5 hash, and the target its pg_hba line for them.
    pub unknown: Vec<String>,
}

impl RepairLogins {
    async fn md5(&self, db: &mut Db) -> Result<Vec<String>> {
        let md5 = |role: &server::Role| role.login && !role.system() && role.verifier == server::Verifier::Md5;
        let roles = server::roles(db).await?.into_iter().filter(md5).map(|role| role.name);
        Ok(roles.filter(|name| !self.unknown.contains(name)).collect())
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
            details: "md5 hashes become SCRAM, the passwords stay".into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let mut db = ends::target(world).await?;
        let left = self.md5(&mut db).await?;
        ends::keep_target(world, db).await;
        Ok(if left.is_empty() { Observed::Done } else { Observed::Partial(format!("md5: {}", left.join(", "))) })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let mut db = ends::target(world).await?;
        let roles = self.md5(&mut db).await?;
        for role in &roles {
            let (user, password) = zalando::credentials(&world.kube, &world.migration.source, role).await?;
            if user != *role {
                return Err(Error::failed(format!("the Secret of role {role} holds the user {user}")));
            }
            let verifier = scram::verifier(&password);
            let statement =
                format!("ALTER ROLE {} PASSWORD {}", Ident::new(role), Literal::new(verifier.expose_secret()));
            // The server's answer could quote the statement: it is not shown.
            db.run(&statement)
                .await
                .map_err(|_| Error::failed(format!("could not set the password of role {role}")))?;
        }
        ends::keep_target(world, db).await;
        Ok(json!({ "note": format!("{} roles", roles.len()), "roles": roles }))
    }
}
