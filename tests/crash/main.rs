//! The crash matrix: the runner is killed at every step, before and after its effect, and the migration survives it.
//!
//! Points come from the product's own plan, so a new step is covered as soon as it is in one. Chains share a lab: the
//! migration that was cut at one point is the one that is cut at the next.
mod bench;
mod kill;
mod look;

use bench::{Bench, done, say};
use kill::{Cut, Point};
use look::{Shape, agree};
use pgmigrate::patroni;
use std::time::Instant;

const CUTOVER: &[&str] = &["cutover", "mastodon", "--accept-one-way", "mastodon"];
const PREPARE: &[&str] = &["prepare", "mastodon"];
const FINALIZE: &[&str] = &["finalize", "mastodon", "--accept-one-way", "mastodon"];
const RESUME: &[&str] = &["resume", "mastodon"];
const ROLLBACK: &[&str] = &["rollback", "mastodon"];
const REMOVE: &[&str] = &["rollback", "mastodon", "--remove-target"];

/// Every step of a phase: before its effect, within it (where it changes anything), after it.
fn points(steps: &[bench::PlanStep]) -> Vec<Point> {
    let of = |step: &bench::PlanStep| {
        let inside: &[Cut] = match step.hazard.as_str() {
            "read-only" => &[],
            _ if step.id.starts_with("script-") => &[Cut::Called, Cut::Made],
            _ => &[Cut::Inside(1), Cut::Inside(2)],
        };
        let cuts = [&[Cut::Started], inside, &[Cut::Applied]].concat();
        cuts.into_iter().map(|cut| Point { step: step.id.clone(), cut }).collect::<Vec<_>>()
    };
    steps.iter().flat_map(of).collect()
}

/// One migration, cut at every point in turn and resumed each time.
async fn resumed(strategy: &str) {
    let began = Instant::now();
    let Some(bench) = Bench::up(strategy).await else { return };
    let plan = bench.plan().await;
    let mut count = 0;
    let phases = [
        ("prepare", &plan.prepare, PREPARE),
        ("cutover", &plan.cutover, CUTOVER),
        ("finalize", &plan.finalize, FINALIZE),
    ];
    for (phase, steps, verb) in phases {
        for (number, point) in points(steps).iter().enumerate() {
            // A step that was so already, or did all in the one call: its points are used up.
            if bench.says("found", "step", &point.step) || bench.says("done", "step", &point.step) {
                continue;
            }
            // The phase's own verb goes on as `resume` does.
            let args = if number == 0 || (verb == PREPARE && number % 2 == 0) { verb } else { RESUME };
            bench.killed(args, point).await;
            count += 1;
        }
        if !bench.says("phase-ended", "phase", phase) {
            done(bench.run(RESUME).await);
        }
    }
    bench.writes().await;
    let shape = bench.look(Shape::Alike).await;
    assert_ne!(shape["configmaps/mastodon-database"]["data"]["DB_HOST"], "mastodon-postgresql", "on the target");
    bench.nothing_lost().await;
    agree(strategy, shape);
    say(format!("{strategy}: killed at {count} points and resumed, in {:.0} s", began.elapsed().as_secs_f64()));
    bench.down().await;
}

/// Cutovers, each cut at another point before the point of no return and taken back; at the end one that is left alone.
async fn rolled_back(strategy: &str) {
    let began = Instant::now();
    let Some(bench) = Bench::up(strategy).await else { return };
    let plan = bench.plan().await;
    done(bench.run(PREPARE).await);
    let before = bench.look(Shape::Exact).await;
    let way_back = points(plan.before_one_way());
    for point in &way_back {
        bench.killed(CUTOVER, point).await;
        done(bench.run(ROLLBACK).await);
        bench.is_as(&before, point).await;
        bench.writes().await;
    }
    bench.nothing_lost().await;
    done(bench.run(CUTOVER).await);
    done(bench.run(FINALIZE).await);
    bench.writes().await;
    bench.nothing_lost().await;
    agree(strategy, bench.look(Shape::Alike).await);
    let (count, took) = (way_back.len(), began.elapsed().as_secs_f64());
    say(format!("{strategy}: cutover killed at {count} points and rolled back, in {took:.0} s"));
    bench.down().await;
}

/// Preparations, each cut at another point and removed without a trace.
async fn removed(strategy: &str) {
    let began = Instant::now();
    let Some(bench) = Bench::up(strategy).await else { return };
    let plan = bench.plan().await;
    let before = bench.look(Shape::Exact).await;
    let all = points(&plan.prepare);
    for point in &all {
        bench.killed(PREPARE, point).await;
        done(bench.run(REMOVE).await);
        bench.is_as(&before, point).await;
        bench.nothing_left(point).await;
    }
    bench.writes().await;
    bench.nothing_lost().await;
    let (count, took) = (all.len(), began.elapsed().as_secs_f64());
    say(format!("{strategy}: prepare killed at {count} points and removed, in {took:.0} s"));
    bench.down().await;
}

/// The script vetoes the promotion, and the runner is lost on its own way back, at every step of it.
async fn restore_cut(strategy: &str) {
    let began = Instant::now();
    let Some(bench) = Bench::up(strategy).await else { return };
    bench.add_to_script("fn before_promote(m) { refuse(\"not tonight\"); }");
    let plan = bench.plan().await;
    done(bench.run(PREPARE).await);
    let before = bench.look(Shape::Exact).await;
    let undone = plan.undone_before("script-before-promote");
    let cut = |id: &String| [Cut::Undoing, Cut::Undone].map(|cut| Point { step: id.clone(), cut });
    let all: Vec<Point> = undone.iter().flat_map(cut).collect();
    for (number, point) in all.iter().enumerate() {
        bench.killed(CUTOVER, point).await;
        done(bench.run(if number % 2 == 0 { ROLLBACK } else { RESUME }).await);
        bench.is_as(&before, point).await;
        bench.writes().await;
    }
    bench.nothing_lost().await;
    let (count, took) = (all.len(), began.elapsed().as_secs_f64());
    say(format!("{strategy}: automatic restore killed at {count} points and finished, in {took:.0} s"));
    bench.down().await;
}

/// The runner is lost with the proof in the journal and the promotion not made. Meanwhile somebody starts the source and an
/// app, and rows are written: what was proved holds no more, so it is done and proved anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_world_changed_meanwhile() {
    let Some(bench) = Bench::up("replica").await else { return };
    done(bench.run(PREPARE).await);
    bench.killed(CUTOVER, &Point { step: "promote".into(), cut: Cut::Started }).await;
    patroni::restart(&bench.kube, look::LEADER).await.expect("the source runs");
    bench.source("CREATE ROLE written_meanwhile").await;
    let scaled = |app: &mut serde_json::Value| app["spec"]["replicas"] = 1.into();
    bench.lab.store.update("deployments.apps", "mastodon", "mastodon-web", scaled).expect("an app");
    bench.writes().await;
    done(bench.run(RESUME).await);
    bench.writes().await;
    bench.nothing_lost().await;
    let there = "SELECT count(*) FROM pg_roles WHERE rolname = 'written_meanwhile'";
    assert_eq!(bench.ask("database-cnpg-1", there).await.trim(), "1", "the target has what was written meanwhile");
    bench.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_resumed() {
    resumed("replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_rolled_back() {
    rolled_back("replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_removed() {
    removed("replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_restore_cut() {
    restore_cut("replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_resumed() {
    resumed("dump").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_rolled_back() {
    rolled_back("dump").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_removed() {
    removed("dump").await;
}
