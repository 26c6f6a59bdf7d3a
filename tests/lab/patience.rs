//! Things that last: a shutdown that hangs, an API server that is away when the app is down.
use super::support::{Bench, NAMESPACE, Run, SOURCE_POD, Setting};
use pgmigrate::lab::{
    api::request::RequestInfo,
    faults::{ALWAYS, Moment, on},
};
use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// An idle session at the source, and its backend stopped as by a debugger: no shutdown ends before it goes on.
struct Frozen {
    _session: Child,
    backend: i32,
}

impl Frozen {
    async fn new(bench: &Bench) -> Frozen {
        let sandbox = bench.lab.node.sandbox(NAMESPACE, SOURCE_POD).expect("the source's pod");
        let mut psql = Command::new("psql");
        psql.args(["-XAtq", "-d", "postgres"]).env_clear().envs(&sandbox.env).env("PGAPPNAME", "frozen");
        if let Some((uid, gid)) = sandbox.user {
            psql.uid(uid).gid(gid);
        }
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let session = psql.current_dir(&sandbox.dir).spawn().expect("psql runs");
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let pid = bench.at_source("SELECT pid FROM pg_stat_activity WHERE application_name = 'frozen'").await;
            if let Ok(backend) = pid.parse() {
                signal(backend, libc::SIGSTOP);
                return Frozen { _session: session, backend };
            }
            assert!(Instant::now() < end, "no session");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn goes_on(&self) {
        signal(self.backend, libc::SIGCONT);
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.goes_on();
    }
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: kill has no preconditions; the process is a backend of this test's own server.
    unsafe { libc::kill(pid, signal) };
}

fn patroni_said(bench: &Bench, text: &str) -> bool {
    let sandbox = bench.lab.node.sandbox(NAMESPACE, SOURCE_POD).expect("the source's pod");
    sandbox.logs.values().any(|log| std::fs::read_to_string(log).unwrap_or_default().contains(text))
}

async fn until(what: &str, probe: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !probe() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_that_outlives_its_runner_ends_before_the_way_back_starts_the_source() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let frozen = Frozen::new(&bench).await;
    let sandbox = bench.lab.node.sandbox(NAMESPACE, SOURCE_POD).expect("the source's pod");
    let pid_file = std::path::Path::new(&sandbox.env["PGDATA"]).join("postmaster.pid");
    let stopping = || {
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        text.lines().nth(7).is_some_and(|word| word.trim() == "stopping")
    };
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    until("the source is shutting down", &stopping).await;
    cutover.signal(libc::SIGKILL);
    let _ = cutover.wait().await;
    // The looks of the way back, each a command in the pod, or its start of the server.
    let looks =
        || bench.lab.server.counts().iter().filter(|(what, _)| what.contains("pods/exec")).map(|(_, n)| n).sum::<u64>();
    let before = looks();
    let rollback = bench.spawn("rollback mastodon");
    let started = || patroni_said(&bench, "restart initiated");
    until("the way back looks at the source", || looks() > before || started() || rollback.ended()).await;
    assert!(stopping() && !started() && !rollback.ended(), "started while it was being stopped");
    frozen.goes_on();
    let _ = rollback.wait().await.code(0);
    assert!(started());
    bench.on_source().await;
    // And forwards: what was begun is waited for, then proved.
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}

/// A cutover whose API server is away, for longer than the lock is believed, from the journal's word on that this step is
/// done. That write is made, as it happens; its answer is lost.
async fn away_after(bench: &Bench, step: &str) -> Run {
    let away = Arc::new(AtomicBool::new(false));
    let (journal, begins) = (on("update", "configmaps", "pgmigrate-mastodon"), away.clone());
    let entry = format!(r#""entry":"done","step":"{step}""#);
    let written = move |request: &RequestInfo| {
        let text = request.body.as_ref().and_then(|body| body["data"]["entries"].as_str()).unwrap_or_default();
        let done = text.lines().any(|line| line.contains(&entry));
        journal(request) && done && !begins.swap(true, Ordering::SeqCst)
    };
    bench.lab.faults.lose(Moment::After, Box::new(written), 1);
    let gone = away.clone();
    let fired = bench.lab.faults.lose(Moment::Before, Box::new(move |_| gone.load(Ordering::SeqCst)), ALWAYS);
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    until("the step is in the journal as done", || away.load(Ordering::SeqCst)).await;
    // The lock is believed for 10 s, and the journal's own retries end before.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(fired.load(Ordering::SeqCst) > 5 && !cutover.ended(), "it goes on trying");
    bench.lab.faults.clear();
    cutover.wait().await
}

/// The journal cannot be written, the lock cannot be renewed, and only this run can bring the app up.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_past_the_point_of_no_return_is_waited_for() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let _ = away_after(&bench, "promote").await.code(0).says("outage");
    let entries = bench.journal();
    assert_eq!(entries.matches(r#""entry":"done","step":"promote""#).count(), 1, "{entries}");
    bench.on_target().await;
    bench.end().await;
}

/// Before that, the way back is waited for: the lock is held again first, and the app is up when the runner ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_in_the_window_leaves_no_app_down() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let _ = away_after(&bench, "fence-source").await.code(1).says("the app is back on the source");
    bench.on_source().await;
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}
