//! The outage as a client sees it, three ways, interleaved: `make bench-outage`.
//!
//! A writer in the cluster commits a row every 10 ms through the Service that the app uses; its own book gives the longest
//! gap. `tool` is `cutover`, `hand` is `hand.sh` on a target prepared in the same way, both with all of Mastodon's workloads
//! to stop and start. `client` is `cutover` with an app that needs no start: it stays, and goes to where its ConfigMap says
//! as soon as that has been switched. `floor` is PostgreSQL alone, without Kubernetes and without an app. RUNS (3) of each.
mod floor;
#[path = "../../tests/pair/mod.rs"]
mod pair;
#[path = "../../tests/e2e/support.rs"]
mod support;

use std::{path::PathBuf, process::Command, time::Duration};
use support::{Bench, Setting};

#[tokio::main]
async fn main() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let (mut tool, mut hand, mut client, mut floor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    println!("{:<6} {:>9} {:>9} {:>9} {:>9}", "run", "floor", "client", "tool", "hand");
    for run in 1..=runs {
        let Some(gap) = floor::gap().await else { return eprintln!("skipped: no PostgreSQL is installed here") };
        floor.push(gap);
        let Some(bench) = prepared(&[]).await else { return };
        tool.push(by_tool(bench).await);
        let Some(bench) = prepared(&[]).await else { return };
        hand.push(by_hand(bench).await);
        let Some(bench) = prepared(&[(APPS, "")]).await else { return };
        client.push(cut_over(bench).await);
        let last = |samples: &[Duration]| samples.last().map_or(0.0, Duration::as_secs_f64);
        let (floor, client, tool, hand) = (last(&floor), last(&client), last(&tool), last(&hand));
        println!("{run:<6} {floor:>7.2} s {client:>7.2} s {tool:>7.2} s {hand:>7.2} s");
    }
    let (floor, client, tool, hand) = (median(floor), median(client), median(tool), median(hand));
    println!("{:<6} {floor:>7.2} s {client:>7.2} s {tool:>7.2} s {hand:>7.2} s", "median");
    println!("tool's last run by step, as a picture: {}", picture().display());
    println!("tool/hand {:.2}, over floor {:.1} s", tool / hand, tool - floor);
}

/// The example's workloads.
const APPS: &str = "  - {workload: deployment/mastodon-sidekiq-scheduler}
  - {workload: deployment/mastodon-sidekiq-background}
  - {workload: deployment/mastodon-sidekiq-federation}
  - {workload: deployment/mastodon-sidekiq-default, startAfter: ready}
  - {workload: deployment/mastodon-streaming, startAfter: ready}
  - {workload: deployment/mastodon-web}
";

/// Mastodon on a Zalando cluster, and a target that streams. None: no cluster was named.
async fn prepared(edits: &[(&'static str, &'static str)]) -> Option<Bench> {
    let direct = [
        ("      pooler: {name: database-cnpg-pooler-rw, instances: 2}\n", ""),
        ("${target.pooler.host}", "${target.host}"),
    ];
    let bench = Bench::up(Setting::edited(&[&direct, edits].concat())).await?;
    if !edits.is_empty() {
        only_one_that_follows(&bench).await;
    }
    let _ = bench.prepare().await;
    bench.app_writes().await;
    bench.mark();
    Some(bench)
}

async fn by_tool(bench: Bench) -> Duration {
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    let _ = bench.run(&format!("report mastodon --html {}", picture().display())).await.code(0);
    measured(bench).await
}

/// The app writes on, wherever it was sent.
async fn cut_over(bench: Bench) -> Duration {
    let _ = bench.cutover().await.code(0);
    bench.app_writes().await;
    measured(bench).await
}

async fn measured(bench: Bench) -> Duration {
    let gap = bench.longest_gap();
    println!("{}", bench.run("report mastodon").await.code(0).stdout);
    bench.end().await;
    gap
}

/// Of all workloads one is left, which asks the API where to connect each time that it does.
async fn only_one_that_follows(bench: &Bench) {
    let account = format!("--serviceaccount={}:default", bench.namespace);
    let follow = format!("FOLLOW={}", bench.namespace);
    for words in [
        &["create", "role", "follow", "--verb=get", "--resource=configmaps"][..],
        &["create", "rolebinding", "follow", "--role=follow", &account],
        &["scale", "deployment", "--all", "--replicas=0"],
        &["set", "env", "deployment/mastodon-web", &follow],
        &["scale", "deployment/mastodon-web", "deployment/mastodon-book", "--replicas=1"],
        &["rollout", "status", "deployment/mastodon-web"],
        &["rollout", "status", "deployment/mastodon-book"],
    ] {
        bench.kubectl(words, "").expect("done");
    }
}

async fn by_hand(bench: Bench) -> Duration {
    let mut script = Command::new("sh");
    script.args(["-c", include_str!("hand.sh")]).env("KUBECONFIG", bench.kubeconfig());
    let output = script.env("NAMESPACE", &bench.namespace).output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
    bench.on_target().await;
    let gap = bench.longest_gap();
    bench.end().await;
    gap
}

/// The split by step of `tool`'s last run, drawn.
fn picture() -> PathBuf {
    std::path::absolute("target/outage.html").expect("a directory to work in")
}

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort();
    samples[samples.len() / 2].as_secs_f64()
}
