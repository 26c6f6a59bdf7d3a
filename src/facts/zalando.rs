//! The source as its operator, Kubernetes and Patroni see it (zalando.md 1, 2, 8).

use super::{list, text};
use crate::{
    error::{Context, Error, Result},
    kube::{Kube, kind},
    postgres::{Db, pod, wire},
};
use base64::Engine;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Whose events the Zalando operator obeys; anything but the operator's own id detaches the cluster.
pub const CONTROLLER: &str = "acid.zalan.do/controller";
/// Patroni's REST API.
pub const PATRONI: u16 = 8008;
const LOOK: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    pub cluster: String,
    pub namespace: String,
    /// Pod of the leader. Under a Patroni pause with PostgreSQL stopped there is none: then the stopped member.
    pub leader: String,
    pub members: Vec<Member>,
    /// 0 while the leader's PostgreSQL does not run.
    pub timeline: u32,
    pub system_identifier: String,
    /// As server_version_num (150014); 0 while the leader's PostgreSQL does not run.
    pub version_num: u32,
    /// `<cluster>.<namespace>.svc`
    pub service_host: String,
    /// Patroni's maintenance mode.
    pub paused: bool,
    /// Value of the controller annotation, if the cluster carries one.
    pub detached: Option<String>,
    /// `.status.PostgresClusterStatus`, "Running" when all is well.
    pub status: String,
    /// From Patroni's dynamic configuration: replica or logical.
    pub wal_level: String,
    /// Kubernetes quantity.
    pub volume_size: String,
    /// The StatefulSet's matchLabels: what finds the members' pods.
    pub labels: BTreeMap<String, String>,
    /// The custom resource's spec. Not kept in the journal: its environment may hold secrets.
    #[serde(skip)]
    pub spec: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub pod: String,
    pub ip: String,
    /// leader, replica, sync_standby ... (Patroni's words; master and primary are told as leader)
    pub role: String,
    /// running, streaming, stopped ...
    pub state: String,
    pub timeline: Option<u32>,
    /// Bytes behind the leader; None for the leader or where Patroni does not know.
    pub lag: Option<u64>,
}

impl Source {
    /// `a=b,c=d`, as a label selector.
    pub fn selector(&self) -> String {
        self.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
    }
    pub fn major(&self) -> u32 {
        self.version_num / 10000
    }
    /// What must hold before a migration begins: the operator content, every member running.
    pub fn fit(&self) -> Result<()> {
        if self.status != "Running" && self.detached.is_none() {
            let status = if self.status.is_empty() { "unknown" } else { &self.status };
            return Err(Error::check(format!("postgresql {} has status {status}, not Running", self.cluster))
                .hint(format!("kubectl describe postgresql -n {} {}", self.namespace, self.cluster)));
        }
        let down = self.members.iter().find(|m| !matches!(m.state.as_str(), "running" | "streaming"));
        match down {
            Some(m) => Err(Error::check(format!("member {} of {} is {}, not running", m.pod, self.cluster, m.state))
                .hint(format!("kubectl exec -n {} {} -c postgres -- patronictl list", self.namespace, self.leader))),
            None => Ok(()),
        }
    }
}

/// Names of the Zalando clusters in the namespace, sorted.
pub async fn names(kube: &Kube) -> Result<Vec<String>> {
    let mut names: Vec<String> = kube
        .list(&kind::POSTGRESQL, "")
        .await
        .context("listing Zalando clusters")?
        .iter()
        .map(|c| text(c, "/metadata/name").to_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Looks at the custom resource, the StatefulSet, its pods and Patroni.
/// Errors: no such cluster (says which there are), a standby cluster, no pods, no leader, Patroni out of reach.
pub async fn source(kube: &Kube, cluster: &str) -> Result<Source> {
    source_among(kube, cluster, None).await
}

/// The same, with the pods of the namespace at hand.
pub async fn source_among(kube: &Kube, cluster: &str, pods: Option<&[Value]>) -> Result<Source> {
    let Some(object) = kube.get(&kind::POSTGRESQL, cluster).await? else {
        return Err(not_found(kube, cluster).await);
    };
    let spec = object.get("spec").cloned().unwrap_or_default();
    if spec.get("standby").is_some_and(|s| !s.is_null()) {
        return Err(Error::check(format!(
            "postgresql {cluster} is a standby cluster: it follows another one and takes no writes"
        ))
        .hint(format!("kubectl get postgresql -n {} {cluster} -o jsonpath='{{.spec.standby}}'", kube.namespace())));
    }
    let labels = labels(kube, cluster).await?;
    let own = |pod: &&Value| labels.iter().all(|(key, value)| pod["metadata"]["labels"][key] == value.as_str());
    let selector = || labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
    let pods = match pods {
        Some(all) => all.iter().filter(own).cloned().collect(),
        None => kube.list(&kind::POD, &selector()).await?,
    };
    let view = patroni(kube, cluster, &pods).await?;
    let members = members(&view.cluster, &pods);
    let paused = view.cluster.get("pause").and_then(Value::as_bool).unwrap_or(false);
    let leader = leader(&members, &pods, paused).ok_or_else(|| {
        Error::check(format!("cluster {cluster} has no leader: Patroni knows {}", told(&members))).hint(format!(
            "kubectl exec -n {} {} -c postgres -- patronictl list",
            kube.namespace(),
            view.asked
        ))
    })?;
    let state = get(kube, &leader, "/patroni").await?;
    Ok(Source {
        cluster: cluster.to_owned(),
        namespace: kube.namespace().to_owned(),
        timeline: number(&state, "/timeline"),
        version_num: number(&state, "/server_version"),
        system_identifier: identifier(&state),
        service_host: format!("{cluster}.{}.svc", kube.namespace()),
        paused,
        detached: object
            .pointer("/metadata/annotations")
            .and_then(|a| a.get(CONTROLLER))
            .and_then(Value::as_str)
            .map(str::to_owned),
        status: text(&object, "/status/PostgresClusterStatus").to_owned(),
        wal_level: wal_level(kube, &leader).await,
        volume_size: text(&spec, "/volume/size").to_owned(),
        leader,
        members,
        labels,
        spec,
    })
}

/// Name of the Secret the operator keeps for a user (zalando.md 2: only '_' is changed).
pub fn secret_name(cluster: &str, user: &str) -> String {
    format!("{}.{cluster}.credentials.postgresql.acid.zalan.do", user.replace('_', "-"))
}

/// User name and password from the operator's Secret. The user is read from the Secret: with rotation it is not the
/// one in the Secret's name.
pub async fn credentials(kube: &Kube, cluster: &str, user: &str) -> Result<(String, SecretString)> {
    let name = secret_name(cluster, user);
    let Some(secret) = kube.get(&kind::SECRET, &name).await? else {
        return Err(Error::check(format!("secret {name} with the password of role {user} is not there"))
            .hint(format!("kubectl get secrets -n {} -l cluster-name={cluster}", kube.namespace())));
    };
    let user = decoded(&secret, "username").with_context(|| format!("reading secret {name}"))?;
    let password = decoded(&secret, "password").with_context(|| format!("reading secret {name}"))?;
    Ok((user, SecretString::from(password)))
}

/// One key of a Secret as text. The error never shows the value.
pub(crate) fn decoded(secret: &Value, key: &str) -> Result<String> {
    let Some(encoded) = secret.get("data").and_then(|d| d.get(key)).and_then(Value::as_str) else {
        return Err(Error::check(format!("it has no key {key}")));
    };
    base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error::check(format!("its key {key} is not base64 of UTF-8 text")))
}

/// A superuser session on the leader: as `postgres` over TLS with the operator's Secret, or, where that is refused
/// (the fence is up, the Secret may not be read), through a psql inside the pod. It is made sure that it is the leader
/// and that it is this cluster.
pub async fn open_source(kube: &Kube, source: &Source, database: &str) -> Result<Db> {
    let login = credentials(kube, &source.cluster, "postgres").await;
    open_source_as(kube, source, &login, database).await
}

/// What [`credentials`] came to.
pub type Login = Result<(String, SecretString)>;

/// The same for several sessions with one look at the Secret.
pub async fn open_source_as(kube: &Kube, source: &Source, login: &Login, database: &str) -> Result<Db> {
    let mut db = match over_the_wire(kube, source, login, database).await {
        Ok(db) => db,
        Err(refused) => pod::connect(kube, &source.leader, database).await.map_err(|e| {
            let why = e.chain();
            Error::failed(format!("no SQL session on {}: through the pod: {why}", source.leader)).cause(refused)
        })?,
    };
    let identity = db.identity().await?;
    if identity.in_recovery {
        return Err(Error::check(format!(
            "{} is a standby, not the leader: there was a switchover just now",
            source.leader
        ))
        .hint("run the command again"));
    }
    if identity.system_identifier != source.system_identifier {
        return Err(Error::check(format!(
            "the server in {} has system identifier {}, Patroni says {}",
            source.leader, identity.system_identifier, source.system_identifier
        )));
    }
    Ok(db)
}

async fn over_the_wire(kube: &Kube, source: &Source, login: &Login, database: &str) -> Result<Db> {
    let (user, password) = login.as_ref().map_err(|refused| Error::check(refused.chain()))?;
    let login = wire::Login { pod: &source.leader, user, password, database, ca: None };
    wire::connect(kube, login).await
}

async fn not_found(kube: &Kube, cluster: &str) -> Error {
    let error = Error::check(format!("no Zalando cluster {cluster} in namespace {}", kube.namespace()));
    match names(kube).await {
        Ok(names) if names.is_empty() => error.hint("kubectl get postgresqls --all-namespaces"),
        Ok(names) => error.hint(format!("these are there: {}", names.join(", "))),
        Err(_) => error.hint(format!("kubectl get postgresqls -n {}", kube.namespace())),
    }
}

/// The label keys are configurable: the StatefulSet has the true ones (zalando.md 2).
async fn labels(kube: &Kube, cluster: &str) -> Result<BTreeMap<String, String>> {
    let Some(set) = kube.get(&kind::STATEFUL_SET, cluster).await? else {
        return Err(Error::check(format!("cluster {cluster} has no StatefulSet: the operator has not made it"))
            .hint(format!("kubectl describe postgresql -n {} {cluster}", kube.namespace())));
    };
    let labels = set.pointer("/spec/selector/matchLabels").cloned().unwrap_or_default();
    let labels: BTreeMap<String, String> =
        serde_json::from_value(labels).context("reading the StatefulSet's labels")?;
    if labels.is_empty() {
        return Err(Error::check(format!("statefulset {cluster} selects pods by no label")));
    }
    Ok(labels)
}

struct View {
    cluster: Value,
    asked: String,
}

/// GET /cluster from the first member that answers, the one labelled master first.
async fn patroni(kube: &Kube, cluster: &str, pods: &[Value]) -> Result<View> {
    let mut order: Vec<&Value> = pods.iter().filter(|p| text(p, "/status/phase") == "Running").collect();
    order.sort_by_key(|p| (!is_master(p), text(p, "/metadata/name").to_owned()));
    let mut last = Error::check("it has no running pod");
    for pod in order {
        let name = text(pod, "/metadata/name");
        match get(kube, name, "/cluster").await {
            Ok(cluster) => return Ok(View { cluster, asked: name.to_owned() }),
            Err(e) => last = e,
        }
    }
    let hint = format!("kubectl get pods -n {} -l cluster-name={cluster}", kube.namespace());
    Err(Error::check(format!("no member of cluster {cluster} answers for Patroni")).cause(last).hint(hint))
}

/// Patroni's answer as JSON. A replica answers some paths with 503 and the same body: the body counts.
async fn get(kube: &Kube, pod: &str, path: &str) -> Result<Value> {
    let what = || format!("asking Patroni in pod {pod} for {path}");
    let (status, body) = kube.http(pod, PATRONI, "GET", path, None, LOOK).await.with_context(what)?;
    serde_json::from_str(&body).with_context(|| format!("{}: status {status}, no JSON", what()))
}

fn members(view: &Value, pods: &[Value]) -> Vec<Member> {
    let ip = |name: &str| {
        let pod = pods.iter().find(|p| text(p, "/metadata/name") == name);
        pod.map(|p| text(p, "/status/podIP").to_owned()).unwrap_or_default()
    };
    list(view, "/members")
        .iter()
        .map(|m| Member {
            pod: text(m, "/name").to_owned(),
            ip: ip(text(m, "/name")),
            role: match text(m, "/role") {
                "master" | "primary" => "leader".to_owned(),
                role => role.to_owned(),
            },
            state: text(m, "/state").to_owned(),
            timeline: m.get("timeline").and_then(Value::as_u64).map(|t| t as u32),
            // "unknown" when the member does not answer
            lag: m.get("lag").and_then(Value::as_u64),
        })
        .collect()
}

/// Patroni's leader, else the pod labelled so; a stopped PostgreSQL under pause has neither (observed-physical.md 3).
fn leader(members: &[Member], pods: &[Value], paused: bool) -> Option<String> {
    let told = members.iter().find(|m| m.role == "leader").map(|m| m.pod.clone());
    let labelled = || pods.iter().find(|p| is_master(p)).map(|p| text(p, "/metadata/name").to_owned());
    let parked = || members.iter().find(|m| paused && m.state.starts_with("stop")).map(|m| m.pod.clone());
    told.or_else(labelled).or_else(parked)
}

fn is_master(pod: &Value) -> bool {
    matches!(text(pod, "/metadata/labels/spilo-role"), "master" | "primary")
}

fn told(members: &[Member]) -> String {
    if members.is_empty() {
        return "no member".to_owned();
    }
    members.iter().map(|m| format!("{} ({}, {})", m.pod, m.role, m.state)).collect::<Vec<_>>().join(", ")
}

fn number(value: &Value, pointer: &str) -> u32 {
    value.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// A string in Patroni's answer; a number would not survive JSON parsers that read doubles.
fn identifier(state: &Value) -> String {
    match state.get("database_system_identifier") {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    }
}

/// From the dynamic configuration, so that a stopped source tells it too. hot_standby is Patroni's old word for replica.
async fn wal_level(kube: &Kube, pod: &str) -> String {
    let config = get(kube, pod, "/config").await.unwrap_or_default();
    match text(&config, "/postgresql/parameters/wal_level") {
        "logical" => "logical".to_owned(),
        _ => "replica".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leader_of_a_running_a_parked_and_a_headless_cluster() {
        let pod = |name: &str, role: &str| json!({"metadata": {"name": name, "labels": {"spilo-role": role}}});
        let view = json!({"members": [{"name": "a-0", "role": "replica", "state": "streaming", "lag": 0, "timeline": 2},
            {"name": "a-1", "role": "master", "state": "running", "timeline": 2}]});
        let seen = members(&view, &[]);
        assert_eq!(leader(&seen, &[], false).as_deref(), Some("a-1"));
        let stopped = members(
            &json!({"members": [{"name": "a-0", "role": "replica", "state": "stopped", "lag": "unknown"}]}),
            &[],
        );
        assert_eq!(leader(&stopped, &[pod("a-0", "")], true).as_deref(), Some("a-0"));
        assert_eq!(leader(&stopped, &[pod("a-0", "replica")], false), None);
        assert_eq!(stopped[0].lag, None);
    }

    #[test]
    fn secret_names() {
        assert_eq!(secret_name("c", "app_owner"), "app-owner.c.credentials.postgresql.acid.zalan.do");
    }
}
