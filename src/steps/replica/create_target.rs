//! Creates the target Cluster: one instance, in replica mode, fenced, copied from the source's leader.
//!
//! Fenced because Patroni's postgresql.conf does not boot under CNPG until it is repaired (`make_bootable.rs`). Undone
//! by deleting the Cluster, waiting until its pods and volumes are gone, and ending what they had asked of the source. A
//! crash leaves it or not; applying again is the same Cluster.

use crate::{
    error::{Error, Result},
    facts::{cnpg::OURS, zalando},
    kube::{
        Probe,
        kind::{CLUSTER, POD, PVC},
    },
    postgres::{Literal, sql_error, wire},
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct CreateTarget {
    pub manifest: Value,
}

#[async_trait::async_trait]
impl Step for CreateTarget {
    fn id(&self) -> String {
        "create-target".into()
    }
    fn describe(&self) -> Description {
        let name = self.manifest["metadata"]["name"].as_str().unwrap_or_default();
        Description {
            title: format!("create the target cluster {name}"),
            details: "one instance in replica mode, fenced until it can boot; undone by deleting it with its volume"
                .into(),
            objects: vec![format!("cluster/{name}")],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Object(self.manifest.clone())]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let name = &world.migration.target.cluster;
        match world.kube.get(&CLUSTER, name).await? {
            None => Ok(Observed::Absent),
            Some(cluster) if cluster["metadata"]["labels"][OURS] == world.migration.name.as_str() => Ok(Observed::Done),
            Some(_) => Err(Error::check(format!("cluster {name} is there and is not ours"))
                .hint("name another cluster in spec.target.cnpg.cluster, or remove that one")),
        }
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        prove_standby(world).await.map(|()| Value::Null)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        world.kube.apply(&CLUSTER, &self.manifest).await?;
        Ok(json!({ "cluster": world.migration.target.cluster }))
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        let target = &world.migration.target.cluster;
        delete_cluster(world, target).await?;
        // Nobody's any more: it ends by itself, only later.
        if let Err(error) = end_copy(world, target).await {
            world.events.warn(format!("the base backup's session at the source was not ended: {}", error.chain()));
        }
        Ok(())
    }
}

/// The copy logs in with the operator's Secret of `standby`. With a wrong password its job would try for ever, and say so
/// in its log only.
async fn prove_standby(world: &World) -> Result<()> {
    let (kube, source) = (&world.kube, zalando::source(&world.kube, &world.migration.source).await?);
    let (user, password) = zalando::credentials(kube, &source.cluster, "standby").await?;
    let login = wire::Login { pod: &source.leader, user: &user, password: &password, database: "postgres", ca: None };
    match wire::connect(kube, login).await {
        Err(error) if sql_error(&error).is_some_and(|said| said.code == "28P01") => {
            let (secret, leader) = (zalando::secret_name(&source.cluster, "standby"), &source.leader);
            let what = format!("the source does not take the password of role {user} that is in secret {secret}");
            Err(Error::check(what).cause(error).hint(format!(
                "give the role that password: kubectl exec -it -n {} {leader} -c postgres -- psql -U postgres -c '\\password {user}'",
                kube.namespace()
            )))
        }
        // Some pg_hba lets `standby` do nothing but replicate: then the copy itself will tell.
        _ => Ok(()),
    }
}

/// A walsender that waits for its base backup's checkpoint does not notice for minutes that its client is gone.
async fn end_copy(world: &World, target: &str) -> Result<()> {
    let mut source = ends::source(world).await?;
    let application = Literal::new(format!("pgmigrate-{target}"));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = ";
    source.run(&format!("{end}{application}")).await?;
    ends::keep_source(world, source).await;
    Ok(())
}

/// Deletes a Cluster of ours and returns when neither pods nor volumes are left: a copy that could still promote must
/// be gone before anybody relies on the source.
pub async fn delete_cluster(world: &World, name: &str) -> Result<()> {
    if let Some(cluster) = world.kube.get(&CLUSTER, name).await? {
        if cluster["metadata"]["labels"][OURS] != world.migration.name.as_str() {
            return Err(Error::check(format!("cluster {name} is not ours (label {OURS}); it stays")));
        }
        world.kube.delete(&CLUSTER, name).await?;
    }
    let labels = format!("cnpg.io/cluster={name}");
    for (kind, what) in [(&POD, "pods"), (&PVC, "volumes")] {
        let gone = |left: &[Value]| match left.len() {
            0 => Probe::Done,
            n => Probe::Pending(format!("{n} {what} left")),
        };
        let what = format!("the {what} of cluster {name} to be gone");
        world.kube.wait_all(kind, &labels, &what, Duration::from_secs(120), &world.cancel, &world.events, gone).await?;
    }
    Ok(())
}
