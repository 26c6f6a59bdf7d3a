//! The same bench as the lab's (tests/support), on a real cluster: the scenarios that both share are written once.
//!
//! `PGMIGRATE_E2E_CONTEXT` names the kubeconfig's context: without it every scenario is skipped, and the current context
//! is never used. `PGMIGRATE_E2E_IMAGE` is CNPG's operand image (else the product's own choice), `PGMIGRATE_E2E_VERSION`
//! the major version of both ends (17). Each scenario has a namespace of its own, removed at its end, also after a failure.
#![allow(dead_code, unused_imports)]

#[path = "../support/course.rs"]
mod course;
#[path = "../support/ends.rs"]
mod ends;
#[path = "recorder.rs"]
mod recorder;
#[path = "../support/run.rs"]
mod run;
#[path = "../support/setting.rs"]
mod setting;

pub use ends::{SOURCE, SOURCE_POD, TARGET, TARGET_POD};
pub use run::{Child, Run};
pub use setting::Setting;

use recorder::Recorder;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A base backup, an import, a pod that is deleted with its grace: a real cluster on a busy machine is slow.
pub const LIMIT: Duration = Duration::from_secs(400);

/// One scenario at a time.
static TURNS: Semaphore = Semaphore::const_new(1);

pub struct Bench {
    pub namespace: String,
    folder: tempfile::TempDir,
    scenario: String,
    began: Instant,
    /// Nanoseconds of the writers' clock, from which on a gap counts.
    marked: Mutex<u128>,
    outage: Mutex<String>,
    recorder: Mutex<Option<Recorder>>,
    _turn: SemaphorePermit<'static>,
}

impl Bench {
    /// Mastodon on a Zalando cluster, writing. None: no cluster was named.
    pub async fn up(setting: Setting) -> Option<Bench> {
        let bench = Bench::empty().await?;
        bench.world(setting.members.max(1)).await;
        bench.files(&setting);
        bench.app_writes().await;
        bench.record();
        Some(bench)
    }

    /// A namespace with nothing in it. None: no cluster was named.
    pub async fn empty() -> Option<Bench> {
        let Ok(context) = std::env::var("PGMIGRATE_E2E_CONTEXT") else {
            eprintln!("skipped: PGMIGRATE_E2E_CONTEXT does not name a context (docs/real-cluster.md)");
            return None;
        };
        let turn = TURNS.acquire().await.expect("never closed");
        let folder = tempfile::tempdir().expect("a folder");
        let mut view = Command::new("kubectl");
        let config = answer(view.args(["config", "view", "--minify", "--flatten", "--context", &context]), "");
        let config = config.expect("the context is in the kubeconfig");
        std::fs::write(folder.path().join("kubeconfig"), config).expect("written");
        let bench = Bench {
            namespace: format!("pgmigrate-e2e-{:06x}", uuid::Uuid::new_v4().as_u128() & 0xff_ffff),
            folder,
            scenario: std::thread::current().name().unwrap_or("scenario").to_owned(),
            began: Instant::now(),
            marked: Mutex::new(0),
            outage: Mutex::new("-".into()),
            recorder: Mutex::default(),
            _turn: turn,
        };
        bench.kubectl(&["create", "namespace", &bench.namespace], "").expect("a namespace");
        Some(bench)
    }

    /// `$VERSION$` stands for the major version of both ends.
    pub fn apply(&self, objects: &str) {
        let version = std::env::var("PGMIGRATE_E2E_VERSION").unwrap_or("17".into());
        self.kubectl(&["apply", "-f", "-"], &objects.replace("$VERSION$", &version)).expect("applied");
    }

    pub async fn zalando_runs(&self, name: &str) {
        let running = || self.object("postgresqls.acid.zalan.do", name)["status"]["PostgresClusterStatus"] == "Running";
        self.until("the Zalando cluster runs", running).await;
    }

    pub fn image(&self, pod: &str) -> String {
        self.object("pods", pod)["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned()
    }

    /// A Zalando cluster with Mastodon's data, and the apps, which run in the image of the cluster itself (Python is there).
    async fn world(&self, members: u32) {
        self.apply(&include_str!("source.yaml").replace("$MEMBERS$", &members.to_string()));
        self.zalando_runs(SOURCE).await;
        let login = format!("mastodon.{SOURCE}.credentials.postgresql.acid.zalan.do");
        let (user, password) = (self.password(&login, "username"), self.password(&login, "password"));
        let rows = include_str!("../../src/lab/world/mastodon.sql").replace("$ROWS$", "2000");
        let load = format!("SET ROLE mastodon; BEGIN; {rows} COMMIT");
        let psql =
            ["exec", "-i", SOURCE_POD, "--", "psql", "-U", "postgres", "-d", "mastodon", "-qv", "ON_ERROR_STOP=1"];
        self.kubectl(&psql, &load).expect("the data");
        let image = &self.image(SOURCE_POD);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mastodon-db-url"},
            "stringData": {"DB_USER": user, "DB_PASS": password}});
        let writer = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "writer"},
            "data": {"app.py": include_str!("app.py")}});
        for object in [secret, writer] {
            self.apply(&object.to_string());
        }
        self.apply(&include_str!("apps.yaml").replace("$IMAGE$", image));
        for (name, replicas, writes) in APPS {
            self.apply(&deployment(name, replicas, writes, image).to_string());
        }
        let up =
            |name: &str, replicas: u32| self.object("deployments.apps", name)["status"]["readyReplicas"] == replicas;
        self.until("every app is ready", || APPS.iter().all(|(name, replicas, _)| up(name, *replicas))).await;
    }

    pub fn files(&self, setting: &Setting) {
        let text = self.at_home(&setting.migration(), "mastodon");
        std::fs::write(self.path().join("mastodon.yaml"), text).expect("a file");
        std::fs::write(self.path().join("mastodon.rhai"), setting.script_text()).expect("a file");
    }

    /// A migration file's text, for this namespace and the image that is here.
    pub fn at_home(&self, text: &str, namespace: &str) -> String {
        let from = format!("namespace: {namespace}\n");
        let text = text.replace(&from, &format!("namespace: {}\n", self.namespace));
        match std::env::var("PGMIGRATE_E2E_IMAGE") {
            Ok(image) => text.replace("    cnpg:\n", &format!("    cnpg:\n      image: {image}\n")),
            Err(_) => text,
        }
    }

    /// Objects are written down from here on, if that is asked for.
    fn record(&self) {
        *self.recorder.lock().expect("recorder") = Recorder::of(self);
    }

    /// What was seen up to here is what the lab is held against.
    pub fn as_recorded(&self) {
        if let Some(recorder) = self.recorder.lock().expect("recorder").take() {
            recorder.write();
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.path().join("kubeconfig")
    }

    /// Standard output; Err: standard error. In the scenario's namespace unless the words say otherwise.
    pub fn kubectl(&self, words: &[&str], input: &str) -> Result<String, String> {
        answer(&mut self.command(words), input)
    }

    /// A kubectl that goes on until it is dropped.
    pub fn watch(&self, words: &[&str]) -> tokio::process::Child {
        let mut command = tokio::process::Command::from(self.command(words));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("kubectl")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(["-n", &self.namespace]).args(words);
        command
    }

    /// An object of the namespace; null if there is none.
    pub fn object(&self, resource: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", resource, name, "-o", "json", "--ignore-not-found"], "").expect("an answer");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub async fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + LIMIT;
        while !done() {
            assert!(Instant::now() < end, "never: {what}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// As the superuser over the pod's own socket. It may take long: nothing waits for it but its caller.
    pub async fn sql(&self, pod: &str, database: &str, sql: &str) -> Result<String, String> {
        let psql = ["exec", pod, "-c", "postgres", "--", "psql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"];
        let mut command = self.command(&[&psql[..], &["-d", database, "-c", sql]].concat());
        // On a thread of its own: a scenario does other things while a query lasts.
        let said = tokio::task::spawn_blocking(move || answer(&mut command, "")).await.expect("it ends")?;
        Ok(said.trim().to_owned())
    }

    pub fn journal(&self) -> String {
        let found =
            self.kubectl(&["get", "configmaps", "-l", "pgmigrate.dev/journal", "-o", "jsonpath={.items[*].data}"], "");
        found.expect("an answer").replace("\\\"", "\"")
    }

    /// Objects of ours that are still there: by label or by name.
    pub fn leftovers(&self) -> Vec<String> {
        let kinds = "configmaps,secrets,leases,pods,services,jobs,persistentvolumeclaims,clusters.postgresql.cnpg.io";
        let all = self.kubectl(&["get", kinds, "-o", "json"], "").expect("an answer");
        let all: Value = serde_json::from_str(&all).expect("JSON");
        let ours = |object: &&Value| {
            let meta = &object["metadata"];
            !meta["labels"]["pgmigrate.dev/migration"].is_null()
                || meta["name"].as_str().is_some_and(|name| name.starts_with("pgmigrate-"))
        };
        let found = all["items"].as_array().into_iter().flatten().filter(ours);
        let kind = |object: &Value| object["kind"].as_str().unwrap_or_default().to_lowercase();
        found.map(|object| format!("{}s/{}", kind(object), object["metadata"]["name"])).collect()
    }

    /// As an app of the cluster: over the network, with a password.
    pub fn client(&self, host: &str, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let password = format!("PGPASSWORD={password}");
        let to = format!("host={host} user={user} dbname=mastodon sslmode=require connect_timeout=5");
        let words = ["exec", "deploy/mastodon-book", "--", "env", &password, "psql", &to, "-XAtqc", sql];
        self.kubectl(&words, "").map(|said| said.trim().to_owned())
    }

    /// A merge patch of an object of the namespace.
    pub fn patch(&self, resource: &str, name: &str, patch: Value) {
        self.kubectl(&["patch", resource, name, "--type", "merge", "-p", &patch.to_string()], "").expect("patched");
    }

    /// Takes CloudNativePG's operator away until what this returns is dropped.
    pub fn without_operator(&self) -> Away<'_> {
        let found = self.kubectl(&["get", "deployments", "-A", "-l", OPERATOR, "-o", "json"], "").expect("an answer");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let text = |key: &str| found["items"][0]["metadata"][key].as_str().expect("the operator").to_owned();
        let away = Away { bench: self, namespace: text("namespace"), name: text("name") };
        away.scale("0");
        let gone = ["delete", "pods", "-n", &away.namespace, "-l", OPERATOR, "--force", "--grace-period=0"];
        self.kubectl(&gone, "").expect("deleted");
        away
    }

    /// The writers' books: lines `<nanoseconds> sent|acked <token>`, on a volume that all of them share.
    fn ledger(&self) -> Ledger {
        let book = ["exec", "deploy/mastodon-book", "--", "sh", "-c", "cat /ledger/*"];
        let text = self.kubectl(&book, "").expect("the ledger");
        let mut ledger = Ledger::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(at), Some(what), Some(token)) = (words.next(), words.next(), words.next()) else { continue };
            let acked = what == "acked";
            *ledger.rows.entry(token.to_owned()).or_default() |= acked;
            if acked {
                ledger.commits.push(at.parse().expect("nanoseconds"));
            }
        }
        ledger.commits.sort_unstable();
        ledger
    }

    /// Rows that are sent from now on are acknowledged.
    pub async fn app_writes(&self) {
        let before = self.ledger().commits.len();
        self.until("the app writes", || self.ledger().commits.len() >= before + 20).await;
    }

    /// The app writes, and nothing that it wrote is lost or there twice.
    pub async fn nothing_lost(&self) {
        self.app_writes().await;
        let (lost, twice) = self.audit().await;
        assert!(lost.is_empty() && twice.is_empty(), "lost {lost:?}, twice {twice:?}");
    }

    /// Tokens acknowledged and not there; tokens there more than once.
    async fn audit(&self) -> (Vec<String>, Vec<String>) {
        let ledger = self.ledger();
        let host =
            self.object("configmaps", "mastodon-database")["data"]["DB_HOST"].as_str().unwrap_or_default().to_owned();
        let pod = if host == SOURCE { SOURCE_POD } else { TARGET_POD };
        let rows = self.sql(pod, "mastodon", "SELECT token FROM statuses WHERE token IS NOT NULL").await.expect("rows");
        let mut there: HashMap<&str, u32> = HashMap::new();
        for token in rows.lines() {
            *there.entry(token).or_default() += 1;
        }
        let lost = ledger.rows.iter().filter(|(token, acked)| **acked && !there.contains_key(token.as_str()));
        let twice = there.iter().filter(|(_, times)| **times > 1);
        (lost.map(|(token, _)| token.clone()).collect(), twice.map(|(token, _)| token.to_string()).collect())
    }

    /// The longest gap between two commits is counted from here on.
    pub fn mark(&self) {
        *self.marked.lock().expect("marked") = self.ledger().commits.last().copied().unwrap_or_default();
    }

    pub fn longest_gap(&self) -> Duration {
        let marked = *self.marked.lock().expect("marked");
        let commits: Vec<u128> = self.ledger().commits.into_iter().filter(|at| *at >= marked).collect();
        let gap = commits.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let gap = Duration::from_nanos(gap as u64);
        self.measured(gap);
        gap
    }

    /// What the scenario's line will say.
    pub fn measured(&self, gap: Duration) {
        *self.outage.lock().expect("outage") = format!("{:.2} s", gap.as_secs_f64());
    }

    /// Prints the scenario's line; the namespace goes when the bench does.
    pub async fn end(self) {
        let (lost, twice) = self.audit().await;
        assert!(lost.is_empty() && twice.is_empty());
        self.passed(lost.len(), twice.len());
    }

    pub fn passed(&self, lost: usize, twice: usize) {
        self.as_recorded();
        self.line("passed", &lost.to_string(), &twice.to_string());
    }

    /// A row of the table of `tools/e2e`.
    fn line(&self, result: &str, lost: &str, twice: &str) {
        let outage = self.outage.lock().expect("outage").clone();
        let took = format!("{} s", self.began.elapsed().as_secs());
        eprintln!("{:<60} {result:<7} {took:>7} {outage:>8} {lost:>6} {twice:>10}", self.scenario);
    }
}

/// The operator at no replicas; at one again when dropped, after a failure too.
pub struct Away<'a> {
    bench: &'a Bench,
    namespace: String,
    name: String,
}

impl Away<'_> {
    fn scale(&self, replicas: &str) {
        let replicas = format!("--replicas={replicas}");
        let scaled = self.bench.kubectl(&["scale", "-n", &self.namespace, "deployment", &self.name, &replicas], "");
        scaled.expect("scaled");
    }

    pub fn back(self) {
        let (bench, namespace, deployment) = (self.bench, self.namespace.clone(), format!("deployment/{}", self.name));
        drop(self);
        bench.kubectl(&["rollout", "status", "-n", &namespace, &deployment, "--timeout=300s"], "").expect("it is back");
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.scale("1");
    }
}

const OPERATOR: &str = "app.kubernetes.io/name=cloudnative-pg";

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for words in [["get", "pods", "-o=wide"], ["logs", TARGET_POD, "--tail=40"]] {
                let said = self.kubectl(&words, "").unwrap_or_else(|error| error);
                eprintln!("$ kubectl {}\n{said}", words.join(" "));
            }
            self.line("FAILED", "-", "-");
        }
        let _ = self.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"], "");
        let ours = format!("pgmigrate-e2e={}", self.namespace);
        let _ = self.kubectl(&["delete", "persistentvolumes,storageclasses", "-l", &ours, "--wait=false"], "");
    }
}

#[derive(Default)]
struct Ledger {
    /// token -> acknowledged
    rows: HashMap<String, bool>,
    /// Nanoseconds, ascending.
    commits: Vec<u128>,
}

/// Deployment, replicas, writes.
const APPS: [(&str, u32, bool); 6] = [
    ("mastodon-web", 2, true),
    ("mastodon-streaming", 1, false),
    ("mastodon-sidekiq-default", 1, true),
    ("mastodon-sidekiq-federation", 1, false),
    ("mastodon-sidekiq-background", 1, false),
    ("mastodon-sidekiq-scheduler", 1, false),
];

fn deployment(name: &str, replicas: u32, writes: bool, image: &str) -> Value {
    let from =
        |kind: &str, object: &str, key: &str| json!({"name": key, "valueFrom": {kind: {"name": object, "key": key}}});
    let secret = |key| from("secretKeyRef", "mastodon-db-url", key);
    let config = |key| from("configMapKeyRef", "mastodon-database", key);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [{
                    "name": "app", "image": image, "command": ["python3", "/app/app.py"],
                    "env": [secret("DB_USER"), secret("DB_PASS"), config("DB_HOST"), config("DB_PORT"),
                        {"name": "WRITES", "value": if writes { "yes" } else { "" }}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "app", "mountPath": "/app"}, {"name": "ledger", "mountPath": "/ledger"}],
                }],
                "volumes": [{"name": "app", "configMap": {"name": "writer"}},
                    {"name": "ledger", "persistentVolumeClaim": {"claimName": "ledger"}}],
            }},
        },
    })
}

fn answer(command: &mut Command, input: &str) -> Result<String, String> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("kubectl: {error}"))?;
    child.stdin.take().expect("piped").write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
