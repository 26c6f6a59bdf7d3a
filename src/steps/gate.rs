//! The gate in front of the window: what would make it long or make it fail is looked for while the apps are up.
//!
//! It also opens the sessions and the shell that the window uses, and checkpoints the source, so that the shutdown has less
//! to write.

use super::{
    ends, keepers,
    replica::{control, fence_source, streaming},
};
use crate::{
    error::{Context, Error, Kind, Result},
    facts::{cnpg, server},
    kube::kind::PVC,
    spec::Strategy,
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Gate;

#[async_trait::async_trait]
impl Step for Gate {
    fn id(&self) -> String {
        "gate".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "look whether the window may open".into(),
            details:
                "operator ready, nobody who would start the apps again, no long or prepared transaction, lag small; \
                      opens sessions; looks only"
                    .into(),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let guard = &world.migration.guardrails;
        if let cnpg::Operator::NotReady { why, .. } = cnpg::operator(&world.kube).await {
            return Err(refuse(format!("the CNPG operator is not ready: {why}")));
        }
        keepers::look(world).await?;
        let mut source = ends::source(world).await?;
        for t in server::transactions(&mut source).await? {
            if t.kind == "prepared" && guard.prepared_transactions == 0 {
                return Err(refuse(format!("prepared transaction {} can commit at any time", t.id)).hint(format!(
                    "COMMIT PREPARED or ROLLBACK PREPARED '{}' in database {}",
                    t.id,
                    t.database.unwrap_or_default()
                )));
            }
            if t.kind != "prepared" && t.seconds > guard.longest_transaction.as_secs_f64() {
                let who = format!("{} in {}", t.user.unwrap_or_default(), t.database.unwrap_or_default());
                let limit = guard.longest_transaction.as_secs();
                return Err(refuse(format!(
                    "process {} of {who} has a transaction open for {:.0} s ({limit} s allowed)",
                    t.id, t.seconds
                )));
            }
        }
        source.run("CHECKPOINT").await.context("checkpoint the source")?;
        let mut note = "nothing in the way".to_string();
        if world.migration.strategy == Strategy::Replica {
            alone(world).await?;
            note = streaming::close_behind(world, &mut source).await?;
            let mut target = ends::target(world).await?;
            let pending: i64 = target.value("SELECT count(*) AS n FROM pg_settings WHERE pending_restart", &[]).await?;
            if pending > 0 {
                return Err(refuse(format!("{pending} settings of the target wait for a restart")));
            }
            ends::keep_target(world, target).await;
            let leader = control::read(world, &fence_source::pod(world).await?).await?;
            if leader.state != "in production" {
                return Err(refuse(format!("the source's control file says '{}'", leader.state)));
            }
        }
        ends::keep_source(world, source).await;
        Ok(json!({ "note": note }))
    }
}

/// With a standby the operator's restart after the promotion comes 21 s later, the standby's before it
/// (observed-physical.md 4.2). One that is still to join can't before the promotion; the operator waits for it, and with its
/// volume alone for ever (seen: 300 s), with the apps down.
async fn alone(world: &World) -> Result<()> {
    let (cluster, namespace) = (ends::cluster(world).await?, world.kube.namespace());
    let (name, instances) = (&world.migration.target.cluster, &cluster["spec"]["instances"]);
    if instances != 1 {
        let remedy = r#"--type merge -p '{"spec":{"instances":1}}'"#;
        let why = format!("cluster {name} has {instances} instances: the window would be longer by their restarts");
        return Err(refuse(why).hint(format!(
            "kubectl patch cluster.postgresql.cnpg.io -n {namespace} {name} {remedy}; it gets them after the window \
             (spec.target.cnpg.instances)"
        )));
    }
    let volumes = world.kube.list(&PVC, &format!("cnpg.io/cluster={name}")).await?;
    let instance = |volume: &Value| volume["metadata"]["labels"]["cnpg.io/instanceName"].as_str().map(String::from);
    match volumes.iter().filter_map(instance).find(|instance| *instance != format!("{name}-1")) {
        None => Ok(()),
        Some(other) => Err(refuse(format!(
            "cluster {name} still has a volume of {other}: the operator would not restart the primary before that standby runs"
        ))
        .hint(format!("kubectl delete -n {namespace} --ignore-not-found job/{other}-join pvc/{other}"))),
    }
}

fn refuse(what: String) -> Error {
    Error::new(Kind::Check, what)
}
