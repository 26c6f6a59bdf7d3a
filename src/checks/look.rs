//! Everything that the checks judge, looked at once: Kubernetes, Patroni and SQL side by side, each with a deadline.

use super::{
    Choice,
    contents::Contents,
    permissions::{self, Missing},
};
use crate::{
    error::{Error, Result},
    facts::{
        self, Facts,
        apps::{self, Consumer, Workloads},
        collated::collated,
        ground::{self, Configuration, Fields},
        history::{self, Turn},
        main_database,
        member::{self, Inside},
        server::{self, Client, Transaction},
        survey::{self, Schema, Server},
        zalando::{self, Source},
    },
    journal::{Phase, Standing, State},
    kube::{Kind, Kube, kind},
    postgres::{Db, wire},
    spec::{ConnectionObject, Migration, Strategy},
    step::World,
    steps::{detach_operator, pause_patroni},
};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// For one look; a slow one is unknown, and holds nobody else up.
const LOOK: Duration = Duration::from_secs(20);

pub struct Looks {
    pub migration: Arc<Migration>,
    /// The journal has an entry.
    pub begun: bool,
    /// Phase prepare has ended.
    pub prepared: bool,
    /// What stands on the source is this migration's own doing: detached, paused.
    pub own: Own,
    pub permissions: Result<Vec<Missing>>,
    pub source: Result<Source>,
    /// Without consumers, which stand below.
    pub facts: Result<Facts>,
    pub sql: Result<Asked>,
    pub inside: Result<Inside>,
    /// Patroni's record of promotions.
    pub history: Result<Vec<Turn>>,
    /// Whether the Secret's password of the role `standby` is accepted.
    pub standby: Result<()>,
    /// The same for the owner of the main database.
    pub owner: Result<()>,
    pub workloads: Result<Workloads>,
    pub consumers: Vec<Consumer>,
    pub pods: Result<Vec<Value>>,
    pub services: Result<Vec<Value>>,
    pub claims: Result<Vec<Value>>,
    pub jobs: Result<Vec<Value>>,
    pub quotas: Result<Vec<Value>>,
    pub limits: Result<Vec<Value>>,
    pub policies: Result<Vec<Value>>,
    pub classes: Result<Vec<Value>>,
    pub ground: Ground,
    /// None where the file names no object store.
    pub store: Option<Result<Option<Value>>>,
    /// In the order of the file's.
    pub connections: Vec<Result<Option<Value>>>,
    /// What the target's image says itself; None: it was not asked.
    pub contents: Option<Result<Contents>>,
}

/// What both ends stand on.
pub struct Ground {
    /// Labels of the namespace.
    pub labels: Result<BTreeMap<String, String>>,
    /// Of the Zalando operator.
    pub zalando: Result<Option<Configuration>>,
    /// Of the type Cluster; None: the API server does not have it.
    pub cluster: Result<Option<Fields>>,
    /// Every CSIStorageCapacity.
    pub capacities: Result<Vec<Value>>,
}

/// What was asked over SQL.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// Over the network; else through a psql in the pod.
    pub over_tls: bool,
    pub server: Server,
    pub schemas: Vec<Schema>,
    pub clients: Vec<Client>,
    pub transactions: Vec<Transaction>,
    pub cron_jobs: u64,
}

impl Looks {
    /// Where there is none, the error is one that points at the check which says why.
    pub fn source(&self) -> Result<&Source, &Error> {
        self.source.as_ref().map_err(|own| self.facts.as_ref().err().unwrap_or(own))
    }
    pub fn facts(&self) -> Result<&Facts, &Error> {
        self.facts.as_ref()
    }
    pub fn sql(&self) -> Result<&Asked, &Error> {
        self.sql.as_ref()
    }
    pub fn server(&self) -> Result<&Server, &Error> {
        Ok(&self.sql()?.server)
    }
    pub fn schemas(&self) -> Result<&[Schema], &Error> {
        Ok(&self.sql()?.schemas)
    }
    pub fn contents(&self) -> Result<Option<&Contents>, &Error> {
        self.contents.as_ref().map(Result::as_ref).transpose()
    }
    pub fn namespace(&self) -> &str {
        &self.migration.namespace
    }
    /// Something of the user's own Cluster manifest; Null where there is no manifest.
    pub fn template(&self, pointer: &str) -> &Value {
        template(&self.migration, pointer)
    }
    /// Bytes of WAL a second, as seen between the first and the last look.
    pub fn wal_rate(&self) -> Result<f64, &Error> {
        let (server, schemas) = (self.server()?, self.schemas()?);
        let Some(last) = schemas.last().filter(|last| last.clock > server.clock) else { return Ok(0.0) };
        Ok(last.wal_position.saturating_sub(server.wal_position) as f64 / (last.clock - server.clock))
    }
}

pub(super) fn template<'m>(migration: &'m Migration, pointer: &str) -> &'m Value {
    migration.target.template.as_ref().and_then(|t| t.pointer(pointer)).unwrap_or(&Value::Null)
}

async fn within<T>(what: &str, look: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(LOOK, look).await {
        Ok(seen) => seen,
        Err(_) => Err(Error::failed(format!("{what}: no answer in {} s", LOOK.as_secs()))),
    }
}

async fn ground(kube: &Kube) -> Ground {
    let (labels, zalando, cluster, capacities) = tokio::join!(
        within("the namespace", ground::labels(kube)),
        within("the Zalando operator's configuration", ground::zalando(kube)),
        within("the type Cluster", ground::fields(kube, &kind::CLUSTER)),
        within("storage capacities", kube.list_all(&kind::STORAGE_CAPACITY, "")),
    );
    Ground { labels, zalando, cluster, capacities }
}

async fn list(kube: &Kube, kind: &Kind) -> Result<Vec<Value>> {
    within(kind.plural, kube.list(kind, "")).await
}

/// Steps of the cutover that stand, by the journal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    pub detached: bool,
    pub paused: bool,
}

impl Own {
    fn read(state: &State) -> Own {
        let stands =
            |id: &str| !matches!(state.step(id).standing, Standing::Never | Standing::Found | Standing::Reverted);
        Own { detached: stands(detach_operator::ID), paused: stands(pause_patroni::ID) }
    }
}

fn blind<T>() -> Result<T> {
    Err(Error::failed("not looked at"))
}

/// What a choice of permissions alone needs.
async fn permissions_alone(world: &World) -> Result<Looks> {
    let state = world.journal.state();
    Ok(Looks {
        migration: world.migration.clone(),
        begun: state.fingerprint.is_some(),
        prepared: state.has_ended(Phase::Prepare),
        own: Own::read(&state),
        permissions: Ok(permissions::missing(&world.kube).await?),
        source: blind(),
        facts: blind(),
        sql: blind(),
        inside: blind(),
        history: blind(),
        standby: blind(),
        owner: blind(),
        workloads: blind(),
        consumers: Vec::new(),
        pods: blind(),
        services: blind(),
        claims: blind(),
        jobs: blind(),
        quotas: blind(),
        limits: blind(),
        policies: blind(),
        classes: blind(),
        ground: Ground { labels: blind(), zalando: blind(), cluster: blind(), capacities: blind() },
        store: None,
        connections: Vec::new(),
        contents: None,
    })
}

/// Looks at everything that is asked for; an error only where nothing at all can be looked at.
pub async fn gather(world: &World, choice: &Choice) -> Result<Looks> {
    if choice.is_of_permissions() {
        return permissions_alone(world).await;
    }
    let (kube, migration) = (&world.kube, &world.migration);
    let state = world.journal.state();
    let around = async {
        tokio::join!(
            list(kube, &kind::SERVICE),
            list(kube, &kind::PVC),
            list(kube, &kind::JOB),
            list(kube, &kind::RESOURCE_QUOTA),
            list(kube, &kind::LIMIT_RANGE),
            list(kube, &kind::NETWORK_POLICY),
            list(kube, &kind::STORAGE_CLASS),
        )
    };
    let used = async {
        let workloads = within("workloads", Workloads::read(kube)).await;
        let consumers = match &workloads {
            Ok(workloads) => apps::consumers(kube, workloads, &migration.source).await,
            Err(_) => Vec::new(),
        };
        (workloads, consumers, connections(kube, migration).await, store(kube, migration).await)
    };
    let (permissions, around, ground, used, source) =
        tokio::join!(permissions::missing(kube), around, ground(kube), used, source(kube, migration));
    let (services, claims, jobs, quotas, limits, policies, classes) = around;
    let (workloads, consumers, connections, store) = used;
    let SourceLooks { pods, source, facts, sql, inside, history, standby, owner } = source;
    // Without this one answer the API server cannot be talked to at all.
    let permissions = Ok(permissions?);
    Ok(Looks {
        migration: migration.clone(),
        begun: state.fingerprint.is_some(),
        prepared: state.has_ended(Phase::Prepare),
        own: Own::read(&state),
        permissions,
        source,
        facts,
        sql,
        inside,
        history,
        standby,
        owner,
        workloads,
        consumers,
        pods,
        services,
        claims,
        jobs,
        quotas,
        limits,
        policies,
        classes,
        ground,
        store,
        connections,
        contents: None,
    })
}

struct SourceLooks {
    pods: Result<Vec<Value>>,
    source: Result<Source>,
    facts: Result<Facts>,
    sql: Result<Asked>,
    inside: Result<Inside>,
    history: Result<Vec<Turn>>,
    standby: Result<()>,
    owner: Result<()>,
}

async fn source(kube: &Kube, migration: &Migration) -> SourceLooks {
    let pods = list(kube, &kind::POD).await;
    let among = pods.as_deref().ok();
    let source = within("the source", zalando::source_among(kube, &migration.source, among)).await;
    let Ok(found) = &source else {
        fn blind<T>() -> Result<T> {
            Err(Error::failed("the source could not be looked at: see the check source-found"))
        }
        let (facts, sql, inside, history, standby, owner) = (blind(), blind(), blind(), blind(), blind(), blind());
        return SourceLooks { pods, source, facts, sql, inside, history, standby, owner };
    };
    let asked = async {
        let seen = within("the source's SQL", facts::through_sessions(kube, migration, found.clone())).await;
        match seen {
            Ok((facts, sessions)) => {
                let (sql, owner) = tokio::join!(
                    within("the source's SQL", ask(kube, sessions, &pods, migration.strategy)),
                    within("the owner's login", owner_login(kube, migration, &facts)),
                );
                (Ok(facts), sql, owner)
            }
            Err(error) => {
                // In the same words: a reason that many checks have is told once.
                let why = error.chain();
                (Err(error), Err(Error::failed(why.clone())), Err(Error::failed(why)))
            }
        }
    };
    let ((facts, sql, owner), inside, history, standby) = tokio::join!(
        asked,
        within("the leader's pod", member::inside(kube, &found.leader)),
        within("Patroni's history", history::history(kube, &found.leader)),
        within("the login of standby", login(kube, found, "standby", "postgres")),
    );
    SourceLooks { pods, source, facts, sql, inside, history, standby, owner }
}

async fn ask(kube: &Kube, mut sessions: Vec<Db>, pods: &Result<Vec<Value>>, strategy: Strategy) -> Result<Asked> {
    let (first, rest) = sessions.split_first_mut().ok_or_else(|| Error::bug("no session on the source"))?;
    let mut asked = Asked { over_tls: matches!(first, Db::Wire(_)), ..Asked::default() };
    asked.server = survey::server(first).await?;
    asked.transactions = server::transactions(first).await?;
    asked.clients = server::clients(kube, first, pods.as_deref().unwrap_or_default()).await?;
    asked.cron_jobs = survey::cron_jobs(first).await?;
    for db in rest {
        let mut schema = survey::schema(db).await?;
        if strategy == Strategy::Replica {
            schema.collated = collated(db).await?;
        }
        asked.schemas.push(schema);
    }
    Ok(asked)
}

async fn owner_login(kube: &Kube, migration: &Migration, facts: &Facts) -> Result<()> {
    let main = main_database(migration, facts)?;
    login(kube, &facts.source, &main.owner, &main.name).await
}

/// Logs in with the password of the operator's Secret, as nobody but the server can judge it.
async fn login(kube: &Kube, source: &Source, role: &str, database: &str) -> Result<()> {
    let (user, password) = zalando::credentials(kube, &source.cluster, role).await?;
    let login = wire::Login { pod: &source.leader, user: &user, password: &password, database, ca: None };
    wire::connect(kube, login).await.map(drop)
}

async fn connections(kube: &Kube, migration: &Migration) -> Vec<Result<Option<Value>>> {
    let looks = migration.connections.iter().map(|connection| async {
        match &connection.object {
            ConnectionObject::Secret(name) => kube.get(&kind::SECRET, name).await,
            ConnectionObject::ConfigMap(name) => kube.get(&kind::CONFIG_MAP, name).await,
        }
    });
    futures::future::join_all(looks).await
}

async fn store(kube: &Kube, migration: &Migration) -> Option<Result<Option<Value>>> {
    let backup = migration.target.backup.as_ref()?;
    Some(kube.get(&kind::OBJECT_STORE, &backup.object_store).await)
}
