//! Which workloads lead to a Zalando cluster, from objects that were read in one go: no further question is asked.

use crate::spec::{Workload, WorkloadKind};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// `secret/x`, `configmap/y` -> its keys, decoded. Of one namespace. Never printed.
pub type Objects = BTreeMap<String, BTreeMap<String, String>>;

/// A Zalando cluster as a host name.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
}

/// How a value leads to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Direct,
    /// Through the operator's connection pooler.
    Pooler,
}

/// A workload that uses the source.
#[derive(Debug, Clone)]
pub struct User {
    pub workload: Workload,
    /// For a CronJob 0 when it is suspended, else 1.
    pub replicas: u64,
    /// Every Secret and ConfigMap that its pods read.
    pub reads: BTreeSet<String>,
    /// Variables in the pod template itself that name the source: no Secret or ConfigMap to change.
    pub fixed: Vec<String>,
    /// It reads the operator's own Secret, which is deleted with the source's manifest.
    pub operators_secret: Option<String>,
    /// `app.kubernetes.io/name`
    pub app: String,
}

impl Place<'_> {
    /// Whether a text has one of the cluster's Services in it as a host name, read from namespace `here`.
    pub fn named_in(&self, text: &str, here: &str) -> Option<Door> {
        let part_of_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        text.split(|c| !part_of_host(c)).find_map(|token| {
            let mut labels = token.split('.');
            let door = match labels.next()?.strip_prefix(self.cluster)? {
                "" | "-repl" => Door::Direct,
                "-pooler" | "-pooler-repl" => Door::Pooler,
                _ => return None,
            };
            let elsewhere = labels.next().unwrap_or(here) != self.namespace;
            if elsewhere { None } else { Some(door) }
        })
    }

    /// A key's value that leads to the cluster. `DB_NAME: mastodon` does not, even when the cluster has that name, too.
    pub fn reached_by(&self, key: &str, value: &str, here: &str) -> Option<Door> {
        let key = key.to_ascii_lowercase();
        if value == self.cluster && ["name", "user", "db", "database", "schema"].iter().any(|end| key.ends_with(end)) {
            return None;
        }
        self.named_in(value, here)
    }

    /// A Secret that the operator made for one of the cluster's roles.
    pub fn made(&self, object: &str) -> bool {
        object.contains(&format!(".{}.credentials.", self.cluster))
    }

    /// Of the operator's: the StatefulSet, poolers, the logical backup.
    pub fn own(&self, name: &str) -> bool {
        let ends = ["", "-pooler", "-pooler-repl"];
        ends.iter().any(|end| name == format!("{}{end}", self.cluster))
            || name == format!("logical-backup-{}", self.cluster)
    }

    /// `workloads` are of namespace `here`, whose Secrets and ConfigMaps are `objects`.
    pub fn users(&self, workloads: &[(WorkloadKind, Value)], objects: &Objects, here: &str) -> Vec<User> {
        let others = workloads.iter().filter(|(_, object)| here != self.namespace || !self.own(name(object)));
        others.filter_map(|(kind, object)| self.user(*kind, object, objects, here)).collect()
    }

    fn user(&self, kind: WorkloadKind, object: &Value, objects: &Objects, here: &str) -> Option<User> {
        let (mut fixed, mut reads, mut uses, mut operators_secret) = (Vec::new(), BTreeSet::new(), false, None);
        for reference in references(kind, object) {
            let (object, key) = match reference {
                Reference::Fixed(key, value) => {
                    if self.reached_by(&key, &value, here).is_some() {
                        fixed.push(key);
                    }
                    continue;
                }
                Reference::To(object, key) => (object, key),
            };
            if here == self.namespace && self.made(&object) {
                operators_secret = Some(object.clone());
                uses = true;
            }
            let keys = objects.get(&object).into_iter().flatten();
            let read = keys.filter(|(name, _)| key.as_ref().is_none_or(|wanted| wanted == *name));
            uses |= read.into_iter().any(|(key, value)| self.reached_by(key, value, here).is_some());
            reads.insert(object);
        }
        fixed.dedup();
        (uses || !fixed.is_empty()).then(|| User {
            workload: Workload { kind, name: name(object).into() },
            replicas: replicas(kind, object),
            app: object["metadata"]["labels"]["app.kubernetes.io/name"].as_str().unwrap_or_default().into(),
            reads,
            fixed,
            operators_secret,
        })
    }
}

/// For a CronJob 0 when it is suspended, else 1.
pub fn replicas(kind: WorkloadKind, object: &Value) -> u64 {
    match kind {
        WorkloadKind::CronJob => u64::from(object["spec"]["suspend"] != true),
        _ => object["spec"]["replicas"].as_u64().unwrap_or(1),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The keys of a Secret or a ConfigMap; what is not text is left out.
pub fn decoded(object: &Value, secret: bool) -> BTreeMap<String, String> {
    let data = object["data"].as_object().into_iter().flatten();
    data.filter_map(|(key, value)| {
        let text = value.as_str()?;
        let text = if secret { String::from_utf8(STANDARD.decode(text).ok()?).ok()? } else { text.to_string() };
        Some((key.clone(), text))
    })
    .collect()
}

/// Where a workload's pods take a value from.
pub enum Reference {
    /// A variable in the template itself, and its value.
    Fixed(String, String),
    /// An object, and the one key of it.
    To(String, Option<String>),
}

pub fn references(kind: WorkloadKind, workload: &Value) -> Vec<Reference> {
    let pod = match kind {
        WorkloadKind::CronJob => &workload["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &workload["spec"]["template"]["spec"],
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut found = Vec::new();
    let mut object = |kind: &str, name: &Value, key: &Value| {
        if let Some(name) = name.as_str() {
            found.push(Reference::To(format!("{kind}/{name}"), key.as_str().map(String::from)));
        }
    };
    let containers = [items(&pod["containers"]), items(&pod["initContainers"])].concat();
    for container in &containers {
        for env in items(&container["env"]) {
            for (reference, kind) in [("secretKeyRef", "secret"), ("configMapKeyRef", "configmap")] {
                object(kind, &env["valueFrom"][reference]["name"], &env["valueFrom"][reference]["key"]);
            }
        }
        for from in items(&container["envFrom"]) {
            object("secret", &from["secretRef"]["name"], &Value::Null);
            object("configmap", &from["configMapRef"]["name"], &Value::Null);
        }
    }
    for volume in items(&pod["volumes"]) {
        object("secret", &volume["secret"]["secretName"], &Value::Null);
        object("configmap", &volume["configMap"]["name"], &Value::Null);
        for source in items(&volume["projected"]["sources"]) {
            object("secret", &source["secret"]["name"], &Value::Null);
            object("configmap", &source["configMap"]["name"], &Value::Null);
        }
    }
    for env in containers.iter().flat_map(|container| items(&container["env"])) {
        found.push(Reference::Fixed(text(&env["name"]), text(&env["value"])));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DB: Place = Place { cluster: "acid-db", namespace: "shop" };

    #[test]
    fn hosts_in_values() {
        for (text, here, found) in [
            ("postgres://u:p@acid-db.shop.svc:5432/x", "shop", Some(Door::Direct)),
            ("acid-db-pooler", "shop", Some(Door::Pooler)),
            ("host=acid-db-repl port=5432", "shop", Some(Door::Direct)),
            ("acid-db.shop", "web", Some(Door::Direct)),
            ("acid-db", "web", None),
            ("acid-db.web.svc", "shop", None),
            ("acid-db-2.shop.svc my-acid-db", "shop", None),
        ] {
            assert_eq!(DB.named_in(text, here), found, "{text:?} read in {here}");
        }
        let same = Place { cluster: "shop", namespace: "shop" };
        assert_eq!(same.reached_by("DB_NAME", "shop", "shop"), None);
        assert_eq!(same.reached_by("DB_HOST", "shop", "shop"), Some(Door::Direct));
    }

    #[test]
    fn users_by_every_kind_of_reference() {
        let workload = |name: &str, pod: Value| {
            let object = json!({"metadata": {"name": name}, "spec": {"template": {"spec": pod}}});
            (WorkloadKind::Deployment, object)
        };
        let key = json!([{"env": [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "url"}}}]}]);
        let workloads = [
            workload("by-key", json!({"containers": key})),
            workload("by-env", json!({"initContainers": [{"env": [{"name": "H", "value": "acid-db"}]}]})),
            workload("all-of", json!({"containers": [{"envFrom": [{"secretRef": {"name": "s"}}]}]})),
            workload("mounted", json!({"volumes": [{"projected": {"sources": [{"secret": {"name": "s"}}]}}]})),
            workload("other", json!({"containers": [{"env": [{"name": "H", "value": "elsewhere"}]}]})),
            workload("acid-db", json!({"containers": [{"env": [{"name": "H", "value": "acid-db"}]}]})),
        ];
        let objects = Objects::from([("secret/s".into(), [("url".into(), "postgres://acid-db/x".into())].into())]);
        let names: Vec<String> =
            DB.users(&workloads, &objects, "shop").iter().map(|user| user.workload.name.clone()).collect();
        assert_eq!(names, ["by-key", "by-env", "all-of", "mounted"]);
        // Without the Secret only what the template itself says is known.
        assert_eq!(DB.users(&workloads, &Objects::new(), "shop").len(), 1);
    }
}
