//! Which workloads mention the source, and in which keys: what `init` proposes and `check` compares with the file.

use super::{
    text,
    uses::{self, Door, Objects, Place, Reference, decoded, references},
};
use crate::{
    error::Result,
    kube::{Kube, kind},
    spec::{ConnectionObject, Workload, WorkloadKind},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A workload that uses the source, by what its pod template says.
#[derive(Debug, Clone, Serialize)]
pub struct Consumer {
    /// `deployment/mastodon-web`
    pub workload: String,
    #[serde(skip)]
    pub target: Workload,
    /// Wanted replicas; for a CronJob 0 when it is suspended, else 1.
    pub replicas: u32,
    /// Where the source is mentioned: `env DB_HOST`, `configmap/mastodon-database key DB_HOST`.
    pub mentions: Vec<Mention>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mention {
    /// `configmap/mastodon-database`, `secret/x`, or `env` for a value in the template itself.
    pub object: String,
    pub key: String,
    /// Through the operator's connection pooler.
    pub pooler: bool,
}

impl Mention {
    /// The Secret or ConfigMap to change, if it is one.
    pub fn connection(&self) -> Option<ConnectionObject> {
        match self.object.split_once('/')? {
            ("secret", name) => Some(ConnectionObject::Secret(name.to_owned())),
            ("configmap", name) => Some(ConnectionObject::ConfigMap(name.to_owned())),
            _ => None,
        }
    }
}

/// What runs in the namespace, as the API has it.
#[derive(Debug, Clone, Default)]
pub struct Workloads {
    pub deployments: Vec<Value>,
    pub statefulsets: Vec<Value>,
    pub cronjobs: Vec<Value>,
    pub autoscalers: Vec<Value>,
}

impl Workloads {
    pub async fn read(kube: &Kube) -> Result<Workloads> {
        let (deployments, statefulsets, cronjobs, autoscalers) = tokio::try_join!(
            kube.list(&kind::DEPLOYMENT, ""),
            kube.list(&kind::STATEFUL_SET, ""),
            kube.list(&kind::CRON_JOB, ""),
            kube.list(&kind::HPA, "")
        )?;
        Ok(Workloads { deployments, statefulsets, cronjobs, autoscalers })
    }

    pub fn get(&self, workload: &Workload) -> Option<&Value> {
        self.of(workload.kind).iter().find(|o| text(o, "/metadata/name") == workload.name)
    }

    fn of(&self, kind: WorkloadKind) -> &[Value] {
        match kind {
            WorkloadKind::Deployment => &self.deployments,
            WorkloadKind::StatefulSet => &self.statefulsets,
            WorkloadKind::CronJob => &self.cronjobs,
        }
    }
}

/// Every Deployment, StatefulSet and CronJob of the namespace whose pods are led to the source, which is in the same one. The
/// source's own are left out. Reads only the Secrets and ConfigMaps that the templates name; one that may not be read
/// counts as not mentioning.
pub async fn consumers(kube: &Kube, workloads: &Workloads, cluster: &str) -> Vec<Consumer> {
    let (place, mut objects, mut found) = (Place { cluster, namespace: kube.namespace() }, Objects::new(), Vec::new());
    for kind in WorkloadKind::ALL {
        for object in workloads.of(kind).iter().filter(|object| !place.own(text(object, "/metadata/name"))) {
            let mentions = mentions(kube, &mut objects, &place, references(kind, object)).await;
            if !mentions.is_empty() {
                let target = Workload { kind, name: text(object, "/metadata/name").to_owned() };
                let (workload, replicas) = (target.to_string(), uses::replicas(kind, object) as u32);
                found.push(Consumer { workload, replicas, mentions, target });
            }
        }
    }
    found
}

async fn mentions(kube: &Kube, objects: &mut Objects, place: &Place<'_>, references: Vec<Reference>) -> Vec<Mention> {
    let (here, mut found) = (place.namespace, Vec::new());
    for reference in references {
        let mention = |object: &str, key: &str, door| Mention {
            object: object.to_owned(),
            key: key.to_owned(),
            pooler: door == Door::Pooler,
        };
        match reference {
            Reference::Fixed(key, value) => {
                found.extend(place.reached_by(&key, &value, here).map(|door| mention("env", &key, door)));
            }
            Reference::To(object, wanted) => {
                // The operator's own leads to the source, whatever is in it.
                let made = place.made(&object).then_some(Door::Direct);
                let keys = read(kube, objects, &object).await.iter();
                let keys = keys.filter(|(key, _)| wanted.as_ref().is_none_or(|wanted| wanted == *key));
                found.extend(keys.filter_map(|(key, value)| {
                    Some(mention(&object, key, place.reached_by(key, value, here).or(made)?))
                }));
            }
        }
    }
    let mut seen = Vec::new();
    found.retain(|mention| {
        !seen.contains(mention) && {
            seen.push(mention.clone());
            true
        }
    });
    found
}

/// A Secret or ConfigMap, decoded, once.
async fn read<'a>(kube: &Kube, objects: &'a mut Objects, object: &str) -> &'a BTreeMap<String, String> {
    if !objects.contains_key(object) {
        let (kind, name) = object.split_once('/').unwrap_or(("", object));
        let secret = kind == "secret";
        let found = kube.get(if secret { &kind::SECRET } else { &kind::CONFIG_MAP }, name).await.ok().flatten();
        objects.insert(object.to_owned(), decoded(&found.unwrap_or_default(), secret));
    }
    &objects[object]
}
