//! Creates the migration's own role on the source: superuser, with a random password that is kept in a Secret.
//!
//! The import logs in with it, since the fence lets in nobody else; the operator does not touch a role made by hand.
//! Only its verifier is sent to the server, and kept out of the server's log. Undone by dropping role and Secret. A crash
//! leaves the Secret, or both; applying again sets the password of the Secret anew.

use super::{role_name, role_secret};
use crate::{
    error::{Context, Error, Result},
    facts::{carried, cnpg::OURS, scram, zalando},
    kube::kind::SECRET,
    postgres::{Ident, Literal},
    step::*,
    steps::ends,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::time::Duration;

pub struct MigrationRole {
    pub role: String,
    pub secret: String,
}

impl MigrationRole {
    /// The password in the Secret, which is made if it is not there.
    async fn password(&self, world: &World) -> Result<SecretString> {
        if world.kube.get(&SECRET, &self.secret).await?.is_none() {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
                "metadata": { "name": self.secret, "labels": { OURS: world.migration.name } },
                "stringData": { "username": self.role, "password": scram::password().expose_secret() },
            });
            world.kube.create(&SECRET, &secret).await?;
        }
        let secret = world.kube.get(&SECRET, &self.secret).await?;
        let secret = secret.ok_or_else(|| Error::failed(format!("secret {} was made and is gone", self.secret)))?;
        if secret["metadata"]["labels"][OURS] != world.migration.name.as_str() {
            return Err(Error::check(format!("secret {} is there and is not ours", self.secret)));
        }
        let password =
            zalando::decoded(&secret, "password").with_context(|| format!("reading secret {}", self.secret))?;
        Ok(SecretString::from(password))
    }
}

#[async_trait::async_trait]
impl Step for MigrationRole {
    fn id(&self) -> String {
        "migration-role".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("create the role {} on the source", self.role),
            details: "superuser, random password in a Secret; the import uses it; undone by dropping both".into(),
            objects: vec![format!("secret/{}", self.secret)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let data = json!({ "username": self.role, "password": REDACTED });
        let secret = json!({ "kind": "Secret", "metadata": { "name": self.secret }, "stringData": data });
        let text = format!("CREATE ROLE {} SUPERUSER LOGIN REPLICATION PASSWORD '{REDACTED}'", Ident::new(&self.role));
        vec![Sent::Object(secret), Sent::Sql { at: "source".into(), text }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let secret = world.kube.get(&SECRET, &self.secret).await?.is_some();
        let mut db = ends::source(world).await?;
        let role = "SELECT count(*) AS n FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolsuper AND rolcanlogin";
        let name = self.role.clone();
        let role = db.value::<i64>(role, &[name.as_str()]).await? > 0;
        ends::keep_source(world, db).await;
        Ok(match (secret, role) {
            (true, true) => Observed::Done,
            (false, false) => Observed::Absent,
            (true, false) => Observed::Partial("its secret is there, the role is not".into()),
            (false, true) => Observed::Partial("the role is there, its secret is not".into()),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let verifier = scram::verifier(&self.password(world).await?);
        let role = Ident::new(&self.role);
        let mut db = ends::source(world).await?;
        db.run(carried::PRIVATE).await.context("keeping the role's password out of the source's log")?;
        let there: i64 =
            db.value("SELECT count(*) AS n FROM pg_catalog.pg_roles WHERE rolname = $1", &[self.role.as_str()]).await?;
        let verb = if there > 0 { "ALTER" } else { "CREATE" };
        let statement = format!(
            "{verb} ROLE {role} SUPERUSER LOGIN REPLICATION PASSWORD {}",
            Literal::new(verifier.expose_secret())
        );
        // The server's error could quote the statement.
        let failed = |_| Error::failed(format!("could not {} role {}", verb.to_lowercase(), self.role));
        db.run(&statement).await.map_err(failed)?;
        Ok(json!({ "note": format!("role {}", self.role) }))
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        let mut db = ends::source(world).await?;
        let end = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_catalog.pg_stat_activity WHERE usename = $1";
        db.value::<i64>(end, &[self.role.as_str()]).await.context("ending the migration role's sessions")?;
        db.run(&format!("DROP ROLE IF EXISTS {}", Ident::new(&self.role))).await?;
        ends::keep_source(world, db).await;
        world.kube.delete(&SECRET, &self.secret).await.map(drop)
    }
}

impl MigrationRole {
    pub fn of(migration: &crate::spec::Migration) -> Self {
        MigrationRole { role: role_name(migration), secret: role_secret(migration) }
    }
}
