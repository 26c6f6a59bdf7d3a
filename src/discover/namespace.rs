//! Reading in bulk: what runs, and the Secrets and ConfigMaps behind it.

use crate::{
    error::Result,
    facts::{
        text,
        uses::{Objects, Place, Reference, User, decoded, references},
    },
    kube::{
        Kind, Kube, is_forbidden,
        kind::{CLUSTER, CONFIG_MAP, CRON_JOB, DEPLOYMENT, LEASE, POSTGRESQL, SECRET, STATEFUL_SET},
    },
    spec::WorkloadKind,
};
use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [(&Kind, WorkloadKind); 3] = [
    (&DEPLOYMENT, WorkloadKind::Deployment),
    (&STATEFUL_SET, WorkloadKind::StatefulSet),
    (&CRON_JOB, WorkloadKind::CronJob),
];
/// Objects asked for at a time, where each is asked for by its name.
const AT_ONCE: usize = 8;

/// What runs, as the API has it.
#[derive(Default)]
pub struct Workloads(pub Vec<(WorkloadKind, Value)>);

impl Workloads {
    pub async fn read(kube: &Kube) -> Result<Workloads> {
        let lists =
            KINDS.map(|(api, kind)| async move { Ok::<_, crate::error::Error>((kind, kube.list(api, "").await?)) });
        let lists = futures::future::try_join_all(lists).await?;
        Ok(Workloads(lists.into_iter().flat_map(|(kind, all)| all.into_iter().map(move |o| (kind, o))).collect()))
    }

    /// Every Secret and ConfigMap that a pod template names: `secret/x`.
    pub fn names(&self) -> BTreeSet<String> {
        let all = self.0.iter().flat_map(|(kind, object)| references(*kind, object));
        all.filter_map(|reference| if let Reference::To(object, _) = reference { Some(object) } else { None }).collect()
    }
}

/// Reads the named objects and no others; one that may not be read is told.
pub async fn read(kube: &Kube, names: BTreeSet<String>, unknown: &mut Vec<String>) -> Objects {
    let reads = futures::stream::iter(names).map(|object| async move {
        let (kind, name) = object.split_once('/').unwrap_or(("secret", &object));
        let secret = kind == "secret";
        let found = kube.get(if secret { &SECRET } else { &CONFIG_MAP }, name).await;
        (found.map(|found| decoded(&found.unwrap_or_default(), secret)), object)
    });
    let mut objects = Objects::new();
    for (found, object) in reads.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        match found {
            Ok(keys) => {
                objects.insert(object, keys);
            }
            Err(error) => unknown.push(format!("{object}: {}", error.chain())),
        }
    }
    unknown.sort();
    objects
}

/// One namespace, or all of them, in as many calls as there are kinds.
#[derive(Default)]
pub struct Everything {
    pub zalando: Vec<Value>,
    pub cnpg: Vec<Value>,
    pub config_maps: Vec<Value>,
    pub leases: Vec<Value>,
    workloads: BTreeMap<String, Workloads>,
    objects: BTreeMap<String, Objects>,
    /// Who uses what can't be told without these: the kinds that could not be read, and why.
    pub unread: Vec<(String, String)>,
}

impl Everything {
    pub async fn read(kube: &Kube, everywhere: bool) -> Everything {
        let kinds = [POSTGRESQL, CLUSTER, CONFIG_MAP, LEASE, SECRET, DEPLOYMENT, STATEFUL_SET, CRON_JOB];
        let lists = kinds.map(|kind| async move {
            // Helm keeps whole releases in Secrets: large, and nobody's password.
            let query = if kind == SECRET { "fieldSelector=type%21%3Dhelm.sh%2Frelease.v1" } else { "" };
            let listed = kube.pages(&kind, everywhere, query).await;
            (kind, listed.map(|found| found.unwrap_or_default().0))
        });
        let mut found = Everything::default();
        for (kind, listed) in futures::future::join_all(lists).await {
            match listed {
                Ok(objects) => found.take(&kind, objects),
                Err(error) if is_forbidden(&error) => found.unread.push((kind.resource(), "forbidden".into())),
                Err(error) => found.unread.push((kind.resource(), error.chain())),
            }
        }
        found
    }

    fn take(&mut self, kind: &Kind, objects: Vec<Value>) {
        if let Some((_, workload)) = KINDS.iter().find(|(api, _)| *api == kind) {
            for object in objects {
                let namespace = text(&object, "/metadata/namespace").to_string();
                self.workloads.entry(namespace).or_default().0.push((*workload, object));
            }
            return;
        }
        if *kind == SECRET || *kind == CONFIG_MAP {
            let prefix = if *kind == SECRET { "secret" } else { "configmap" };
            for object in &objects {
                let name = format!("{prefix}/{}", text(object, "/metadata/name"));
                let namespace = text(object, "/metadata/namespace").to_string();
                self.objects.entry(namespace).or_default().insert(name, decoded(object, *kind == SECRET));
            }
        }
        match kind.plural {
            "postgresqls" => self.zalando = objects,
            "clusters" => self.cnpg = objects,
            "configmaps" => self.config_maps = objects,
            "leases" => self.leases = objects,
            _ => {}
        }
    }

    /// Every workload that was read and leads to the cluster, with its namespace.
    pub fn users(&self, place: &Place) -> Vec<(String, User)> {
        let none = Objects::new();
        let per_namespace = self.workloads.iter().flat_map(|(here, workloads)| {
            let objects = self.objects.get(here).unwrap_or(&none);
            place.users(&workloads.0, objects, here).into_iter().map(move |user| (here.clone(), user))
        });
        per_namespace.collect()
    }

    /// Why the users are not, or not all, known.
    pub fn users_unknown(&self) -> Option<String> {
        let matter = ["secrets", "configmaps", "deployments.apps", "statefulsets.apps", "cronjobs.batch"];
        let missing = self.unread.iter().filter(|(kind, _)| matter.contains(&kind.as_str()));
        let missing: Vec<String> = missing.map(|(kind, why)| format!("{kind}: {why}")).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}
