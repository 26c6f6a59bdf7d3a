//! kill -9 of the runner at every step of a real migration, and both ways on from there.
use super::support::{Bench, LIMIT, Setting};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

const CUTOVER: &str = "cutover mastodon --accept-one-way mastodon";
const RESUME: &str = "resume mastodon --accept-one-way mastodon";

/// The journal as it grows.
struct Entries {
    lines: Lines<BufReader<ChildStdout>>,
    last: u64,
    _kubectl: Child,
}

impl Entries {
    /// Those that are still to come.
    fn of(bench: &Bench) -> Entries {
        let words = ["get", "configmaps", "-l", "pgmigrate.dev/journal", "-o"];
        let before =
            bench.kubectl(&[&words[..], &["jsonpath={.items[*].data.entries}"]].concat(), "").expect("an answer");
        let last = before.lines().filter_map(seq).max().unwrap_or_default();
        let mut kubectl = bench.watch(&[&words[..], &["jsonpath={.data.entries}", "-w"]].concat());
        Entries { lines: BufReader::new(kubectl.stdout.take().expect("piped")).lines(), last, _kubectl: kubectl }
    }

    async fn next(&mut self) -> Value {
        loop {
            let line = tokio::time::timeout(LIMIT, self.lines.next_line()).await.expect("the journal grows");
            let line = line.expect("kubectl answers").expect("it watches on");
            // With each change come all entries again.
            if seq(&line) > Some(self.last) {
                self.last = seq(&line).unwrap_or_default();
                return serde_json::from_str(&line).expect("an entry");
            }
        }
    }

    /// Kills the runner as soon as the journal has its intent for one of these steps, which is struck from them. False:
    /// the phase has come to its end.
    async fn kill(&mut self, bench: &Bench, line: &str, phase: &str, steps: &mut BTreeSet<String>) -> bool {
        let runner = bench.spawn(line);
        loop {
            let entry = self.next().await;
            match entry["entry"].as_str() {
                Some("started") if steps.remove(entry["step"].as_str().unwrap_or_default()) => {
                    runner.signal(libc::SIGKILL);
                    let run = runner.wait().await;
                    let over = bench.journal().contains(&format!(r#""phase-ended","phase":"{phase}""#));
                    assert!(run.code.is_none() || over, "killed at {}: {run}", entry["step"]);
                    return !over;
                }
                Some("phase-ended") if entry["phase"] == phase => {
                    let _ = runner.wait().await.code(0);
                    return false;
                }
                Some("failed") => panic!("{}", runner.wait().await),
                _ => {}
            }
        }
    }
}

fn seq(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?["seq"].as_u64()
}

/// One migration whose runner dies at every step of its plan, and is resumed each time.
#[tokio::test(flavor = "multi_thread")]
async fn resumed_at_every_step() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let plan = bench.run("plan mastodon -o json").await.code(0).json();
    let steps = |phase: usize| -> BTreeSet<String> {
        let steps = plan["phases"][phase]["steps"].as_array().into_iter().flatten();
        steps.map(|step| step["id"].as_str().expect("an id").to_owned()).collect()
    };
    let (mut prepare, mut cutover) = (steps(0), steps(1));
    let all = prepare.len() + cutover.len();
    let mut journal = Entries::of(&bench);
    while journal.kill(&bench, "prepare mastodon", "prepare", &mut prepare).await {}
    bench.on_source().await;
    bench.mark();
    let mut line = CUTOVER;
    while journal.kill(&bench, line, "cutover", &mut cutover).await {
        line = RESUME;
    }
    bench.on_target().await;
    bench.longest_gap();
    // What was so already was not begun.
    let entries = bench.journal();
    for step in prepare.iter().chain(&cutover) {
        assert!(entries.contains(&format!(r#""found","step":"{step}""#)), "never killed at {step}");
    }
    eprintln!("  killed at {} of {all} steps", all - prepare.len() - cutover.len());
    bench.end().await;
}

/// The way back from three places before the point of no return, then the migration itself.
#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_from_three_places() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let mut journal = Entries::of(&bench);
    for step in ["stop-apps", "fence-source", "prove-caught-up"] {
        assert!(journal.kill(&bench, CUTOVER, "cutover", &mut BTreeSet::from([step.into()])).await);
        let _ = bench.run("rollback mastodon").await.code(0);
        bench.on_source().await;
    }
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    bench.end().await;
}
