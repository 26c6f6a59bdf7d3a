//! The target's connection pooler: created before the window, proven inside it.
//!
//! Its pods come up without a database behind them, so their image is pulled while the app runs. The operator makes the
//! role that PgBouncer asks passwords with only on a primary, and not while an extension of Spilo's stands in its way:
//! that is why the proof comes after promotion and cleaning (observed-physical.md 4.3). Undone by deleting the Pooler.

use super::{ends, prove_login::ProveLogin};
use crate::{
    error::{Error, Result},
    facts::cnpg::OURS,
    kube::{
        Probe,
        kind::{DEPLOYMENT, POD, POOLER},
    },
    step::*,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub struct CreatePooler {
    pub manifest: Value,
}

impl CreatePooler {
    fn name(&self) -> &str {
        self.manifest["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn wanted(&self) -> u64 {
        self.manifest["spec"]["instances"].as_u64().unwrap_or(1)
    }
}

fn ready(deployment: &Value) -> u64 {
    deployment["status"]["readyReplicas"].as_u64().unwrap_or(0)
}

#[async_trait::async_trait]
impl Step for CreatePooler {
    fn id(&self) -> String {
        "create-pooler".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("create the pooler {}", self.name()),
            details: format!(
                "{} PgBouncer pods, session mode, as many server connections in all as the target takes; undone by \
                 deleting it",
                self.wanted()
            ),
            objects: vec![format!("pooler/{}", self.name())],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Object(self.manifest.clone())]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let name = self.name();
        let Some(pooler) = world.kube.get(&POOLER, name).await? else { return Ok(Observed::Absent) };
        if pooler["metadata"]["labels"][OURS] != world.migration.name.as_str() {
            return Err(Error::check(format!("pooler {name} is there and is not ours"))
                .hint("name another one in spec.target.cnpg.pooler, or remove that one"));
        }
        let deployment = world.kube.get(&DEPLOYMENT, name).await?.unwrap_or_default();
        Ok(match ready(&deployment) {
            ready if ready >= self.wanted() => Observed::Done,
            ready => Observed::Partial(format!("{ready} of {} pods ready", self.wanted())),
        })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        world.kube.apply(&POOLER, &self.manifest).await?;
        let (wanted, name) = (self.wanted(), self.name());
        let all = |seen: Option<&Value>| match seen.map(ready) {
            Some(ready) if ready >= wanted => Probe::Done,
            Some(ready) => Probe::Pending(format!("{ready} of {wanted} pods ready")),
            None => Probe::Pending("the operator has not made its Deployment yet".into()),
        };
        let what = format!("pooler {name} to be ready");
        world.kube.wait(&DEPLOYMENT, name, &what, self.deadline(), &world.cancel, &world.events, all).await?;
        Ok(Value::Null)
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        let name = self.name();
        world.kube.delete(&POOLER, name).await?;
        let gone = |seen: Option<&Value>| match seen {
            None => Probe::Done,
            Some(_) => Probe::Pending("its Deployment is still there".into()),
        };
        let (what, limit) = (format!("pooler {name} to be gone"), Duration::from_secs(60));
        world.kube.wait(&DEPLOYMENT, name, &what, limit, &world.cancel, &world.events, gone).await.map(drop)
    }
}

/// Logs in through every one of the pooler's pods, as an app would: the gate before any app is sent there. Looks only.
pub struct ProvePooler {
    pub pooler: String,
    pub login: ProveLogin,
}

/// PgBouncer remembers a refused login to the server for so long (server_login_retry).
const LOGIN_RETRY: Duration = Duration::from_secs(15);
const IN_THE_WAY: &str = "cannot drop extension";

#[async_trait::async_trait]
impl Step for ProvePooler {
    fn id(&self) -> String {
        "prove-pooler".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: format!("log in through the pooler {}", self.pooler),
            details: format!(
                "as {}, through each of its pods, to a server that is not a replica; looks only",
                self.login.owner
            ),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        LOGIN_RETRY * 4
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        // First the role: a login before it is there would be refused, and remembered.
        let mut db = ends::target(world).await?;
        let role = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'cnpg_pooler_pgbouncer') AS there";
        let mut look = Instant::now() + LOGIN_RETRY;
        while !db.value::<bool>(role, &[]).await? {
            if Instant::now() >= look {
                in_the_way(world).await?;
                look += LOGIN_RETRY;
            }
            world.events.detail("waiting for the operator to make the pooler's role cnpg_pooler_pgbouncer");
            world.sleep(Duration::from_millis(100)).await?;
        }
        ends::keep_target(world, db).await;
        let pods = world.kube.list(&POD, &format!("cnpg.io/poolerName={}", self.pooler)).await?;
        let pods: Vec<&str> = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .filter_map(|pod| pod["metadata"]["name"].as_str())
            .collect();
        if pods.is_empty() {
            return Err(Error::failed(format!("pooler {} has no pod", self.pooler)));
        }
        let logins = pods.iter().map(|pod| self.patiently(world, pod));
        futures::future::try_join_all(logins).await?;
        Ok(json!({ "note": format!("{} logs in through {}", self.login.owner, pods.join(", ")), "pods": pods }))
    }
}

/// The instance manager drops the extensions that CNPG manages and no parameter asks for; as long as it can't, it makes no
/// role for a pooler, and only its log says so (observed-physical.md 4.3). Err: it does.
async fn in_the_way(world: &World) -> Result<()> {
    let pod = ends::target_pod(world).await?;
    let log = world.kube.logs(&pod, "postgres", Some(600)).await?;
    let why = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let why = why.filter_map(|line| line["error"].as_str().map(String::from)).find(|error| error.contains(IN_THE_WAY));
    let Some(why) = why else { return Ok(()) };
    let (cluster, namespace) = (&world.migration.target.cluster, world.kube.namespace());
    let error = Error::failed("the operator has not made the pooler's role cnpg_pooler_pgbouncer").cause(why);
    Err(error.hint(format!(
        "drop what depends on it, or give the Cluster a parameter of that extension again; then \
         kubectl annotate cluster.postgresql.cnpg.io -n {namespace} {cluster} --overwrite cnpg.io/reloadedAt=$(date +%s)"
    )))
}

impl ProvePooler {
    async fn patiently(&self, world: &World, pod: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.login.log_in(world, pod).await {
                Err(error) if began.elapsed() > LOGIN_RETRY * 2 => return Err(error),
                Err(error) => world.events.detail(error.chain()),
                Ok(()) => return Ok(()),
            }
            world.sleep(Duration::from_millis(500)).await?;
        }
    }
}
