//! Poolers: a Deployment and a Service of the Pooler's name, and a real PgBouncer in each of the Deployment's pods.
//! Without a `pgbouncer` on this machine the pods stay Pending.
use super::{
    Operator, POOLERS,
    cluster::Cluster,
    objects::{VERSION, now},
    place::own,
    secrets,
};
use crate::lab::{
    node::Sandbox,
    servers::{make_dir, write_file},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PROGRAMS: [&str; 3] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];

/// PgBouncers that run, by the uid of their pod.
#[derive(Default)]
pub struct Running {
    pods: HashMap<String, CancellationToken>,
    tasks: TaskTracker,
}

impl Running {
    pub fn look(&mut self, operator: &Arc<Operator>, cluster: &Cluster) {
        let mut there = HashSet::new();
        for pooler in operator.store.list(POOLERS, Some(&cluster.namespace)) {
            if pooler["spec"]["cluster"]["name"] != cluster.name.as_str() {
                continue;
            }
            let name = pooler["metadata"]["name"].as_str().unwrap_or_default();
            ensure(operator, cluster, &pooler, name);
            let pods = operator.store.list_labelled("pods", &cluster.namespace, &[("cnpg.io/poolerName", name)]);
            for pod in pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
                let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                there.insert(uid.clone());
                self.pods.entry(uid).or_insert_with(|| {
                    let stop = CancellationToken::new();
                    self.tasks.spawn(live(
                        operator.clone(),
                        cluster.clone(),
                        pooler.clone(),
                        pod.clone(),
                        stop.clone(),
                    ));
                    stop
                });
            }
        }
        self.pods.extract_if(|uid, _| !there.contains(uid)).for_each(|(_, stop)| stop.cancel());
    }

    pub async fn stop(self) {
        self.pods.values().for_each(CancellationToken::cancel);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn ensure(operator: &Operator, cluster: &Cluster, pooler: &Value, name: &str) {
    let labels = json!({"cnpg.io/poolerName": name, "cnpg.io/podRole": "pooler", "cnpg.io/cluster": cluster.name,
        "app.kubernetes.io/managed-by": "cloudnative-pg"});
    let owner = json!([{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Pooler", "name": name,
        "uid": pooler["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}]);
    let metadata = json!({"name": name, "namespace": cluster.namespace, "labels": labels, "ownerReferences": owner,
        "annotations": {"cnpg.io/operatorVersion": VERSION}});
    if operator.store.get("services", &cluster.namespace, name).is_none() {
        let ports = json!([{"name": "pgbouncer", "port": 5432, "protocol": "TCP", "targetPort": 5432}]);
        let spec = json!({"type": "ClusterIP", "ports": ports, "selector": {"cnpg.io/poolerName": name}});
        let _ = operator.store.create("services", json!({"metadata": metadata, "spec": spec}));
    }
    let replicas = pooler["spec"]["instances"].as_u64().unwrap_or(1);
    match operator.store.get("deployments.apps", &cluster.namespace, name) {
        Some(_) => {
            let scale = |deployment: &mut Value| deployment["spec"]["replicas"] = replicas.into();
            let _ = operator.store.update("deployments.apps", &cluster.namespace, name, scale);
        }
        None => {
            let container = json!({"name": "pgbouncer", "image": "ghcr.io/cloudnative-pg/pgbouncer:1.25.1",
                "ports": [{"name": "pgbouncer", "containerPort": 5432, "protocol": "TCP"}]});
            let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
            let spec = json!({"replicas": replicas, "selector": {"matchLabels": {"cnpg.io/poolerName": name}}, "template": template});
            let _ = operator.store.create("deployments.apps", json!({"metadata": metadata, "spec": spec}));
        }
    }
    let instances = |pooler: &mut Value| pooler["status"]["instances"] = replicas.into();
    let _ = operator.store.update(POOLERS, &cluster.namespace, name, instances);
}

/// One pod: PgBouncer again and again until the pod is gone.
async fn live(operator: Arc<Operator>, cluster: Cluster, pooler: Arc<Value>, pod: Arc<Value>, stop: CancellationToken) {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let Some(program) = PROGRAMS.iter().map(Path::new).find(|path| path.is_file()) else {
        tracing::warn!("pod {name} stays Pending, there is no PgBouncer on this machine: apt-get install pgbouncer");
        return;
    };
    let (dir, ip) = (operator.node.pod_dir(&cluster.namespace, name), operator.node.allocate_ip());
    let (log, user) = (dir.join("pgbouncer.log"), operator.node.postgres_user());
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]);
    let logs = BTreeMap::from([("pgbouncer".to_owned(), log.clone())]);
    operator.node.attach(&cluster.namespace, name, Sandbox { ip, dir: dir.clone(), env, logs, user });
    while !stop.is_cancelled() {
        match configure(&operator, &cluster, &pooler, &dir, ip) {
            Ok(config) => tokio::select! {
                ended = bouncer(&operator, &cluster, program, &config, &log, (name, ip)) => {
                    if let Err(error) = ended {
                        tracing::warn!("cannot run PgBouncer of pod {name}: {error}");
                    }
                }
                () = stop.cancelled() => {}
            },
            Err(error) => tracing::warn!("cannot configure PgBouncer of pod {name}: {error}"),
        }
        show(&operator, &cluster, name, ip, false);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => {}
        }
    }
    operator.node.detach(&cluster.namespace, name);
    let _ = std::fs::remove_dir_all(&dir);
}

async fn bouncer(
    operator: &Operator,
    cluster: &Cluster,
    program: &Path,
    config: &Path,
    log: &Path,
    (pod, ip): (&str, Ipv4Addr),
) -> std::io::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = tokio::process::Command::new(program);
    command.arg(config).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    if let Some((uid, gid)) = operator.node.postgres_user() {
        own(log, Some((uid, gid)))?;
        command.uid(uid).gid(gid);
    }
    let mut child = command.spawn()?;
    while child.try_wait()?.is_none() {
        // The readiness probe of the real pod is a TCP connection too.
        let ready = tokio::net::TcpStream::connect((ip, 5432)).await.is_ok();
        show(operator, cluster, pod, ip, ready);
        let pause = if ready { Duration::from_secs(5) } else { Duration::from_millis(50) };
        tokio::time::timeout(pause, child.wait()).await.ok();
    }
    Ok(())
}

fn show(operator: &Operator, cluster: &Cluster, pod: &str, ip: Ipv4Addr, ready: bool) {
    let _ = operator.store.update("pods", &cluster.namespace, pod, |pod| {
        let before = pod["status"]["containerStatuses"][0]["ready"] == ready;
        if before && pod["status"]["podIP"] == ip.to_string() {
            return;
        }
        let word = if ready { "True" } else { "False" };
        let condition = |kind: &str| json!({"type": kind, "status": word, "lastTransitionTime": now()});
        let container = json!({"name": "pgbouncer", "image": pod["spec"]["containers"][0]["image"], "ready": ready,
            "restartCount": 0, "state": {"running": {"startedAt": now()}}});
        pod["status"] = json!({"phase": "Running", "podIP": ip.to_string(), "podIPs": [{"ip": ip.to_string()}],
            "containerStatuses": [container], "conditions": [condition("ContainersReady"), condition("Ready")]});
    });
}

/// Writes pgbouncer.ini and what it names; its path.
fn configure(
    operator: &Operator,
    cluster: &Cluster,
    pooler: &Value,
    dir: &Path,
    ip: Ipv4Addr,
) -> Result<PathBuf, String> {
    let user = operator.node.postgres_user();
    let kind = pooler["spec"]["type"].as_str().unwrap_or("rw");
    let service = format!("{}-{kind}", cluster.name);
    let host =
        operator.node.resolve(&service, &cluster.namespace).ok_or_else(|| format!("lookup {service}: no such host"))?;
    secrets::ensure_pooler(operator, cluster).map_err(|error| error.to_string())?;
    make_dir(dir, user).map_err(|error| error.to_string())?;
    let secret = |suffix: &str, key: &str| {
        let name = format!("{}-{suffix}", cluster.name);
        secrets::value(operator, &cluster.namespace, &name, key)
            .ok_or_else(|| format!("Secret {name} has no key {key}"))
    };
    let settings = settings(pooler, dir, ip);
    let files = [
        ("pg_hba.conf", "host all all 0.0.0.0/0 md5\n".into()),
        ("server.crt", secret("server", "tls.crt")?),
        ("server.key", secret("server", "tls.key")?),
        ("ca.crt", secret("ca", "ca.crt")?),
        ("pooler.crt", secret("pooler", "tls.crt")?),
        ("pooler.key", secret("pooler", "tls.key")?),
        ("pgbouncer.ini", format!("[databases]\n* = host={host} port=5432\n\n[pgbouncer]\n{settings}")),
    ];
    for (file, text) in files {
        write_file(&dir.join(file), &text, user).map_err(|error| format!("cannot write {file}: {error}"))?;
    }
    Ok(dir.join("pgbouncer.ini"))
}

/// The lines of `[pgbouncer]`; the Pooler's own parameters win.
fn settings(pooler: &Value, dir: &Path, ip: Ipv4Addr) -> String {
    let path = |file: &str| dir.join(file).display().to_string();
    let mut settings: BTreeMap<String, String> = [
        ("listen_addr", ip.to_string()),
        ("listen_port", "5432".into()),
        ("unix_socket_dir", dir.display().to_string()),
        ("auth_type", "hba".into()),
        ("auth_hba_file", path("pg_hba.conf")),
        ("auth_user", "cnpg_pooler_pgbouncer".into()),
        ("auth_query", "SELECT usename, passwd FROM public.user_search($1)".into()),
        ("pool_mode", pooler["spec"]["pgbouncer"]["poolMode"].as_str().unwrap_or("session").into()),
        ("client_tls_sslmode", "prefer".into()),
        ("client_tls_cert_file", path("server.crt")),
        ("client_tls_key_file", path("server.key")),
        ("server_tls_sslmode", "verify-ca".into()),
        ("server_tls_ca_file", path("ca.crt")),
        ("server_tls_cert_file", path("pooler.crt")),
        ("server_tls_key_file", path("pooler.key")),
        ("server_tls_protocols", "tlsv1.3".into()),
        ("ignore_startup_parameters", "extra_float_digits,options".into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for (name, value) in pooler["spec"]["pgbouncer"]["parameters"].as_object().into_iter().flatten() {
        settings.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}
