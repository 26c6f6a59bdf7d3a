//! A store, a node and the CloudNativePG stand-in, with shorter clocks than the real ones.
use base64::{Engine, engine::general_purpose::STANDARD};
use pgmigrate::lab::{
    api::store::Store,
    node::Node,
    operators::cnpg::{self, Controls, Options},
    servers::{self, Server},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    process::Command,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

pub const NAMESPACE: &str = "shop";
pub const OWNER_PASSWORD: &str = "owner's own: \\ password";
const CLUSTERS: &str = "clusters.postgresql.cnpg.io";

pub struct World {
    pub store: Store,
    pub node: Node,
    pub dir: tempfile::TempDir,
    pub bin: PathBuf,
    install: servers::Install,
    pub source_ip: Ipv4Addr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    pub controls: Controls,
}

impl World {
    /// None where no PostgreSQL is installed.
    pub async fn start(subnet: u8) -> Option<World> {
        let install = servers::installs().into_iter().next()?;
        let dir = tempfile::Builder::new()
            .prefix("pgm")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a directory");
        let store = Store::new();
        let node = Node::new(store.clone(), dir.path().to_owned(), subnet);
        let stop = CancellationToken::new();
        let short = Duration::from_millis(700);
        let options = Options {
            ready_delay: short,
            unfence_pause: short,
            readiness_delay: Duration::from_millis(100),
            job_backoff: short,
            crash_backoff: short,
            retry: short,
            database_backoff: short,
            ..Options::default()
        };
        let controls = Controls::default();
        let task = tokio::spawn(cnpg::run_with(store.clone(), node.clone(), stop.clone(), options, controls.clone()));
        let (bin, source_ip) = (install.bin.clone(), Ipv4Addr::new(127, subnet, 150, 1));
        Some(World { store, node, dir, bin, install, source_ip, stop, task, controls })
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the stand-in ends");
    }

    pub fn cluster(&self, name: &str, spec: Value) {
        let metadata = json!({"name": name, "namespace": NAMESPACE});
        let object =
            json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": metadata, "spec": spec});
        self.store.create(CLUSTERS, object).expect("the Cluster");
    }

    pub fn put_secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: BTreeMap<&str, String> = data.iter().map(|(key, value)| (*key, STANDARD.encode(value))).collect();
        let metadata = json!({"name": name, "namespace": NAMESPACE});
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
        self.store.create("secrets", object).expect("the Secret");
    }

    /// A replica of the plain server, as the product declares it; `fence` is its fencedInstances annotation.
    pub fn replica(&self, name: &str, source: &Server, fence: Option<&str>) {
        self.put_secret("standby", &[("password", "standby-password")]);
        self.put_secret("owner", &[("username", "shopkeeper"), ("password", OWNER_PASSWORD)]);
        let copy = json!({"source": "zalando", "database": "shop", "owner": "shopkeeper", "secret": {"name": "owner"}});
        let parameters = json!({"host": source.ip.to_string(), "user": "standby", "dbname": "postgres",
            "sslmode": "require", "application_name": format!("pgmigrate-{name}")});
        let external = json!({"name": "zalando", "connectionParameters": parameters, "password": {"name": "standby", "key": "password"}});
        let spec = json!({"instances": 1, "smartShutdownTimeout": 1, "bootstrap": {"pg_basebackup": copy},
            "replica": {"enabled": true, "source": "zalando"}, "externalClusters": [external]});
        let mut metadata = json!({"name": name, "namespace": NAMESPACE});
        if let Some(fence) = fence {
            metadata["annotations"] = json!({"cnpg.io/fencedInstances": fence});
        }
        let object =
            json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": metadata, "spec": spec});
        self.store.create(CLUSTERS, object).expect("the Cluster");
    }

    /// A plain server with the postgresql.conf of a Patroni leader that was once a replica.
    pub async fn source(&self) -> Server {
        let home = self.dir.path().join("source");
        let server = Server {
            install: self.install.clone(),
            data: home.join("pgroot"),
            ip: self.source_ip,
            port: 5432,
            socket: home.join("run"),
            log: home.join("log"),
            user: self.node.postgres_user(),
        };
        servers::make_dir(&home, server.user).expect("a directory");
        server.initdb(&["-E", "UTF8", "--locale=C.UTF-8", "-k"]).await.expect("initdb");
        let (certificate, key) = servers::certificate(&["source".into()]);
        let write =
            |name: &str, text: &str| servers::write_file(&server.data.join(name), text, server.user).expect("write");
        write("server.crt", &certificate);
        write("server.key", &key);
        write("pg_hba.conf", "local all all trust\nhostssl replication standby all md5\nhostssl all all all md5\n");
        let data = server.data.display();
        write(
            "postgresql.conf",
            &format!(
                "ssl = 'on'\nmax_connections = 77\npassword_encryption = md5\nlog_statement = ddl\nwal_level = logical\nhba_file = '{data}/pg_hba.conf'\n\
             ident_file = '{data}/pg_ident.conf'\nprimary_slot_name = 'acid_app_0'\nshared_preload_libraries = 'pg_stat_statements'\n"
            ),
        );
        server.start(&[]).await.expect("the source starts");
        let sql = "CREATE ROLE standby LOGIN REPLICATION PASSWORD 'standby-password'; CREATE ROLE shopkeeper LOGIN PASSWORD 'old'; \
            ALTER ROLE postgres PASSWORD 'super'";
        server.sql("postgres", sql).await.expect("roles");
        server.sql("postgres", "CREATE DATABASE shop OWNER shopkeeper").await.expect("database");
        let sql = "CREATE EXTENSION pg_stat_statements; CREATE TABLE t (n int PRIMARY KEY); ALTER TABLE t OWNER TO shopkeeper; \
            INSERT INTO t SELECT generate_series(1, 41)";
        server.sql("shop", sql).await.expect("data");
        server.sql("postgres", "CHECKPOINT").await.expect("checkpoint");
        server
    }

    pub fn object(&self, name: &str) -> Value {
        self.store.get(CLUSTERS, NAMESPACE, name).map(|object| (*object).clone()).unwrap_or_default()
    }

    pub fn status(&self, name: &str) -> Value {
        self.object(name)["status"].clone()
    }

    pub fn pod(&self, name: &str) -> Value {
        self.store.get("pods", NAMESPACE, name).map(|object| (*object).clone()).unwrap_or_default()
    }

    pub fn lease(&self, name: &str) -> Value {
        self.store
            .get("leases.coordination.k8s.io", NAMESPACE, name)
            .map(|object| (*object).clone())
            .unwrap_or_default()
    }

    pub fn job(&self, name: &str) -> Value {
        self.store.get("jobs.batch", NAMESPACE, name).map(|object| (*object).clone()).unwrap_or_default()
    }

    /// The logs of all pods of a job.
    pub fn job_log(&self, job: &str) -> String {
        let pods = self.store.list_labelled("pods", NAMESPACE, &[("job-name", job)]);
        let sandboxes = pods.iter().filter_map(|pod| self.node.sandbox(NAMESPACE, pod["metadata"]["name"].as_str()?));
        sandboxes
            .flat_map(|sandbox| sandbox.logs.into_values())
            .map(|path| std::fs::read_to_string(path).unwrap_or_default())
            .collect()
    }

    pub fn condition(&self, name: &str, kind: &str) -> String {
        let status = self.status(name);
        let all = status["conditions"].as_array().cloned().unwrap_or_default();
        all.iter().find(|c| c["type"] == kind).and_then(|c| c["status"].as_str()).unwrap_or_default().to_owned()
    }

    pub fn secret(&self, name: &str, key: &str) -> String {
        let secret = self.store.get("secrets", NAMESPACE, name).expect("the Secret");
        let bytes = STANDARD.decode(secret["data"][key].as_str().expect("a key")).expect("base64");
        String::from_utf8(bytes).expect("text")
    }

    pub fn patch(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.store.update(CLUSTERS, NAMESPACE, name, change).expect("patch");
    }

    pub fn annotate(&self, name: &str, annotation: &str, value: Value) {
        self.patch(name, |cluster| {
            if value.is_null() {
                cluster["metadata"]["annotations"].as_object_mut().expect("annotations").remove(annotation);
            } else {
                cluster["metadata"]["annotations"][annotation] = value;
            }
        });
    }

    /// Waits for something that must come; the text says what did not.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut look: impl FnMut() -> F) {
        let deadline = Instant::now() + Duration::from_secs(25);
        while !look().await {
            assert!(Instant::now() < deadline, "{what}: not within 25 s; logs are\n{}", self.logs());
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn phase(&self, name: &str, phase: &str) {
        self.until(&format!("{name}: {phase}"), || async { self.status(name)["phase"] == phase }).await;
    }

    /// Distinct phases from now on, in order.
    pub fn watch_phases(&self, name: &str) -> Arc<Mutex<Vec<String>>> {
        let (mut changes, seen, name) = (self.store.changes(), Arc::new(Mutex::new(Vec::new())), name.to_owned());
        let phases = seen.clone();
        tokio::spawn(async move {
            let mut last = "Cluster in healthy state".to_owned();
            while let Ok(change) = changes.recv().await {
                let phase = change.object["status"]["phase"].as_str().unwrap_or_default().to_owned();
                if change.resource == CLUSTERS && change.object["metadata"]["name"] == name.as_str() && phase != last {
                    phases.lock().expect("phases").push(phase.clone());
                    last = phase;
                }
            }
        });
        seen
    }

    /// Every pod's log, as the API would serve it.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for pod in self.store.list("pods", Some(NAMESPACE)) {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let logs = self.node.sandbox(NAMESPACE, name).map(|sandbox| sandbox.logs).unwrap_or_default();
            for path in logs.values() {
                all.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
        let from = all.lines().count().saturating_sub(40);
        all.lines().skip(from).map(|line| format!("{}\n", &line[..line.len().min(400)])).collect()
    }

    pub async fn logged(&self, pod: &str, text: &str) {
        self.until(&format!("{pod} logs {text:?}"), || async {
            let logs = self.node.sandbox(NAMESPACE, pod).map(|sandbox| sandbox.logs).unwrap_or_default();
            logs.values().any(|path| std::fs::read_to_string(path).unwrap_or_default().contains(text))
        })
        .await;
    }

    /// A program in the pod, as exec runs it.
    pub async fn exec(&self, pod: &str, program: &str, args: &[&str]) -> Result<String, String> {
        let sandbox = self.node.sandbox(NAMESPACE, pod).ok_or("no sandbox")?;
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&sandbox.env).current_dir(&sandbox.dir);
        if let Some((uid, gid)) = sandbox.user {
            command.uid(uid).gid(gid);
        }
        output(command).await
    }

    /// As the superuser over the pod's socket; an error is an empty text.
    pub async fn sql(&self, pod: &str, database: &str, sql: &str) -> String {
        self.exec(pod, "psql", &["-XAtq", "-d", database, "-c", sql]).await.unwrap_or_default()
    }

    /// A client outside the pod.
    pub async fn client(&self, connection: &str, password: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .args(["-XAtq", "-d", connection, "-c", sql])
            .env_clear()
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "5");
        output(command).await
    }
}

async fn output(mut command: Command) -> Result<String, String> {
    let output = command.output().await.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
