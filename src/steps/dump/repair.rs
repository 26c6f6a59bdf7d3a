//! Brings back what an import loses: roles' attributes, options of memberships, settings, passwords, large objects' owners.
//!
//! Roles were made bare before the import, so that no password stood in its log; here they become what they are at the
//! source. What is wrong is found by comparing both sides, so running again repairs the rest and then nothing. Nothing
//! to undo: the target goes as a whole. A crash leaves some of it repaired.

use super::both;
use crate::{
    error::{Context, Error, Result},
    facts::{
        carried::{self, Repair},
        redact::redact,
    },
    postgres::Db,
    step::*,
};
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;

pub struct RepairImport {
    pub databases: Vec<String>,
}

pub const ID: &str = "repair-import";

impl RepairImport {
    /// What is left to do, passwords apart: in the whole cluster, and by database.
    async fn left(&self, world: &World) -> Result<usize> {
        let mut count = 0;
        for (number, database) in self.databases.iter().enumerate() {
            let (mut source, mut target) = both(world, database).await?;
            if number == 0 {
                count += carried::cluster(&mut source, &mut target, &self.databases).await?.len();
                let known = carried::clear_texts(&world.kube, &world.migration.source, &mut source).await?;
                count += carried::passwords(&mut source, &mut target, &known).await?.0.len();
            }
            count += carried::database(&mut source, &mut target).await?.len();
        }
        Ok(count)
    }

    async fn passwords(&self, world: &World, source: &mut Db, target: &mut Db) -> Result<(Vec<String>, Vec<String>)> {
        let known = carried::clear_texts(&world.kube, &world.migration.source, source).await?;
        let (passwords, left) = carried::passwords(source, target, &known).await?;
        let mut rehashed = Vec::new();
        for password in passwords {
            // The server's error could quote the statement.
            let failed = |_| Error::failed(format!("could not set the password of role {}", password.role));
            target.run(password.statement.expose_secret()).await.map_err(failed)?;
            if password.rehashed {
                rehashed.push(password.role);
            }
        }
        Ok((rehashed, left))
    }
}

/// Runs every statement and tells all that fail: one at a time would cost a window each.
async fn run(target: &mut Db, repairs: &[Repair]) -> Result<()> {
    let mut failed = Vec::new();
    for repair in repairs {
        if let Err(e) = target.run(&repair.statement).await {
            failed.push(redact(&format!("{}: {}: {}", repair.about, repair.statement, e.chain())));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => {
            Err(Error::failed(format!("{} of {} repairs failed", failed.len(), repairs.len())).cause(failed.join("\n")))
        }
    }
}

#[async_trait::async_trait]
impl Step for RepairImport {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "bring back what the import lost".into(),
            details:
                "roles' attributes and passwords, options of memberships, settings, owners of large objects, as at \
                      the source; goes with the target"
                    .into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        Ok(match self.left(world).await? {
            0 => Observed::Done,
            n => Observed::Partial(format!("{n} facts of the source are not at the target")),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let mut done: Vec<String> = Vec::new();
        let (mut rehashed, mut left) = (Vec::new(), Vec::new());
        for (number, database) in self.databases.iter().enumerate() {
            let (mut source, mut target) = both(world, database).await?;
            target.run(carried::PRIVATE).await.context("keeping passwords out of the target's log")?;
            if number == 0 {
                let repairs = carried::cluster(&mut source, &mut target, &self.databases).await?;
                run(&mut target, &repairs).await?;
                done.extend(repairs.into_iter().map(|r| r.about));
                (rehashed, left) = self.passwords(world, &mut source, &mut target).await?;
            }
            let repairs = carried::database(&mut source, &mut target).await?;
            run(&mut target, &repairs).await.with_context(|| format!("in database {database}"))?;
            done.extend(repairs.into_iter().map(|r| r.about));
        }
        if !left.is_empty() {
            world.events.warn(format!(
                "no Secret holds the password of {}: md5 logins work only by a pg_hba line (host all all all md5)",
                left.join(", ")
            ));
        }
        let note = format!("{} repairs, {} passwords set anew as scram", done.len(), rehashed.len());
        done.dedup();
        Ok(json!({ "note": note, "repaired": done, "rehashed": rehashed, "md5Left": left }))
    }
}
