//! Port-forwards that break: what was asked for is done and nobody learns of it, or a kept session is gone when it is needed.
use super::support::{Bench, NAMESPACE, SOURCE_POD, Setting, TARGET_POD};
use pgmigrate::lab::{
    api::request::RequestInfo,
    faults::{Fired, Matching, Moment},
};
use std::sync::{Arc, atomic::AtomicU32, atomic::Ordering};

/// The answer to one request to Patroni gets lost, once it has done what was asked.
fn lose_patroni(bench: &Bench, line: &'static str) -> Fired {
    let asked: Matching = Box::new(move |request| {
        let said = request.body.as_ref().and_then(|said| said.as_str()).unwrap_or_default();
        request.subresource.as_deref() == Some("portforward") && said.starts_with(line)
    });
    bench.lab.faults.lose(Moment::After, asked, 1)
}

fn paused(bench: &Bench) -> bool {
    let config = bench.object("endpoints", "mastodon-postgresql-config");
    config["metadata"]["annotations"]["config"].as_str().expect("a configuration").contains("\"pause\":true")
}

/// Pause and restart are made all the same: the way back finds them so, and takes them back.
#[tokio::test(flavor = "multi_thread")]
async fn patroni_did_it_and_the_answer_is_lost() {
    let veto = "fn before_promote(m) { if m.name != \"\" { refuse(\"not tonight\"); } }";
    let Some(bench) = Bench::up(Setting::default().own_script(veto)).await else { return };
    let _ = bench.prepare().await;
    let pause = lose_patroni(&bench, "PATCH /config");
    let failed = bench.cutover().await.code(1).says("PATCH /config").says("back on the source");
    assert_eq!(pause.load(Ordering::SeqCst), 1, "{failed}");
    assert!(!paused(&bench), "what was made without an answer is taken back");
    bench.on_source().await;
    let restart = lose_patroni(&bench, "POST /restart");
    let failed = bench.cutover().await.code(3).says("not tonight").says("back on the source");
    assert_eq!(restart.load(Ordering::SeqCst), 1, "{failed}");
    assert!(!paused(&bench));
    bench.on_source().await;
    bench.end().await;
}

/// The streams into both pods are cut at one write of the journal.
fn cut_at(bench: &Bench, moment: Moment, entry: &str, step: &str) -> Fired {
    let entry = format!("\"entry\":\"{entry}\",\"step\":\"{step}\"");
    let (node, cuts) = (bench.lab.node.clone(), Arc::new(AtomicU32::new(0)));
    let fired = cuts.clone();
    let matching = move |request: &RequestInfo| {
        let text = request.body.as_ref().and_then(|body| body["data"]["entries"].as_str()).unwrap_or_default();
        if text.lines().any(|line| line.contains(&entry)) && cuts.swap(1, Ordering::SeqCst) == 0 {
            node.cut(NAMESPACE, SOURCE_POD);
            node.cut(NAMESPACE, TARGET_POD);
        }
        false
    };
    bench.lab.faults.lose(moment, Box::new(matching), 1);
    fired
}

/// The sessions that are kept for the window are gone before the change that they are for, and right after it.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_cut_before_and_after_each_change() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let _ = bench.prepare().await;
    let mut cuts = Vec::new();
    for step in ["fence-source", "promote"] {
        cuts.push(cut_at(&bench, Moment::After, "started", step));
        cuts.push(cut_at(&bench, Moment::Before, "done", step));
    }
    let run = bench.cutover().await.code(0);
    let struck: Vec<u32> = cuts.iter().map(|cut| cut.load(Ordering::SeqCst)).collect();
    assert_eq!(struck, [1, 1, 1, 1], "{run}");
    bench.on_target().await;
    bench.end().await;
}
