//! The steps of the `dump` strategy: a role and a rehearsal before the window; fence, import, repair and proof inside it.

pub mod hba;
pub mod hba_fence;
pub mod import;
pub mod migration_role;
pub mod quiet;
pub mod rehearse;
pub mod repair;
pub mod verify_gate;
mod watch;

use crate::{
    error::Result,
    facts::zalando,
    postgres::{Db, pod},
    spec::Migration,
    step::World,
    verify,
};

/// The one role that the fence lets in; the import logs in with it.
pub fn role_name(migration: &Migration) -> String {
    format!("pgmigrate_{}", migration.name.replace(['-', '.'], "_"))
}

/// The Secret with that role's username and password.
pub fn role_secret(migration: &Migration) -> String {
    format!("pgmigrate-{}-role", migration.name)
}

/// A superuser session in the leader's pod, through its own socket: the fence does not shut it out.
async fn source_pod(world: &World, leader: &str, database: &str) -> Result<Db> {
    pod::connect(&world.kube, leader, database).await
}

/// The same in one database of both ends.
async fn both(world: &World, database: &str) -> Result<(Db, Db)> {
    let (source, target) = pods(world).await?;
    tokio::try_join!(source_pod(world, &source, database), pod::connect(&world.kube, &target, database))
}

/// Several of each.
async fn several(world: &World, database: &str, number: usize) -> Result<(Vec<Db>, Vec<Db>)> {
    let (source, target) = pods(world).await?;
    let source = verify::sessions(number, || Box::pin(source_pod(world, &source, database)));
    let target = verify::sessions(number, || Box::pin(pod::connect(&world.kube, &target, database)));
    tokio::try_join!(source, target)
}

/// The source's leader, the target's primary.
async fn pods(world: &World) -> Result<(String, String)> {
    let source = zalando::source(&world.kube, &world.migration.source).await?;
    Ok((source.leader, super::ends::target_pod(world).await?))
}
