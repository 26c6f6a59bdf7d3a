//! Creates the target Cluster with a monolith import of the fenced source, and waits for it.
//!
//! Watched, because a failing import is retried for minutes behind a phase that tells nothing: the first failed pod ends
//! it. Undone by deleting the Cluster and waiting until its pods and volumes are gone. A crash leaves the Cluster
//! importing; running again goes on waiting for it.

use super::watch;
use crate::{
    error::{Error, Result},
    facts::{cnpg, server, zalando},
    kube::kind::CLUSTER,
    step::*,
    steps::{ends, replica::create_target::delete_cluster},
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Import {
    pub manifest: Value,
    /// The databases that must be there in the end.
    pub databases: Vec<String>,
    pub limit: Duration,
}

impl Import {
    /// The databases that the target's primary has, and that it is no copy of the source.
    async fn missing(&self, world: &World) -> Result<Vec<String>> {
        let mut db = ends::target(world).await?;
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        if db.identity().await?.system_identifier == source.system_identifier {
            return Err(Error::check(format!(
                "cluster {} is a physical copy, not an import",
                world.migration.target.cluster
            )));
        }
        let there: Vec<String> = server::databases(&mut db).await?.into_iter().map(|d| d.name).collect();
        ends::keep_target(world, db).await;
        Ok(self.databases.iter().filter(|d| !there.contains(d)).cloned().collect())
    }
}

#[async_trait::async_trait]
impl Step for Import {
    fn id(&self) -> String {
        "import".into()
    }
    fn describe(&self) -> Description {
        let name = &self.manifest["metadata"]["name"];
        Description {
            title: format!(
                "import {} into the new cluster {}",
                self.databases.join(", "),
                name.as_str().unwrap_or_default()
            ),
            details:
                "CNPG dumps the fenced source and restores it; the first failed pod ends it; undone by deleting the \
                      cluster with its volume"
                    .into(),
            objects: vec![format!("cluster/{}", name.as_str().unwrap_or_default())],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Object(self.manifest.clone())]
    }
    fn deadline(&self) -> Duration {
        self.limit
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let name = &world.migration.target.cluster;
        let Some(object) = world.kube.get(&CLUSTER, name).await? else { return Ok(Observed::Absent) };
        let seen = cnpg::read(&object);
        if seen.migration.as_deref() != Some(world.migration.name.as_str()) {
            return Err(Error::check(format!("cluster {name} is there and is not ours"))
                .hint("name another cluster in spec.target.cnpg.cluster, or remove that one"));
        }
        if !seen.healthy() || seen.pod.is_none() {
            return Ok(Observed::Partial(format!("{}: {}", seen.phase, seen.phase_reason)));
        }
        Ok(match self.missing(world).await?.as_slice() {
            [] => Observed::Done,
            missing => Observed::Partial(format!("database {} is not there", missing.join(", "))),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let name = &world.migration.target.cluster;
        world.kube.apply(&CLUSTER, &self.manifest).await?;
        watch::until_healthy(world, name).await?;
        // Healthy is no proof: the databases are.
        match self.missing(world).await?.as_slice() {
            [] => Ok(json!({ "note": format!("{} in cluster {name}", self.databases.join(", ")) })),
            missing => {
                Err(Error::failed(format!("cluster {name} is healthy and has no database {}", missing.join(", "))))
            }
        }
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        world.sessions.close("target").await;
        delete_cluster(world, &world.migration.target.cluster).await
    }
}
