//! Which workloads mention the source, and in which keys: what `init` proposes and `check` compares with the file.

use super::{list, text};
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
    /// Autoscalers that would bring it back up.
    pub autoscalers: Vec<String>,
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
        let (objects, _) = self.of(workload.kind);
        objects.iter().find(|o| text(o, "/metadata/name") == workload.name)
    }

    /// The objects of a kind, and where their pod template is.
    fn of(&self, kind: WorkloadKind) -> (&[Value], &'static str) {
        match kind {
            WorkloadKind::Deployment => (&self.deployments, "/spec/template/spec"),
            WorkloadKind::StatefulSet => (&self.statefulsets, "/spec/template/spec"),
            WorkloadKind::CronJob => (&self.cronjobs, "/spec/jobTemplate/spec/template/spec"),
        }
    }
}

/// Every Deployment, StatefulSet and CronJob of the namespace whose environment leads to the source. The source's own
/// objects (its StatefulSet, its poolers, its logical backup) are left out. Reads only the Secrets and ConfigMaps that
/// the templates name; one that may not be read counts as not mentioning.
pub async fn consumers(kube: &Kube, workloads: &Workloads, cluster: &str) -> Vec<Consumer> {
    let mut objects = Objects { kube, seen: BTreeMap::new() };
    let mut found = Vec::new();
    for kind in WorkloadKind::ALL {
        let (all, template) = workloads.of(kind);
        for object in all.iter().filter(|o| !own(o, cluster)) {
            let mentions = mentions(&mut objects, object.pointer(template).unwrap_or(&Value::Null), cluster).await;
            if mentions.is_empty() {
                continue;
            }
            let target = Workload { kind, name: text(object, "/metadata/name").to_owned() };
            found.push(Consumer {
                workload: target.to_string(),
                replicas: replicas(object, kind),
                autoscalers: scaled_by(&workloads.autoscalers, &target),
                mentions,
                target,
            });
        }
    }
    found
}

fn own(object: &Value, cluster: &str) -> bool {
    let name = text(object, "/metadata/name");
    name == cluster
        || name == format!("{cluster}-pooler")
        || name == format!("{cluster}-pooler-repl")
        || name == format!("logical-backup-{cluster}")
}

fn replicas(object: &Value, workload: WorkloadKind) -> u32 {
    match workload {
        WorkloadKind::CronJob => u32::from(object.pointer("/spec/suspend").and_then(Value::as_bool) != Some(true)),
        _ => object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1) as u32,
    }
}

fn scaled_by(autoscalers: &[Value], workload: &Workload) -> Vec<String> {
    let aims = |h: &&Value| {
        let kind = text(h, "/spec/scaleTargetRef/kind").to_lowercase();
        format!("{kind}/{}", text(h, "/spec/scaleTargetRef/name")) == workload.to_string()
    };
    autoscalers.iter().filter(aims).map(|h| text(h, "/metadata/name").to_owned()).collect()
}

/// Secrets and ConfigMaps read so far, decoded.
struct Objects<'a> {
    kube: &'a Kube,
    seen: BTreeMap<String, BTreeMap<String, String>>,
}

impl Objects<'_> {
    async fn read(&mut self, object: &str) -> &BTreeMap<String, String> {
        if !self.seen.contains_key(object) {
            let (kind, name) = object.split_once('/').unwrap_or(("", object));
            let api = if kind == "secret" { &kind::SECRET } else { &kind::CONFIG_MAP };
            let read = self.kube.get(api, name).await.ok().flatten().unwrap_or_default();
            self.seen.insert(object.to_owned(), values(&read, kind == "secret"));
        }
        &self.seen[object]
    }
}

fn values(object: &Value, secret: bool) -> BTreeMap<String, String> {
    let data = object.get("data").and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(key, value)| {
        let value = if secret { super::zalando::decoded(object, key).ok()? } else { value.as_str()?.to_owned() };
        Some((key.clone(), value))
    })
    .collect()
}

async fn mentions(objects: &mut Objects<'_>, pod: &Value, cluster: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for container in list(pod, "/containers").iter().chain(list(pod, "/initContainers")) {
        for env in list(container, "/env") {
            let key = text(env, "/name");
            if let Some(pooler) = names(text(env, "/value"), cluster) {
                found.push(Mention { object: "env".to_owned(), key: key.to_owned(), pooler });
            }
            for (reference, kind) in
                [("/valueFrom/secretKeyRef", "secret"), ("/valueFrom/configMapKeyRef", "configmap")]
            {
                let Some(reference) = env.pointer(reference) else { continue };
                let object = format!("{kind}/{}", text(reference, "/name"));
                look(objects, &object, Some(text(reference, "/key")), cluster, &mut found).await;
            }
        }
        for from in list(container, "/envFrom") {
            for (reference, kind) in [("/secretRef", "secret"), ("/configMapRef", "configmap")] {
                let name = text(from, &format!("{reference}/name"));
                if !name.is_empty() {
                    look(objects, &format!("{kind}/{name}"), None, cluster, &mut found).await;
                }
            }
        }
    }
    for volume in list(pod, "/volumes") {
        for (name, kind) in [("/secret/secretName", "secret"), ("/configMap/name", "configmap")] {
            let name = text(volume, name);
            if !name.is_empty() {
                look(objects, &format!("{kind}/{name}"), None, cluster, &mut found).await;
            }
        }
    }
    found.dedup();
    found
}

/// A value that names the source's host; or one of the operator's own Secrets, whatever is in it.
async fn look(objects: &mut Objects<'_>, object: &str, key: Option<&str>, cluster: &str, found: &mut Vec<Mention>) {
    let operators = object.contains(&format!(".{cluster}.credentials."));
    for (name, value) in objects.read(object).await {
        if key.is_some_and(|k| k != name) {
            continue;
        }
        if let Some(pooler) = names(value, cluster).or(operators.then_some(false)) {
            let mention = Mention { object: object.to_owned(), key: name.clone(), pooler };
            if !found.contains(&mention) {
                found.push(mention);
            }
        }
    }
}

/// Whether a text has one of the source's Services in it as a host name; Some(true): its pooler.
fn names(value: &str, cluster: &str) -> Option<bool> {
    let host = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
    let services =
        [(String::new(), false), ("-repl".into(), false), ("-pooler".into(), true), ("-pooler-repl".into(), true)];
    value.split(host).find_map(|token| {
        let first = token.split('.').next()?;
        services.iter().find(|(suffix, _)| first == format!("{cluster}{suffix}")).map(|(_, pooler)| *pooler)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn hosts_in_values() {
        assert_eq!(names("postgres://u:p@acid-db.ns.svc:5432/x", "acid-db"), Some(false));
        assert_eq!(names("acid-db-pooler", "acid-db"), Some(true));
        assert_eq!(names("host=acid-db-repl port=5432", "acid-db"), Some(false));
        assert_eq!(names("acid-db-2.ns.svc my-acid-db", "acid-db"), None);
    }
}
