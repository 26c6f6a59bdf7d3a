//! The target as CloudNativePG sees it, and whether its operator is there (cnpg.md 1, 3.3, 4).

use super::{list, text};
use crate::{
    error::{Error, Result},
    kube::{Kube, kind},
    postgres::{Db, pod},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub const HEALTHY: &str = "Cluster in healthy state";
/// Label of every object this program makes; its value is the migration's name.
pub const OURS: &str = "pgmigrate.dev/migration";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    pub cluster: String,
    pub namespace: String,
    /// `.status.phase`, free of meaning about replication or import (cnpg.md 3.4).
    pub phase: String,
    pub phase_reason: String,
    /// Condition Ready is True.
    pub ready: bool,
    /// `.status.currentPrimary`
    pub pod: Option<String>,
    pub instances: u32,
    pub ready_instances: u32,
    pub system_id: String,
    /// `spec.replica.enabled`
    pub in_replica_mode: bool,
    /// It carries our label, so this program made it.
    pub ours: bool,
    /// Value of that label.
    pub migration: Option<String>,
    /// `cnpg.io/fencedInstances` names any.
    pub fenced: bool,
    /// `.status.image`, else the spec's.
    pub image: String,
    /// `<cluster>-rw.<namespace>.svc`
    pub service_host: String,
}

impl Target {
    pub fn healthy(&self) -> bool {
        self.phase == HEALTHY && self.ready
    }
}

/// None: no Cluster of that name.
pub async fn target(kube: &Kube, name: &str) -> Result<Option<Target>> {
    Ok(kube.get(&kind::CLUSTER, name).await?.map(|c| read(&c)))
}

/// Every CNPG Cluster of the namespace, by name.
pub async fn targets(kube: &Kube) -> Result<Vec<Target>> {
    let mut all: Vec<Target> = kube.list(&kind::CLUSTER, "").await?.iter().map(read).collect();
    all.sort_by(|a, b| a.cluster.cmp(&b.cluster));
    Ok(all)
}

/// What a Cluster object says.
pub fn read(object: &Value) -> Target {
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) as u32;
    let annotation =
        |key: &str| object.pointer("/metadata/annotations").and_then(|a| a.get(key)).and_then(Value::as_str);
    let migration = object.pointer("/metadata/labels").and_then(|l| l.get(OURS)).and_then(Value::as_str);
    let name = text(object, "/metadata/name");
    let namespace = text(object, "/metadata/namespace");
    let ready = |c: &&Value| text(c, "/type") == "Ready";
    Target {
        cluster: name.to_owned(),
        namespace: namespace.to_owned(),
        phase: text(object, "/status/phase").to_owned(),
        phase_reason: text(object, "/status/phaseReason").to_owned(),
        ready: list(object, "/status/conditions").iter().find(ready).is_some_and(|c| text(c, "/status") == "True"),
        pod: Some(text(object, "/status/currentPrimary")).filter(|p| !p.is_empty()).map(str::to_owned),
        instances: count("/spec/instances"),
        ready_instances: count("/status/readyInstances"),
        system_id: text(object, "/status/systemID").to_owned(),
        in_replica_mode: object.pointer("/spec/replica/enabled").and_then(Value::as_bool).unwrap_or(false),
        ours: migration.is_some(),
        migration: migration.map(str::to_owned),
        fenced: annotation("cnpg.io/fencedInstances").is_some_and(|f| !matches!(f.trim(), "" | "[]")),
        image: [text(object, "/status/image"), text(object, "/spec/imageName")]
            .into_iter()
            .find(|i| !i.is_empty())
            .unwrap_or("")
            .to_owned(),
        service_host: format!("{name}-rw.{namespace}.svc"),
    }
}

/// A superuser session in the target's primary pod, through the peer map of its local socket (cnpg.md 4).
pub async fn open_target(kube: &Kube, cluster: &str, database: &str) -> Result<Db> {
    let seen = target(kube, cluster).await?;
    let Some(primary) = seen.as_ref().and_then(|t| t.pod.clone()) else {
        let what = match &seen {
            Some(t) => format!("cluster {cluster} has no primary yet: {} ({})", t.phase, t.phase_reason),
            None => format!("no CNPG cluster {cluster} in namespace {}", kube.namespace()),
        };
        return Err(
            Error::failed(what).hint(format!("kubectl get clusters.postgresql.cnpg.io -n {}", kube.namespace()))
        );
    };
    pod::connect(kube, &primary, database).await
}

/// From an image's tag: `.../postgresql:17.6-system-bookworm` is 17. None: a digest, or no image.
pub fn image_major(image: &str) -> Option<u32> {
    version(image).first().copied()
}

/// The numbers a tag begins with: `cloudnative-pg:1.30.0` is [1, 30, 0]; empty for a digest.
pub fn version(image: &str) -> Vec<u32> {
    let name = image.rsplit('/').next().unwrap_or_default().split('@').next().unwrap_or_default();
    let tag = name.split_once(':').map_or("", |(_, tag)| tag.trim_start_matches('v'));
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    tag[..end].split('.').map_while(|part| part.parse().ok()).collect()
}

/// The CNPG operator's Deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Operator {
    Ready {
        namespace: String,
        image: String,
        /// Namespaces that it looks after, empty for all; None: that is in a ConfigMap which can't be seen.
        #[serde(default)]
        watches: Option<Vec<String>>,
    },
    NotReady {
        namespace: String,
        why: String,
    },
    Absent,
    /// It could not be looked for: usually no permission outside the namespace.
    Unknown {
        why: String,
    },
}

/// Looks for the operator in every namespace, else in ours and in cnpg-system.
pub async fn operator(kube: &Kube) -> Operator {
    const LABEL: &str = "app.kubernetes.io/name=cloudnative-pg";
    let everywhere = match kube.list_all(&kind::DEPLOYMENT, LABEL).await {
        Ok(found) => return judge(kube, &found).await.unwrap_or(Operator::Absent),
        Err(e) => e,
    };
    for namespace in ["cnpg-system", kube.namespace()] {
        if let Ok(found) = kube.in_namespace(namespace).list(&kind::DEPLOYMENT, LABEL).await
            && let Some(operator) = judge(kube, &found).await
        {
            return operator;
        }
    }
    Operator::Unknown { why: everywhere.chain() }
}

async fn judge(kube: &Kube, deployments: &[Value]) -> Option<Operator> {
    let found = deployments.first()?;
    let namespace = text(found, "/metadata/namespace").to_owned();
    let ready = found.pointer("/status/readyReplicas").and_then(Value::as_u64).unwrap_or(0);
    let image = text(found, "/spec/template/spec/containers/0/image").to_owned();
    Some(match ready {
        0 => Operator::NotReady {
            why: format!("deployment {} has no ready pod", text(found, "/metadata/name")),
            namespace,
        },
        _ => Operator::Ready { watches: watches(kube, found).await, namespace, image },
    })
}

/// WATCH_NAMESPACE of the operator's environment, else of the ConfigMap that it is told to read (CNPG docs, "Operator
/// configuration"), which need not be there.
async fn watches(kube: &Kube, deployment: &Value) -> Option<Vec<String>> {
    const KEY: &str = "WATCH_NAMESPACE";
    let manager = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variable = list(manager, "/env").iter().find(|variable| text(variable, "/name") == KEY);
    let named = list(manager, "/args").iter().find_map(|arg| arg.as_str()?.strip_prefix("--config-map-name="));
    let value = match (variable, named) {
        (Some(variable), _) => text(variable, "/value").to_owned(),
        (None, None) => String::new(),
        (None, Some(name)) => {
            let home = kube.in_namespace(text(deployment, "/metadata/namespace"));
            let map = home.get(&kind::CONFIG_MAP, name).await.ok()?;
            map.map_or_else(String::new, |map| text(&map["data"], "/WATCH_NAMESPACE").to_owned())
        }
    };
    Some(value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_images() {
        assert_eq!(image_major("ghcr.io/cloudnative-pg/postgresql:17.6-system-bookworm"), Some(17));
        assert_eq!(image_major("localhost:5000/cnpg-postgresql:15"), Some(15));
        assert_eq!(image_major("registry:5000/pg@sha256:ab"), None);
        assert_eq!(version("ghcr.io/cloudnative-pg/cloudnative-pg:v1.30.0"), [1, 30, 0]);
    }
}
