//! StatefulSet controller and kubelet for Spilo's sets: pods, their volumes, and the Patroni member behind each.
use super::{
    Context, Key,
    dcs::Dcs,
    ha,
    manifest::text,
    member::{Member, Work},
    objects, rest, spilo,
};
use crate::lab::{
    node::Sandbox,
    servers::{Server, make_dir},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{sync::MutexGuard, task::JoinHandle};
use tokio_util::sync::CancellationToken;

struct Running {
    uid: String,
    member: Arc<Member>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    /// Ends the loop and the REST interface between two turns; in the middle of one that takes long (a base backup).
    async fn quiet(&self) -> Option<MutexGuard<'_, Work>> {
        self.stop.cancel();
        let turn = tokio::time::timeout(PATIENCE, self.member.work.lock()).await.ok();
        self.tasks.iter().for_each(JoinHandle::abort);
        turn
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Pods {
    running: BTreeMap<Key, Running>,
}

impl Pods {
    /// Brings pods in line with StatefulSets, and processes in line with pods.
    pub async fn settle(&mut self, context: &Context) {
        for set in sets(context) {
            replicas(context, &set);
        }
        let gone: Vec<Key> = self
            .running
            .iter()
            .filter(|(key, run)| uid(context, key) != Some(&run.uid).cloned())
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.end(context, &key).await;
        }
        for set in sets(context) {
            let namespace = text(&set["metadata"]["namespace"]);
            let selector =
                [("application", "spilo"), ("cluster-name", set["metadata"]["name"].as_str().unwrap_or_default())];
            for pod in context.store.list_labelled("pods", &namespace, &selector) {
                let key = (namespace.clone(), text(&pod["metadata"]["name"]));
                if !self.running.contains_key(&key) {
                    self.begin(context, &set, &pod, key);
                }
            }
        }
    }

    fn begin(&mut self, context: &Context, set: &Value, pod: &Value, key: Key) {
        let (namespace, name) = &key;
        let dir = context.node.pod_dir(namespace, name);
        if ensure_claim(context, set, namespace, name) {
            // A new claim is an empty volume.
            let _ = std::fs::remove_dir_all(dir.join("pgdata"));
        }
        let Some(server) = server(context, pod, &dir) else {
            let message = "no PostgreSQL installation was found on this machine";
            return context.store.event(pod, "Warning", "FailedCreatePodSandBox", message);
        };
        let sandbox = Sandbox {
            ip: server.ip,
            dir: dir.clone(),
            env: spilo::environment(&server, pod, namespace),
            logs: BTreeMap::from([("postgres".into(), server.log.clone())]),
            user: server.user,
        };
        context.node.attach(namespace, name, sandbox);
        let status = objects::running(server.ip);
        let cluster = text(&pod["metadata"]["labels"]["cluster-name"]);
        let dcs = Dcs::new(context.store.clone(), namespace, &cluster);
        let configuration = objects::env_value(pod, "SPILO_CONFIGURATION").unwrap_or_default();
        let spilo = serde_json::from_str(&configuration).unwrap_or_default();
        let member = Member::new(context, dcs, name, server, spilo, dir);
        context.members.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), member.clone());
        if context.store.update("pods", namespace, name, |pod| pod["status"] = status).is_err() {
            return;
        }
        let stop = context.stop.child_token();
        let tasks = [
            tokio::spawn(ha::run(member.clone(), stop.clone())),
            tokio::spawn(rest::serve(member.clone(), stop.clone())),
        ];
        let uid = text(&pod["metadata"]["uid"]);
        self.running.insert(key, Running { uid, member, stop, tasks });
    }

    /// The container ends and PostgreSQL with it. Killed, not shut down: what is promised is the volume.
    async fn end(&mut self, context: &Context, key: &Key) {
        let Some(run) = self.running.remove(key) else { return };
        context.members.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        context.node.detach(&key.0, &key.1);
        // A start under way must come to its end, or the server it makes outlives its pod.
        let _turn = run.quiet().await;
        if let Err(failure) = run.member.server.stop("immediate").await {
            run.member.error("container end", &failure);
        }
    }

    /// The lab ends: servers are shut down in order.
    pub async fn end_all(&mut self) {
        let ends = std::mem::take(&mut self.running).into_values().map(|run| async move {
            let _turn = run.quiet().await;
            if let Err(failure) = run.member.server.stop("fast").await {
                run.member.error("container end", &failure);
            }
        });
        futures::future::join_all(ends).await;
    }
}

fn sets(context: &Context) -> Vec<Arc<Value>> {
    let all = context.store.list("statefulsets.apps", None);
    all.into_iter().filter(|set| set["spec"]["selector"]["matchLabels"]["application"] == "spilo").collect()
}

fn uid(context: &Context, key: &Key) -> Option<String> {
    let pod = context.store.get("pods", &key.0, &key.1)?;
    Some(text(&pod["metadata"]["uid"]))
}

/// OrderedReady: one after the other, and down from the highest.
fn replicas(context: &Context, set: &Value) {
    let (namespace, name) = (text(&set["metadata"]["namespace"]), text(&set["metadata"]["name"]));
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
    let mut there = 0;
    for n in 0..wanted {
        let pod = format!("{name}-{n}");
        let Some(found) = context.store.get("pods", &namespace, &pod) else {
            // Somebody else's pod of this name would be in the way; the next round sees it.
            let _ = context.store.create("pods", objects::pod(set, &pod));
            break;
        };
        if found["status"]["phase"] != "Running" {
            break;
        }
        there += 1;
    }
    let selector = [("application", "spilo"), ("cluster-name", name.as_str())];
    for pod in context.store.list_labelled("pods", &namespace, &selector) {
        let pod = text(&pod["metadata"]["name"]);
        let number = pod.rsplit_once('-').and_then(|(_, n)| n.parse::<u64>().ok());
        if number.is_some_and(|n| n >= wanted) {
            let _ = context.store.delete("pods", &namespace, &pod);
        }
    }
    let status = |set: &mut Value| {
        for key in ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
            set["status"][key] = there.into();
        }
        set["status"]["observedGeneration"] = set["metadata"]["generation"].clone();
    };
    let _ = context.store.update("statefulsets.apps", &namespace, &name, status);
}

/// True when the claim had to be made.
fn ensure_claim(context: &Context, set: &Value, namespace: &str, pod: &str) -> bool {
    let name = format!("pgdata-{pod}");
    if context.store.get("persistentvolumeclaims", namespace, &name).is_some() {
        return false;
    }
    context.store.create("persistentvolumeclaims", objects::claim(set, pod)).is_ok()
}

/// The pod's layout is Spilo's below its own directory: `pgdata/pgroot/data` is PGDATA, `postgres.yml` stands beside `pgdata`.
fn server(context: &Context, pod: &Value, dir: &std::path::Path) -> Option<Server> {
    let user = context.node.postgres_user();
    let socket = dir.join("run");
    for path in [&socket, &dir.join("pgdata/pgroot"), &PathBuf::from(dir)] {
        if let Err(error) = make_dir(path, user) {
            tracing::warn!("{}: {error}", path.display());
        }
    }
    Some(Server {
        install: spilo::install(&spilo::version(pod))?,
        data: dir.join("pgdata/pgroot/data"),
        ip: context.node.allocate_ip(),
        port: 5432,
        log: dir.join("postgres.log"),
        socket,
        user,
    })
}
