//! The outage as a client sees it, three ways, interleaved: `make bench-outage`.
//!
//! A writer in the cluster commits a row every 10 ms through the Service that the app uses; its own book gives the longest
//! gap. `tool` is `cutover`, `hand` is `hand.sh` on a target prepared in the same way, both with all of Mastodon's workloads
//! to stop and start. `floor` is PostgreSQL alone, without Kubernetes and without an app. RUNS (3) of each.
mod floor;
#[path = "../../tests/pair/mod.rs"]
mod pair;
#[path = "../../tests/e2e/support.rs"]
mod support;

use std::{process::Command, time::Duration};
use support::{Bench, Setting};

#[tokio::main]
async fn main() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let (mut tool, mut hand, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    println!("{:<6} {:>9} {:>9} {:>9}", "run", "floor", "tool", "hand");
    for run in 1..=runs {
        let Some(gap) = floor::gap().await else { return eprintln!("skipped: no PostgreSQL is installed here") };
        floor.push(gap);
        let Some(bench) = prepared().await else { return };
        tool.push(by_tool(bench).await);
        let Some(bench) = prepared().await else { return };
        hand.push(by_hand(bench).await);
        let last = |samples: &[Duration]| samples.last().map_or(0.0, Duration::as_secs_f64);
        println!("{run:<6} {:>7.2} s {:>7.2} s {:>7.2} s", last(&floor), last(&tool), last(&hand));
    }
    let (floor, tool, hand) = (median(floor), median(tool), median(hand));
    println!("{:<6} {floor:>7.2} s {tool:>7.2} s {hand:>7.2} s", "median");
    println!("tool/hand {:.2}, over floor {:.1} s", tool / hand, tool - floor);
}

/// Mastodon on a Zalando cluster, and a target that streams. None: no cluster was named.
async fn prepared() -> Option<Bench> {
    let direct = [
        ("      pooler: {name: database-cnpg-pooler-rw, instances: 2}\n", ""),
        ("${target.pooler.host}", "${target.host}"),
    ];
    let bench = Bench::up(Setting::edited(&direct)).await?;
    let _ = bench.prepare().await;
    bench.app_writes().await;
    bench.mark();
    Some(bench)
}

async fn by_tool(bench: Bench) -> Duration {
    let _ = bench.cutover().await.code(0);
    bench.on_target().await;
    let gap = bench.longest_gap();
    println!("{}", bench.run("report mastodon").await.code(0).stdout);
    bench.end().await;
    gap
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

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort();
    samples[samples.len() / 2].as_secs_f64()
}
