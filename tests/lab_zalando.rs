//! The lab's Zalando cluster behaves as the observed one (reference/observed-physical.md 1.3, 3; observed-import-logical.md 3).
use base64::{Engine, engine::general_purpose::STANDARD};
use pgmigrate::lab::{api::store::Store, node::Node, operators::zalando, servers};
use serde_json::{Value, json};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "mastodon";
const CLUSTER: &str = "mastodon-postgresql";
const RESOURCE: &str = "postgresqls.acid.zalan.do";

struct Lab {
    store: Store,
    node: Node,
    bin: PathBuf,
}

impl Lab {
    fn pod(&self, pod: &str) -> Value {
        self.store.get("pods", NAMESPACE, pod).map(|pod| (*pod).clone()).unwrap_or_default()
    }

    fn leader(&self) -> Option<String> {
        let endpoints = self.store.get("endpoints", NAMESPACE, CLUSTER)?;
        endpoints["metadata"]["annotations"]["leader"].as_str().map(str::to_owned)
    }

    fn status(&self) -> Value {
        let object = self.store.get(RESOURCE, NAMESPACE, CLUSTER).expect("the cluster");
        object["status"]["PostgresClusterStatus"].clone()
    }

    fn ip(&self, pod: &str) -> Ipv4Addr {
        self.node.sandbox(NAMESPACE, pod).expect("a sandbox").ip
    }

    fn annotate(&self, controller: Value) {
        let change = |object: &mut Value| object["metadata"]["annotations"]["acid.zalan.do/controller"] = controller;
        self.store.update(RESOURCE, NAMESPACE, CLUSTER, change).expect("annotate");
    }

    /// A program in the pod, as exec runs it.
    async fn exec(&self, pod: &str, program: &str, args: &[&str]) -> Result<String, String> {
        let sandbox = self.node.sandbox(NAMESPACE, pod).ok_or("the pod is gone")?;
        let mut command = Command::new(self.bin.join(program));
        command.args(args).env_clear().envs(&sandbox.env).current_dir(&sandbox.dir);
        if let Some((uid, gid)) = sandbox.user {
            command.uid(uid).gid(gid);
        }
        output(command).await
    }

    async fn sql(&self, pod: &str, sql: &str) -> Result<String, String> {
        self.exec(pod, "psql", &["-XAtqc", sql]).await
    }

    /// Over the Service with the Secret's credentials, as an application connects.
    async fn app(&self, sql: &str) -> Result<String, String> {
        let name = format!("mastodon.{CLUSTER}.credentials.postgresql.acid.zalan.do");
        let secret = self.store.get("secrets", NAMESPACE, &name).expect("the application's Secret");
        let value = |key: &str| {
            let bytes = STANDARD.decode(secret["data"][key].as_str().expect("a key")).expect("base64");
            String::from_utf8(bytes).expect("text")
        };
        let host = self.node.resolve(&format!("{CLUSTER}.{NAMESPACE}.svc"), NAMESPACE).expect("an address").to_string();
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-XAtqc", sql]).env_clear().env("PGHOST", host).env("PGUSER", value("username"));
        command.env("PGPASSWORD", value("password")).env("PGDATABASE", "mastodon").env("PGSSLMODE", "require");
        output(command).await
    }

    async fn rest(&self, pod: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect((self.ip(pod), 8008)).await.expect("Patroni listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answer");
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (code, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    async fn json(&self, pod: &str, path: &str) -> Value {
        serde_json::from_str(&self.rest(pod, "GET", path, "").await.1).expect("JSON")
    }
}

async fn output(mut command: Command) -> Result<String, String> {
    let output = command.output().await.map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Waits for something that must come; the text says what did not.
async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !look().await {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        sleep(Duration::from_millis(50)).await;
    }
}

fn cluster() -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
        "spec": {
            "teamId": "mastodon", "numberOfInstances": 2, "volume": {"size": "1Gi"},
            // A replica comes back quickly; the default of 5 s is the longest wait of this test.
            "postgresql": {"version": "15", "parameters": {"wal_retrieve_retry_interval": "500ms"}},
            "users": {"mastodon": []}, "databases": {"mastodon": "mastodon"}, "patroni": {"loop_wait": 1},
        },
    })
}

/// A lab with this cluster in it, and what ends it; None without PostgreSQL on this machine. Each test has a subnet of its own.
async fn start(subnet: u8, dir: &Path, cluster: Value) -> Option<(Lab, impl AsyncFnOnce())> {
    let install = servers::installs().into_iter().next()?;
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
    let store = Store::new();
    let node = Node::new(store.clone(), dir.into(), subnet);
    let stop = CancellationToken::new();
    let options = zalando::Options {
        repair: Duration::from_secs(1),
        resync: Duration::from_secs(1),
        login: Duration::from_millis(300),
    };
    let operator = tokio::spawn(zalando::run_with(store.clone(), node.clone(), options, stop.clone()));
    store.create(RESOURCE, cluster).expect("create the cluster");
    let end = async move || {
        stop.cancel();
        operator.await.expect("the operator ends");
    };
    Some((Lab { store, node, bin: install.bin }, end))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_as_the_observed_one() {
    let dir = tempfile::Builder::new().prefix("pgm").tempdir().expect("a directory");
    let Some((lab, end)) = start(91, dir.path(), cluster()).await else { return };
    comes_up(&lab).await;
    slots_of_the_configuration_come_and_go(&lab).await;
    switchover_leaves_its_traces(&lab).await;
    the_operator_repairs_unless_detached(&lab).await;
    pause_is_what_makes_the_fence(&lab).await;
    a_resume_promotes_the_other_member(&lab).await;
    a_deleted_pod_comes_back_with_its_data(&lab).await;
    a_direct_hba_write_does_not_last(&lab).await;
    the_operator_is_shut_out_by_a_fence(&lab).await;
    scale_to_nothing_and_back(&lab).await;
    deletion_takes_everything(&lab).await;
    end().await;
}

/// A parameter restarts members in place; a rule of pg_hba makes every pod anew, with a switchover (zalando.md, 1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_change_restarts_or_rolls() {
    let dir = tempfile::Builder::new().prefix("pgm").tempdir().expect("a directory");
    let Some((lab, end)) = start(92, dir.path(), cluster()).await else { return };
    let (first, second) = ("mastodon-postgresql-0", "mastodon-postgresql-1");
    until("the replica streams", || async { lab.pod(second).to_string().contains("streaming") }).await;
    let edit = |path: &str, value: Value| {
        let change = |object: &mut Value| *object.pointer_mut(path).expect("the field") = value;
        lab.store.update(RESOURCE, NAMESPACE, CLUSTER, change).expect("edit");
    };
    edit("/spec/postgresql/parameters", json!({"wal_level": "logical"}));
    let logical = async |pod| lab.sql(pod, "SHOW wal_level").await.as_deref() == Ok("logical");
    until("wal_level logical", || async { logical(first).await && logical(second).await }).await;
    assert_eq!(lab.json(first, "/patroni").await["timeline"], 1);
    until("the replica streams again", || async {
        lab.json(second, "/patroni").await["replication_state"] == "streaming"
    })
    .await;
    let rules = json!(["local all all trust", "hostssl replication standby all md5", "hostssl all all all md5"]);
    edit("/spec/patroni", json!({"loop_wait": 1, "pg_hba": rules}));
    let count = async |pod| lab.sql(pod, "SELECT count(*) FROM pg_hba_file_rules").await.as_deref() == Ok("3");
    until("three rules everywhere", || async { count(first).await && count(second).await }).await;
    until("the other leads", || async { lab.leader().as_deref() == Some(second) }).await;
    end().await;
}

async fn comes_up(lab: &Lab) {
    until("status Running", || async { lab.status() == "Running" }).await;
    until("both members", || async {
        lab.pod("mastodon-postgresql-1")["metadata"]["labels"]["spilo-role"] == "replica"
    })
    .await;
    let (first, second) = ("mastodon-postgresql-0", "mastodon-postgresql-1");
    assert_eq!(lab.leader().as_deref(), Some(first));
    assert_eq!(lab.pod(first)["metadata"]["labels"]["spilo-role"], "master");
    until("an application's login", || async { lab.app("CREATE TABLE IF NOT EXISTS t(n int)").await.is_ok() }).await;
    let tls = lab.app("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    assert_eq!(tls.as_deref(), Ok("t"));
    let hashes =
        lab.sql(first, "SELECT count(*) FROM pg_authid WHERE rolcanlogin AND rolpassword NOT LIKE 'md5%'").await;
    assert_eq!(hashes.as_deref(), Ok("0"));
    let left = "SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname IN ('metric_helpers', 'user_management')";
    assert_eq!(lab.app(left).await.as_deref(), Ok("metric_helpers,user_management"));
    let patroni = lab.json(first, "/patroni").await;
    assert_eq!(
        (&patroni["state"], &patroni["role"], &patroni["timeline"]),
        (&json!("running"), &json!("primary"), &json!(1))
    );
    assert_eq!(lab.rest(first, "GET", "/primary", "").await.0, 200);
    assert_eq!(lab.rest(second, "GET", "/primary", "").await.0, 503);
    until("a streaming replica in /cluster", || async {
        let members = lab.json(second, "/cluster").await["members"].clone();
        members[0]["role"] == "leader" && members[1]["state"] == "streaming"
    })
    .await;
    let slots = lab.sql(first, "SELECT slot_name, active FROM pg_replication_slots").await;
    assert_eq!(slots.as_deref(), Ok("mastodon_postgresql_1|t"));
}

async fn slots_of_the_configuration_come_and_go(lab: &Lab) {
    let first = "mastodon-postgresql-0";
    let anchor = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'anchor'";
    lab.rest(first, "PATCH", "/config", r#"{"slots":{"anchor":{"type":"physical"}}}"#).await;
    until("the slot is made", || async { lab.sql(first, anchor).await.as_deref() == Ok("1") }).await;
    // The list of slots is read again in the turn after.
    sleep(Duration::from_millis(1500)).await;
    lab.rest(first, "PATCH", "/config", r#"{"slots":{"anchor":null}}"#).await;
    until("the slot is dropped", || async { lab.sql(first, anchor).await.as_deref() == Ok("0") }).await;
    // Every member's slot stays, and one made by hand is not known yet.
    lab.sql(first, "SELECT pg_create_physical_replication_slot('by_hand')").await.expect("a slot");
    let slots = "SELECT string_agg(slot_name, ',' ORDER BY slot_name) FROM pg_replication_slots";
    assert_eq!(lab.sql(first, slots).await.as_deref(), Ok("by_hand,mastodon_postgresql_1"));
}

async fn switchover_leaves_its_traces(lab: &Lab) {
    for (leader, candidate) in [("0", "1"), ("1", "0")] {
        let body = json!({"leader": format!("{CLUSTER}-{leader}"), "candidate": format!("{CLUSTER}-{candidate}")});
        let any = format!("{CLUSTER}-{leader}");
        let (code, said) = lab.rest(&any, "POST", "/switchover", &body.to_string()).await;
        assert_eq!(code, 200, "{said}");
    }
    let first = "mastodon-postgresql-0";
    assert_eq!(lab.leader().as_deref(), Some(first));
    assert_eq!(lab.json(first, "/patroni").await["timeline"], 3);
    assert_eq!(lab.json(first, "/history").await.as_array().map(Vec::len), Some(2));
    let conf = lab.node.sandbox(NAMESPACE, first).expect("a sandbox").dir.join("pgdata/pgroot/data/postgresql.conf");
    let conf = std::fs::read_to_string(conf).expect("postgresql.conf");
    assert!(conf.contains("\nprimary_slot_name = 'mastodon_postgresql_0'\n"), "{conf}");
    assert!(conf.contains("include 'postgresql.base.conf'") && conf.contains("\nhba_file = '/"), "{conf}");
    let foreign = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'by_hand'";
    until("the foreign slot is dropped", || async { lab.sql(first, foreign).await.as_deref() == Ok("0") }).await;
    until("the application is back", || async { lab.app("INSERT INTO t VALUES (1)").await.is_ok() }).await;
}

async fn the_operator_repairs_unless_detached(lab: &Lab) {
    let login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'mastodon'";
    let first = "mastodon-postgresql-0";
    lab.sql(first, "ALTER ROLE mastodon NOLOGIN").await.expect("NOLOGIN");
    until("the operator gives LOGIN back", || async { lab.sql(first, login).await.as_deref() == Ok("t") }).await;
    lab.annotate("kubectl-pgmigrate".into());
    // A sync under way may still write; two periods later none is.
    sleep(Duration::from_secs(2)).await;
    lab.sql(first, "ALTER ROLE mastodon NOLOGIN").await.expect("NOLOGIN");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(lab.sql(first, login).await.as_deref(), Ok("f"), "a detached cluster is left alone");
    lab.sql(first, "ALTER ROLE mastodon LOGIN").await.expect("LOGIN");
}

async fn pause_is_what_makes_the_fence(lab: &Lab) {
    let (first, second) = ("mastodon-postgresql-0", "mastodon-postgresql-1");
    assert_eq!(lab.rest(first, "PATCH", "/config", r#"{"pause":true}"#).await.0, 200);
    assert_eq!(lab.json(first, "/cluster").await["pause"], true);
    // In force is a pause only when every member has seen it.
    for member in [first, second] {
        until("the pause is seen", || async { lab.json(member, "/patroni").await["pause"] == true }).await;
    }
    lab.exec(first, "pg_ctl", &["stop", "-m", "fast", "-w"]).await.expect("stop");
    until("the label goes", || async { lab.pod(first)["metadata"]["labels"]["spilo-role"].is_null() }).await;
    assert_eq!(lab.leader(), None);
    let endpoints = lab.store.get("endpoints", NAMESPACE, CLUSTER).expect("endpoints");
    assert_eq!(endpoints["subsets"].as_array().map(Vec::len), Some(0));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(lab.json(first, "/patroni").await["state"], "stopped");
    assert_eq!(lab.json(second, "/patroni").await["role"], "replica");
    let ready = lab.pod(first)["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True");
    assert!(ready, "the pod stays ready");
    let control = lab.exec(first, "pg_controldata", &[]).await.expect("pg_controldata");
    assert!(
        control.lines().any(|l| l.starts_with("Database cluster state:") && l.ends_with(" shut down")),
        "{control}"
    );
    assert_eq!(lab.rest(first, "POST", "/restart", "{}").await, (200, "restarted successfully".into()));
    assert_eq!(lab.leader().as_deref(), Some(first));
    assert_eq!(lab.pod(first)["metadata"]["labels"]["spilo-role"], "master");
    assert_eq!(lab.json(first, "/patroni").await["timeline"], 3, "a restart in place makes no timeline");

    lab.rest(first, "PATCH", "/config", r#"{"pause":null}"#).await;
    until("pause is over", || async { lab.json(first, "/cluster").await["pause"].is_null() }).await;
    lab.exec(first, "pg_ctl", &["stop", "-m", "fast", "-w"]).await.expect("stop");
    until("Patroni starts it again", || async { lab.rest(first, "GET", "/primary", "").await.0 == 200 }).await;
}

async fn a_resume_promotes_the_other_member(lab: &Lab) {
    let (first, second) = ("mastodon-postgresql-0", "mastodon-postgresql-1");
    let timeline = lab.json(first, "/patroni").await["timeline"].as_u64().expect("a timeline");
    // What it has not received it cannot continue.
    until("the replica streams", || async { lab.json(second, "/patroni").await["replication_state"] == "streaming" })
        .await;
    lab.rest(first, "PATCH", "/config", r#"{"pause":true}"#).await;
    until("pause is seen", || async {
        lab.pod(second)["metadata"]["annotations"]["status"].as_str().is_some_and(|s| s.contains("pause"))
    })
    .await;
    lab.exec(first, "pg_ctl", &["stop", "-m", "fast", "-w"]).await.expect("stop");
    until("the lock is free", || async { lab.leader().is_none() }).await;
    lab.store.delete("pods", NAMESPACE, first).expect("delete the pod");
    until("the pod is back", || async { lab.pod(first)["status"]["phase"] == "Running" }).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(lab.json(first, "/patroni").await["state"], "stopped", "it stays stopped in a new pod");
    lab.rest(second, "PATCH", "/config", r#"{"pause":null}"#).await;
    until("the other leads", || async { lab.leader().as_deref() == Some(second) }).await;
    until("the old one follows", || async { lab.json(first, "/patroni").await["replication_state"] == "streaming" })
        .await;
    until("a new timeline", || async { lab.json(second, "/patroni").await["timeline"] == timeline + 1 }).await;
}

async fn a_deleted_pod_comes_back_with_its_data(lab: &Lab) {
    let second = "mastodon-postgresql-1";
    let timeline = lab.json(second, "/patroni").await["timeline"].as_u64().expect("a timeline");
    lab.store.delete("pods", NAMESPACE, second).expect("delete the pod");
    until("the same pod leads again", || async {
        lab.pod(second)["metadata"]["labels"]["spilo-role"] == "master"
            && lab.rest(second, "GET", "/primary", "").await.0 == 200
    })
    .await;
    assert_eq!(lab.json(second, "/patroni").await["timeline"], timeline + 1);
    until("rows are there", || async { lab.app("SELECT count(*) FROM t").await.as_deref() == Ok("1") }).await;
    let body = json!({"leader": second, "candidate": "mastodon-postgresql-0"});
    until("the replica follows", || async {
        lab.json("mastodon-postgresql-0", "/patroni").await["replication_state"] == "streaming"
    })
    .await;
    assert_eq!(lab.rest(second, "POST", "/switchover", &body.to_string()).await.0, 200);
}

async fn scale_to_nothing_and_back(lab: &Lab) {
    let scale = |n: u64| {
        lab.store
            .update(RESOURCE, NAMESPACE, CLUSTER, |object| object["spec"]["numberOfInstances"] = n.into())
            .expect("scale");
    };
    scale(0);
    until("no pod is left", || async { lab.store.list("pods", Some(NAMESPACE)).is_empty() }).await;
    assert_eq!(lab.store.list("persistentvolumeclaims", Some(NAMESPACE)).len(), 2);
    scale(1);
    until("the data is back", || async { lab.app("SELECT count(*) FROM t").await.as_deref() == Ok("1") }).await;
}

async fn a_direct_hba_write_does_not_last(lab: &Lab) {
    let first = "mastodon-postgresql-0";
    let rules = "SELECT count(*) FROM pg_hba_file_rules";
    let before = lab.sql(first, rules).await.expect("rules");
    let write = "COPY (SELECT 'local all all trust') TO PROGRAM 'cat > \"$PGDATA/pg_hba.conf\"'";
    lab.sql(first, &format!("{write}; ")).await.expect("write");
    lab.sql(first, "SELECT pg_reload_conf()").await.expect("reload");
    until("the fence holds", || async { lab.app("SELECT 1").await.is_err_and(|e| e.contains("pg_hba.conf")) }).await;
    lab.rest(first, "POST", "/restart", "{}").await;
    assert_eq!(lab.sql(first, rules).await.as_deref(), Ok(before.as_str()), "Patroni wrote its own list again");
}

/// Way 1, the lasting one: postgres.yml and /reload; and with it in force the operator cannot log in.
async fn the_operator_is_shut_out_by_a_fence(lab: &Lab) {
    let first = "mastodon-postgresql-0";
    let yml = lab.node.sandbox(NAMESPACE, first).expect("a sandbox").dir.join("postgres.yml");
    let saved = std::fs::read_to_string(&yml).expect("postgres.yml");
    let kept = |line: &&str| !line.starts_with("  - host") || line.contains("standby");
    let fenced: String = saved.lines().filter(kept).map(|line| format!("{line}\n")).collect();
    std::fs::write(&yml, &fenced).expect("postgres.yml");
    assert_eq!(lab.rest(first, "POST", "/reload", "").await, (202, "reload scheduled".into()));
    until("the fence holds", || async { lab.app("SELECT 1").await.is_err_and(|e| e.contains("pg_hba.conf")) }).await;
    assert_eq!(lab.status(), "Running");
    lab.annotate("".into());
    until("status UpdateFailed", || async { lab.status() == "UpdateFailed" }).await;
    std::fs::write(&yml, saved).expect("postgres.yml");
    lab.rest(first, "POST", "/reload", "").await;
    until("status Running", || async { lab.status() == "Running" }).await;
}

async fn deletion_takes_everything(lab: &Lab) {
    lab.store.delete(RESOURCE, NAMESPACE, CLUSTER).expect("delete");
    until("everything goes", || async {
        ["pods", "secrets", "persistentvolumeclaims", "services"]
            .iter()
            .all(|r| lab.store.list(r, Some(NAMESPACE)).is_empty())
    })
    .await;
}
