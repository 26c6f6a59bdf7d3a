//! A bench: a whole lab in this process, the migration's files in a folder of their own, and the real binary run on them.
//! Shared by the scenarios (tests/lab) and the crash matrix.
#![allow(dead_code, unused_imports)]

mod course;
mod ends;
mod recorded;
mod run;
mod setting;

pub use run::{Child, Run};
pub use setting::Setting;

use pgmigrate::lab::{
    api::store::Store,
    app::{
        audit::{Audit, audit_namespace},
        ledger::Ledger,
    },
    operators::{cnpg, zalando},
    servers::installs,
    world::{Lab, Options, mastodon::Mastodon},
};
use recorded::Recorded;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    process::Command,
    sync::{Semaphore, SemaphorePermit},
};

pub use ends::{SOURCE, SOURCE_POD, TARGET, TARGET_POD};
pub const NAMESPACE: &str = "mastodon";
/// Longer than any verb takes here; a program that hangs fails its test.
const LIMIT: Duration = Duration::from_secs(150);

/// As many labs at a time as a small machine can serve.
static TURNS: Semaphore = Semaphore::const_new(2);

pub struct Bench {
    pub lab: Lab,
    folder: tempfile::TempDir,
    recorded: Recorded,
    _turn: SemaphorePermit<'static>,
}

impl Bench {
    /// None: no PostgreSQL is installed here, or it lets nobody mount the disk that is asked for.
    pub async fn up(setting: Setting) -> Option<Bench> {
        let version = installs().into_iter().next()?.major;
        let turn = TURNS.acquire().await.expect("never closed");
        let lab = Lab::start(quick()).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let members = setting.members.max(1);
        lab.namespace(NAMESPACE).expect("a namespace");
        if let Some(size) = setting.disk
            && let Err(error) = lab.faults.small_disk(NAMESPACE, SOURCE_POD, size)
        {
            eprintln!("not tried: {}", error.chain());
            return None;
        }
        let mut cluster = source(members, version);
        setting.source.into_iter().for_each(|change| change(&mut cluster));
        // The scenario leaves what is there as it is.
        lab.put("postgresqls.acid.zalan.do", cluster).expect("a Zalando cluster");
        let size = Mastodon { statuses: 500, members, version };
        lab.scenario_mastodon(size).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let all = [("cluster-name", SOURCE)];
        let joined = |store: &Store| {
            let pods = store.list_labelled("pods", NAMESPACE, &all);
            pods.iter().filter(|pod| pod["metadata"]["labels"]["spilo-role"].is_string()).count() == members as usize
        };
        lab.until("every member has its role", Duration::from_secs(60), joined)
            .await
            .unwrap_or_else(|e| panic!("{}", e.chain()));
        let folder = tempfile::tempdir().expect("a folder");
        let recorded = Recorded::default();
        let bench = Bench { lab, folder, recorded, _turn: turn };
        bench.files(&setting);
        bench.app_writes().await;
        bench.recorded.begin(&bench.lab.store);
        Some(bench)
    }

    /// Writes the migration's file and script anew.
    pub fn files(&self, setting: &Setting) {
        self.write("mastodon.yaml", &setting.migration());
        self.write("mastodon.rhai", &setting.script_text());
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.lab.kubeconfig_path()
    }

    /// Stops the lab; what it left running would be a failure.
    pub async fn end(self) {
        self.lab.stop().await;
    }

    fn ledger(&self) -> Arc<Ledger> {
        let ledgers = Ledger::all(self.lab.dir());
        ledgers.into_iter().find(|(of, _)| of == NAMESPACE).expect("an app that writes").1
    }

    /// Rows that are sent from now on are acknowledged.
    #[track_caller]
    pub fn app_writes(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let end = Instant::now() + Duration::from_secs(30);
            let ledger = loop {
                if let Some((_, ledger)) = Ledger::all(self.lab.dir()).pop() {
                    break ledger;
                }
                assert!(Instant::now() < end, "{caller}: no app has ever written");
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            let before = ledger.report().acked;
            while ledger.report().acked < before + 20 {
                assert!(Instant::now() < end, "{caller}: the app does not write: {:?}", ledger.report());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    pub async fn audit(&self) -> Audit {
        audit_namespace(&self.lab.store, &self.lab.node, NAMESPACE).await.expect("an audit")
    }

    /// The app writes, and nothing that it wrote is lost or there twice.
    pub async fn nothing_lost(&self) {
        self.app_writes().await;
        let audit = self.audit().await;
        assert!(audit.clean(), "{audit:?}");
    }

    /// The longest gap between two commits is counted from here on.
    pub fn mark(&self) {
        self.ledger().mark();
    }

    pub fn longest_gap(&self) -> Duration {
        self.ledger().report().longest_gap
    }

    /// Objects of ours that are still there: by label or by name.
    pub fn leftovers(&self) -> Vec<String> {
        let ours = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            !object["metadata"]["labels"]["pgmigrate.dev/migration"].is_null() || name.starts_with("pgmigrate-")
        };
        let all = self.lab.store.everything();
        let found = all.iter().filter(|(resource, object)| resource != "events" && ours(object));
        found.map(|(resource, object)| format!("{resource}/{}", object["metadata"]["name"])).collect()
    }

    /// As the superuser over the pod's own socket.
    pub async fn sql(&self, pod: &str, database: &str, sql: &str) -> Result<String, String> {
        let sandbox = self.lab.node.sandbox(NAMESPACE, pod).ok_or_else(|| format!("no pod {pod}"))?;
        let mut command = Command::new("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        command.env_clear().envs(&sandbox.env).current_dir(&sandbox.dir).kill_on_drop(true);
        if let Some((uid, gid)) = sandbox.user {
            command.uid(uid).gid(gid);
        }
        let output = command.output().await.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// All that the journal says.
    pub fn journal(&self) -> String {
        let maps = self.lab.store.list("configmaps", Some(NAMESPACE));
        let ours = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("pgmigrate-mastodon"));
        let ours = maps.iter().filter(|map| ours(&map["metadata"]["name"]));
        ours.map(|map| map["data"].to_string().replace("\\\"", "\"")).collect()
    }

    /// An object of the namespace; null if there is none.
    pub fn object(&self, resource: &str, name: &str) -> Value {
        self.lab.store.get(resource, NAMESPACE, name).map(|found| (*found).clone()).unwrap_or_default()
    }

    pub fn change(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.lab.store.update(resource, NAMESPACE, name, change).unwrap_or_else(|r| panic!("{}", r.message));
    }
}

/// Patroni looks every second; else as the scenario's own.
pub fn source(members: u32, version: u32) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": SOURCE, "namespace": NAMESPACE, "labels": {"team": "mastodon"}},
        "spec": {
            "teamId": "mastodon", "numberOfInstances": members, "volume": {"size": "1Gi"},
            "users": {"mastodon": ["createdb"]}, "databases": {"mastodon": "mastodon"},
            "postgresql": {"version": version.to_string()}, "patroni": {"loop_wait": 1, "ttl": 20},
        },
    })
}

fn quick() -> Options {
    let short = Duration::from_millis(300);
    let zalando = zalando::Options { repair: Duration::from_secs(1), resync: Duration::from_secs(2), login: short };
    let cnpg = cnpg::Options {
        ready_delay: short,
        unfence_pause: short,
        readiness_delay: Duration::from_millis(100),
        job_backoff: short,
        crash_backoff: short,
        retry: short,
        database_backoff: short,
        ..cnpg::Options::default()
    };
    Options { operators: true, zalando, cnpg }
}
