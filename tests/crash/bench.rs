//! A lab with the Mastodon example, and the real binary with the example's files in a folder of its own.
use crate::kill::{self, Point};
use pgmigrate::{
    kube::{Kube, flags::Flags},
    lab::{
        app::{audit::audit_namespace, ledger::Ledger},
        faults::Runner,
        servers::installs,
        world::{Lab, Options, mastodon::Mastodon},
    },
};
use serde_json::Value;
use std::{
    io::Write,
    os::unix::process::ExitStatusExt,
    process::{Output, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// One run of the binary; far more than any takes.
const LIMIT: Duration = Duration::from_secs(240);

pub struct Bench {
    pub lab: Lab,
    pub kube: Kube,
    folder: tempfile::TempDir,
    strategy: String,
}

#[derive(Debug, Clone)]
pub struct PlanStep {
    pub id: String,
    pub hazard: String,
}

pub struct Steps {
    pub prepare: Vec<PlanStep>,
    pub cutover: Vec<PlanStep>,
    pub finalize: Vec<PlanStep>,
    one_way: String,
}

impl Steps {
    fn read(plan: &Value) -> Steps {
        let text = |value: &Value| value.as_str().expect("a text in the plan").to_string();
        let of = |phase: &str| {
            let phases = plan["phases"].as_array().expect("phases");
            let found = phases.iter().find(|p| p["phase"] == phase).expect("the phase");
            let step = |step: &Value| PlanStep { id: text(&step["id"]), hazard: text(&step["hazard"]) };
            found["steps"].as_array().expect("steps").iter().map(step).collect()
        };
        let (prepare, cutover, finalize) = (of("prepare"), of("cutover"), of("finalize"));
        Steps { prepare, cutover, finalize, one_way: text(&plan["pointOfNoReturn"]) }
    }

    fn before(&self, id: &str) -> &[PlanStep] {
        let end = self.cutover.iter().position(|step| step.id == id).expect("a step of the cutover");
        &self.cutover[..end]
    }

    pub fn before_one_way(&self) -> &[PlanStep] {
        self.before(&self.one_way)
    }

    /// What a cutover that fails in this step has to undo.
    pub fn undone_before(&self, id: &str) -> Vec<String> {
        let changing = self.before(id).iter().filter(|step| step.hazard != "read-only");
        changing.map(|step| step.id.clone()).collect()
    }
}

impl Bench {
    /// None: there is no PostgreSQL on this machine.
    pub async fn up(strategy: &str) -> Option<Bench> {
        let install = installs().into_iter().next()?;
        let lab = Lab::start(Options::default()).await.expect("the lab starts");
        let size = Mastodon { statuses: 300, members: 1, version: install.major };
        lab.scenario_mastodon(size).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let flags = Flags { kubeconfig: Some(lab.kubeconfig_path()), ..flags() };
        let kube = Kube::connect(&flags).await.expect("a client").in_namespace("mastodon");
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Bench { lab, kube, folder, strategy: strategy.into() };
        done(bench.run(&["init", "--from", "mastodon"]).await);
        // The budget is for one runner in one window, not for dozens that are killed in it.
        bench.edit("mastodon.yaml", |text| {
            text.replace("strategy: replica", &format!("strategy: {strategy}"))
                .replace("downtimeBudget: 5m", "downtimeBudget: 55m")
        });
        // Changing calls in hooks: cut as well, made once, taken back.
        bench.edit("mastodon.rhai", |text| {
            let began = "fn before_cutover(m) {\n";
            assert!(text.contains(began));
            text.replace(began, &format!("{began}    scale(\"deployment/mastodon-streaming\", 2);\n"))
        });
        bench.add_to_script("fn stop_apps(m) { annotate(\"configmap/mastodon-database\", \"lab/at\", \"stopped\"); }");
        bench.add_to_script("fn finalize(m) { annotate(\"configmap/mastodon-database\", \"lab/at\", \"moved\"); }");
        bench.writes().await;
        Some(bench)
    }

    fn edit(&self, file: &str, change: impl Fn(String) -> String) {
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the file that init wrote");
        std::fs::write(&path, change(text)).expect("written");
    }

    pub fn add_to_script(&self, function: &str) {
        self.edit("mastodon.rhai", |text| format!("{text}\n{function}\n"));
    }

    fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kubectl-pgmigrate"));
        command.args(args).current_dir(self.folder.path()).kill_on_drop(true);
        command.env("KUBECONFIG", self.lab.kubeconfig_path()).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        let began = Instant::now();
        let output = tokio::time::timeout(LIMIT, self.command(args).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{args:?}: no end within {} s", LIMIT.as_secs()));
        trace(&self.strategy, args, "", began);
        output.expect("the binary runs")
    }

    /// Runs the binary, which must be lost at this point.
    pub async fn killed(&self, args: &[&str], point: &Point) {
        let began = Instant::now();
        let runner = Runner::default();
        let matching = point.matching(self.last_entry());
        let fired = self.lab.faults.kill_runner(&runner, point.moment(), matching);
        let child = self.command(args).spawn().expect("the binary starts");
        runner.is(child.id().expect("an id"));
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("{args:?}, to be killed at {point:?}: no end")).expect("its end");
        self.lab.faults.clear();
        let lost = fired.load(Ordering::SeqCst) == 1 && output.status.signal() == Some(libc::SIGKILL);
        assert!(lost, "{}: {args:?} should have been killed at {point:?}\n{}", self.strategy, shown(&output));
        trace(&self.strategy, args, &format!("killed at {point:?}"), began);
    }

    /// The newest number in the journal; 0: there is none.
    fn last_entry(&self) -> u64 {
        let maps = self.lab.store.list("configmaps", Some("mastodon"));
        let entries = maps.iter().flat_map(|map| kill::entries(map));
        entries.filter_map(|entry| entry["seq"].as_u64()).max().unwrap_or(0)
    }

    pub async fn plan(&self) -> Steps {
        let output = done(self.run(&["plan", "mastodon", "-o", "json"]).await);
        Steps::read(&serde_json::from_slice(&output.stdout).expect("a plan in JSON"))
    }

    /// The app commits rows, now.
    pub async fn writes(&self) {
        let ledgers = Ledger::all(self.lab.dir());
        let (_, ledger) = ledgers.first().expect("a ledger");
        let wanted = ledger.report().acked + 10;
        let writes = self.lab.until("the app writes", Duration::from_secs(60), |_| ledger.report().acked >= wanted);
        writes.await.unwrap_or_else(|error| panic!("{}: {}", self.strategy, error.chain()));
    }

    /// By the app's own books, against the database that it is connected to.
    pub async fn nothing_lost(&self) {
        let audit = audit_namespace(&self.lab.store, &self.lab.node, "mastodon").await.expect("an audit");
        assert!(audit.clean() && audit.report.acked > 0, "{}: {audit:?}", self.strategy);
    }

    pub async fn down(self) {
        self.lab.stop().await;
    }

    /// What the journal says of a step or phase: entries of this kind.
    pub fn says(&self, kind: &str, key: &str, value: &str) -> bool {
        let maps = self.lab.store.list("configmaps", Some("mastodon"));
        let mut entries = maps.iter().flat_map(|map| kill::entries(map));
        entries.any(|entry| entry["entry"] == kind && entry[key] == value)
    }
}

fn flags() -> Flags {
    Flags {
        namespace: None,
        context: None,
        kubeconfig: None,
        cluster: None,
        user: None,
        as_user: None,
        as_group: Vec::new(),
        as_uid: None,
        request_timeout: None,
    }
}

/// The run succeeded.
#[track_caller]
pub fn done(output: Output) -> Output {
    assert!(output.status.success(), "{}", shown(&output));
    output
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Past the test harness, which keeps what a passing test prints.
pub fn say(line: String) {
    let _ = std::io::stderr().write_all(format!("crash matrix: {line}\n").as_bytes());
}

fn trace(strategy: &str, args: &[&str], what: &str, began: Instant) {
    println!("{strategy} {} {what} {:.2} s", args[0], began.elapsed().as_secs_f64());
}
