//! Where a pod lives on this machine.
use super::{Operator, cluster::Cluster, podlog::PodLog};
use crate::lab::{
    node::{Node, Sandbox},
    servers::{Server, make_dir, write_file},
};
use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::AbortHandle;

/// The volume of an instance and the container that uses it now: the instance itself, or one of its jobs.
///
/// `<dir>/pgdata` is PGDATA, `run` holds the socket, `certificates` and `external` what the real pod has under
/// /controller. Logs are elsewhere, as a container's are on its node: a full volume must not swallow its own reason.
#[derive(Clone)]
pub struct Place {
    pub namespace: String,
    pub cluster: String,
    /// The instance whose volume this is: `<cluster>-<n>`.
    pub instance: String,
    /// The pod that runs here: the instance itself or a job's pod.
    pub pod: String,
    pub dir: PathBuf,
    pub server: Server,
    pub log: PodLog,
    /// The task that wraps the server's lines into `log`; it ends with the place.
    pub follower: Arc<Follower>,
}

/// Aborts its task when the last owner is gone.
#[derive(Default)]
pub struct Follower(Mutex<Option<AbortHandle>>);

impl Follower {
    /// Takes the place of the one before, which would write every line twice.
    pub fn replace(&self, task: AbortHandle) {
        if let Some(old) = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(task) {
            old.abort();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Place {
    /// Makes the directories and gives `pod` an address of its own; `instance` names the volume.
    pub fn new(operator: &Operator, cluster: &Cluster, instance: &str, pod: &str) -> std::io::Result<Place> {
        let dir = operator.node.pod_dir(&cluster.namespace, instance);
        let user = operator.node.postgres_user();
        for sub in ["run", "certificates", "external", "backups"] {
            make_dir(&dir.join(sub), user)?;
        }
        let logs = logs(&operator.node, &cluster.namespace, instance);
        std::fs::create_dir_all(&logs)?;
        make_dir(&logs, user)?;
        let log = PodLog::new(logs.join(format!("{pod}.json")), pod)?;
        own(log.path(), user)?;
        let server = Server {
            install: operator.install.clone(),
            data: dir.join("pgdata"),
            ip: operator.node.allocate_ip(),
            port: 5432,
            socket: dir.join("run"),
            log: logs.join("postgres.stderr"),
            user,
        };
        let (namespace, cluster) = (cluster.namespace.clone(), cluster.name.clone());
        Ok(Place {
            namespace,
            cluster,
            instance: instance.into(),
            pod: pod.into(),
            dir,
            server,
            log,
            follower: Arc::default(),
        })
    }

    pub fn data(&self) -> &Path {
        &self.server.data
    }

    pub fn ip(&self) -> Ipv4Addr {
        self.server.ip
    }

    /// What exec sees in `container`.
    pub fn attach(&self, operator: &Operator, container: &str) {
        let mut env = self.server.environment();
        let names = [("POD_NAME", &self.pod), ("NAMESPACE", &self.namespace), ("CLUSTER_NAME", &self.cluster)];
        env.extend(names.map(|(name, value)| (name.to_owned(), value.clone())));
        let logs = BTreeMap::from([(container.to_owned(), self.log.path().to_owned())]);
        let sandbox = Sandbox { ip: self.ip(), dir: self.dir.clone(), env, logs, user: self.server.user };
        operator.node.attach(&self.namespace, &self.pod, sandbox);
    }

    /// Writes a file as the pod's user, readable for nobody else (keys and password files must be).
    pub fn write(&self, path: &Path, text: &str) -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            make_dir(parent, self.server.user)?;
        }
        write_file(path, text, self.server.user)
    }

    /// As [`Place::write`]; true if the file was another one before.
    pub fn write_if_changed(&self, path: &Path, text: &str) -> std::io::Result<bool> {
        if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(false);
        }
        self.write(path, text).map(|()| true)
    }
}

fn logs(node: &Node, namespace: &str, instance: &str) -> PathBuf {
    node.dir().join("logs").join(namespace).join(instance)
}

/// Removes an instance's volume and the logs of the pods that used it; what is not there is as good as removed.
pub fn remove(node: &Node, namespace: &str, instance: &str) {
    let volume = node.dir().join("pods").join(namespace).join(instance);
    for dir in [volume, logs(node, namespace, instance)] {
        // Anything but absence will be seen as a full disk sooner or later.
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}: {error}", dir.display());
            }
            _ => {}
        }
    }
}

/// Gives a file to the pod's user.
pub fn own(path: &Path, user: Option<(u32, u32)>) -> std::io::Result<()> {
    match user {
        Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}
