//! `--accept-inconclusive`: which tables are meant, before anything is done.

use crate::{
    error::{Context as _, Error, Result},
    facts::{Facts, zalando},
    journal::{Acceptance, What},
    kube::Kube,
    plan::Plan,
    runner::Runner,
    spec::Migration,
    step::World,
    verify,
};
use std::collections::BTreeSet;

#[derive(clap::Args, Default)]
pub struct Accept {
    /// Let this table pass when it cannot be compared (INCONCLUSIVE; never when it differs): schema.table, or
    /// database.schema.table; may be given several times
    #[arg(long = "accept-inconclusive", value_name = "TABLE")]
    names: Vec<String>,
}

impl Accept {
    /// For a gate of the cutover, to be journaled before it.
    pub async fn entries(&self, kube: &Kube, migration: &Migration, plan: &Plan, facts: &Facts) -> Result<Vec<What>> {
        let gate = plan.cutover.iter().any(|step| step.id() == "verify");
        if !self.names.is_empty() && !gate {
            let strategy = migration.strategy;
            return Err(Error::usage(format!(
                "no gate of strategy {strategy} compares rows: there is nothing to accept"
            ))
            .hint(format!("kubectl pgmigrate plan {}", migration.name)));
        }
        let tables = self.tables(kube, migration, facts).await?;
        Ok(tables.into_iter().map(|(database, table)| What::Accepted { database, table }).collect())
    }

    /// Where nothing will be compared.
    pub fn none(&self, why: &str) -> Result<Vec<What>> {
        if self.names.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Error::usage(format!("{why}: there is nothing to accept")))
        }
    }

    /// For a look of our own: they hold for it alone, and are kept with its result.
    pub async fn acceptances(&self, world: &World, facts: &Facts) -> Result<Vec<Acceptance>> {
        let (by, at) = (world.journal.by().to_owned(), jiff::Timestamp::now());
        let tables = self.tables(&world.kube, &world.migration, facts).await?;
        Ok(tables.into_iter().map(|(database, table)| Acceptance { database, table, by: by.clone(), at }).collect())
    }

    /// (database, quoted table): a name without a database means the table in each that has one.
    async fn tables(&self, kube: &Kube, migration: &Migration, facts: &Facts) -> Result<Vec<(String, String)>> {
        if self.names.is_empty() {
            return Ok(Vec::new());
        }
        let source = zalando::source(kube, &migration.source).await.context("look the accepted tables up")?;
        let (mut found, mut unknown) = (Vec::new(), self.names.iter().cloned().collect::<BTreeSet<_>>());
        for database in facts.databases.iter().map(|d| &d.name) {
            let mut db = zalando::open_source(kube, &source, database).await.context("look the accepted tables up")?;
            let (known, not) = verify::tables_named(&mut db, database, &self.names).await?;
            found.extend(known.into_iter().map(|table| (database.clone(), table)));
            unknown = &unknown & &not.into_iter().collect();
        }
        match unknown.is_empty() {
            true => Ok(found),
            false => {
                let names = unknown.into_iter().collect::<Vec<_>>().join(", ");
                Err(Error::usage(format!("the source has no table {names}; nothing was done"))
                    .hint(format!("kubectl pgmigrate verify {} --all", migration.name)))
            }
        }
    }
}

/// Written under the lock, by whoever runs.
pub async fn journal(runner: &Runner, entries: Vec<What>) -> Result<()> {
    if entries.is_empty() { Ok(()) } else { runner.world.journal.append(entries).await }
}
