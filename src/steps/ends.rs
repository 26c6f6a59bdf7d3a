//! The two ends as the steps use them: which pod, which session.

use crate::{
    error::{Error, Result},
    facts::zalando,
    kube::kind::CLUSTER,
    postgres::{Db, pod},
    step::World,
};
use serde_json::Value;

/// The CNPG Cluster; an error when it is not there.
pub async fn cluster(world: &World) -> Result<Value> {
    let name = &world.migration.target.cluster;
    let found = world.kube.get(&CLUSTER, name).await?;
    found.ok_or_else(|| Error::failed(format!("cluster {name} is not there")))
}

/// The pod that holds the target's primary, designated or real. Before promotion there is one instance only.
pub async fn target_pod(world: &World) -> Result<String> {
    let cluster = cluster(world).await?;
    let pod = cluster["status"]["currentPrimary"].as_str().filter(|pod| !pod.is_empty());
    Ok(pod.map_or_else(|| format!("{}-1", world.migration.target.cluster), String::from))
}

/// A superuser session on the target: the one kept open, if it still answers, else a new one.
pub async fn target(world: &World) -> Result<Db> {
    let key = format!("target/{}", world.migration.target.cluster);
    if let Some(mut db) = world.sessions.take(&key).await
        && db.value::<i64>("SELECT 1 AS one", &[]).await.is_ok()
    {
        return Ok(db);
    }
    pod::connect(&world.kube, &target_pod(world).await?, "postgres").await
}

pub async fn keep_target(world: &World, db: Db) {
    world.sessions.keep(&format!("target/{}", world.migration.target.cluster), db).await;
}

/// A superuser session on the source's leader, in database `postgres`.
pub async fn source(world: &World) -> Result<Db> {
    if let Some(mut db) = world.sessions.take("source").await
        && db.value::<i64>("SELECT 1 AS one", &[]).await.is_ok()
    {
        return Ok(db);
    }
    let source = zalando::source(&world.kube, &world.migration.source).await?;
    zalando::open_source(&world.kube, &source, "postgres").await
}

pub async fn keep_source(world: &World, db: Db) {
    world.sessions.keep("source", db).await;
}
