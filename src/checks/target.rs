//! The target's name is free, or the Cluster of that name is this migration's.

use super::{Check, Finding};
use crate::{
    facts::Facts,
    kube::kind::{POD, SERVICE},
    step::World,
};

const CHECK: Check = Check {
    id: "target-name",
    title: "the target's name is free",
    why: "an existing Cluster, pod or Service of that name would be mixed up with the target's",
};

pub async fn check(world: &World, facts: &Facts) -> Finding {
    let (name, namespace) = (&world.migration.target.cluster, world.kube.namespace());
    match &facts.target {
        Some(target) if target.migration.as_deref() == Some(&world.migration.name) => {
            return CHECK.pass(format!("cluster {name} is this migration's: {}", target.phase));
        }
        Some(target) => {
            let owner =
                target.migration.as_deref().map_or("not made by this tool".into(), |m| format!("of migration {m}"));
            return CHECK.fail(
                format!("cluster {name} exists, {owner}"),
                format!("kubectl get cluster -n {namespace} {name}; then name another one in spec.target.cnpg.cluster"),
            );
        }
        None => {}
    }
    let taken = async {
        for (kind, object) in [(&POD, format!("{name}-1")), (&SERVICE, format!("{name}-rw"))] {
            if world.kube.get(kind, &object).await?.is_some() {
                return Ok(Some(format!("{}/{object}", kind.kind.to_lowercase())));
            }
        }
        Ok(None)
    };
    match taken.await {
        Ok(None) => CHECK.pass(format!("nothing is named {name}")),
        Ok(Some(object)) => {
            CHECK.fail(format!("{object} exists"), format!("kubectl get -n {namespace} {object} -o yaml"))
        }
        Err(error) => CHECK.because(&error),
    }
}
