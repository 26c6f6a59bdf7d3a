//! The REINDEX plan of a physical copy: of the target itself once it is there, before that by what its image is known to hold.

use crate::{
    checks,
    error::{Error, Result},
    facts::{Facts, cnpg, collated, zalando},
    spec::Strategy,
    step::World,
    term::plan::Reindex,
    verify::{self, Verdict},
};
use std::time::Duration;

/// For one database; a plan is shown also where an end does not answer.
const LOOK: Duration = Duration::from_secs(20);

pub async fn look(world: &World, facts: &Facts) -> Vec<Reindex> {
    if world.migration.strategy != Strategy::Replica {
        return Vec::new();
    }
    let looks = facts.databases.iter().map(|database| async {
        let seen = match tokio::time::timeout(LOOK, of(world, facts, &database.name)).await {
            Ok(seen) => seen,
            Err(_) => Err(Error::failed(format!("no answer in {} s", LOOK.as_secs()))),
        };
        let (basis, statements) = seen.unwrap_or_else(|error| (error.chain(), None));
        Reindex { database: database.name.clone(), basis, statements }
    });
    futures::future::join_all(looks).await
}

async fn of(world: &World, facts: &Facts, database: &str) -> Result<(String, Option<Vec<String>>)> {
    let (kube, migration) = (&world.kube, &world.migration);
    let source = async { zalando::open_source(kube, &zalando::source(kube, &migration.source).await?, database).await };
    let target = cnpg::open_target(kube, &migration.target.cluster, database);
    let (source, target) = tokio::join!(source, target);
    if let Ok(mut target) = target {
        let found = verify::indexes(source.ok().as_mut(), &mut target, database, false).await;
        let unseen = found.items.iter().find(|item| item.kind == "collation version" && item.verdict != Verdict::Pass);
        return Ok(match unseen.and_then(|item| Some((&item.name, item.note.as_ref()?))) {
            Some((collation, why)) if found.repair.is_empty() => (format!("{collation}: {why}"), None),
            Some((collation, why)) => (format!("{collation}: {why}"), Some(found.repair)),
            None => ("as the target's libraries sort".into(), Some(found.repair)),
        });
    }
    let collated = collated::collated(&mut source?).await?;
    let image = checks::target_image(migration, facts);
    Ok(match checks::glibc(&image) {
        Some(glibc) => (format!("{image} has glibc {glibc}"), Some(collated.repair(database, glibc))),
        None => (format!("the tag of {image} does not say its C library; plan again after prepare"), None),
    })
}
