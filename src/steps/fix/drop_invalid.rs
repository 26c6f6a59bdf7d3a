//! Drops what a REINDEX CONCURRENTLY that failed has left beside the valid index, as PostgreSQL's manual says (REINDEX,
//! "Rebuilding Indexes Concurrently"). No query uses such an index. One on a table that is locked for longer than our
//! sessions wait is an error. A crash leaves some; applying again drops the rest.

use crate::{
    error::{Context, Result},
    facts::{survey, zalando},
    step::*,
};
use serde_json::json;
use std::time::Duration;

pub struct DropInvalid {
    pub databases: Vec<String>,
}

impl DropInvalid {
    /// `database: schema.index`, and what drops it if `dropping`.
    async fn each(&self, world: &World, dropping: bool) -> Result<Vec<String>> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        let mut seen = Vec::new();
        for database in &self.databases {
            let mut db = zalando::open_source(&world.kube, &source, database).await?;
            for index in survey::schema(&mut db).await?.invalid_indexes {
                let Some(quoted) = &index.left_over else { continue };
                if dropping {
                    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {quoted}");
                    db.run(&drop).await.with_context(|| format!("dropping index {} in {database}", index.name))?;
                }
                seen.push(format!("{database}: {}", index.name));
            }
        }
        Ok(seen)
    }
}

#[async_trait::async_trait]
impl Step for DropInvalid {
    fn id(&self) -> String {
        "fix-invalid-indexes".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "drop the invalid indexes that REINDEX CONCURRENTLY has left".into(),
            details: "those beside a valid index of their name; they are not put back".into(),
            objects: self.databases.iter().map(|name| format!("database/{name}")).collect(),
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        Ok(if self.each(world, false).await?.is_empty() { Observed::Done } else { Observed::Absent })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        Ok(json!({ "drops": self.each(world, false).await? }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        Ok(json!({ "note": self.each(world, true).await?.join(", ") }))
    }
}
