//! The script's hooks when they fail or veto, and those that are told of a way back.
use super::support::{Bench, Run, Setting};
use pgmigrate::lab::{
    api::request::RequestInfo,
    faults::{Moment, Runner},
};
use std::sync::atomic::Ordering;

/// A hook fails for as long as an account of its name exists: the script itself must not change once a migration began.
const TROUBLE: &str = r#"
fn asked_for(side, hook) { sql(side, "select count(*)::int as n from accounts where username = $1", [hook])[0].n > 0 }
fn trouble(side, hook) {
    if asked_for(side, hook) { throw `boom in ${hook}`; }
    if asked_for(side, "no_" + hook) { refuse(`not tonight in ${hook}`); }
}
fn before_cutover(m) { trouble("source", "before_cutover"); }
fn stop_apps(m) { trouble("source", "stop_apps"); }
fn before_promote(m) { trouble("target", "before_promote"); }
fn after_promote(m) { trouble("target", "after_promote"); }
fn start_apps(m) { trouble("target", "start_apps"); }
fn health(m) { trouble("target", "health"); }
fn verify(m) { trouble("target", "verify"); }
fn on_failure(m, error) {
    log("told: " + (error == m.error) + ": " + error);
    annotate("deployment/mastodon-web", "lab/told", m.error);
    trouble("source", "on_failure");
}
fn on_rollback(m) { log("told of a rollback"); annotate("deployment/mastodon-web", "lab/rolled-back", "yes"); }
fn finalize(m) { trouble("target", "finalize"); }
"#;

fn trouble(hook: &str) -> String {
    format!("INSERT INTO accounts (username) VALUES ('{hook}')")
}

fn calm(hook: &str) -> String {
    format!("DELETE FROM accounts WHERE username = '{hook}'")
}

fn told(bench: &Bench) -> String {
    annotation(bench, "lab/told")
}

fn annotation(bench: &Bench, key: &str) -> String {
    let web = bench.object("deployments.apps", "mastodon-web");
    web["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned()
}

/// A hook stands in the way: the app is on the source again, and the script was told why.
async fn taken_back(bench: &Bench, account: &str, hook: &str) -> Run {
    bench.at_source(&trouble(account)).await;
    let (code, why) = if account.starts_with("no_") { (3, "not tonight in") } else { (1, "boom in") };
    let why = format!("{why} {hook}");
    let failed = bench.cutover().await.code(code).says(&why).says("back on the source").says("told: true: ");
    assert!(told(bench).contains(&why), "{}", told(bench));
    bench.on_source().await;
    assert_eq!(bench.at_target("SELECT pg_is_in_recovery()").await, "t");
    bench.at_source(&calm(account)).await;
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_fails_or_vetoes_before_the_point_of_no_return() {
    let Some(bench) = Bench::up(Setting::default().own_script(TROUBLE)).await else { return };
    let _ = bench.prepare().await;
    for hook in ["before_cutover", "stop_apps", "before_promote"] {
        let _ = taken_back(&bench, hook, hook).await;
        let _ = taken_back(&bench, &format!("no_{hook}"), hook).await;
    }
    // What is told and fails itself hides nothing.
    bench.at_source(&trouble("on_failure")).await;
    let failed = taken_back(&bench, "stop_apps", "stop_apps").await;
    let last = failed.stderr.rfind("error:").expect("an error");
    assert!(failed.stderr[last..].contains("boom in stop_apps"), "{failed}");
    let failed = failed.says("on_failure of the script failed").says("boom in on_failure");
    let _ = failed.never_says("told of a rollback");
    // An edit between is told; the way back is open all the same.
    bench.files(&Setting::default());
    let _ = bench.cutover().await.code(5).says("script (was");
    let _ = bench.run("rollback mastodon --remove-target --accept-changes").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
    bench.end().await;
}

/// Runs a cutover that is killed at the journal's first write with this entry of this step.
async fn killed(bench: &Bench, moment: Moment, entry: &str, step: &str) {
    let runner = Runner::default();
    let (entry, step) = (format!("\"entry\":\"{entry}\""), format!("\"step\":\"{step}\""));
    // Only the newest line: the ones before it are of earlier cutovers.
    let matching = move |request: &RequestInfo| {
        let text = request.body.as_ref().and_then(|body| body["data"]["entries"].as_str()).unwrap_or_default();
        text.lines().last().is_some_and(|line| line.contains(&entry) && line.contains(&step))
    };
    let fired = bench.lab.faults.kill_runner(&runner, moment, Box::new(matching));
    let cutover = bench.spawn("cutover mastodon --accept-one-way mastodon");
    runner.is(cutover.pid);
    let run = cutover.wait().await;
    assert!(run.code.is_none() && fired.load(Ordering::SeqCst) == 1, "not killed: {run}");
    bench.lab.faults.clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_told_of_a_way_back_also_after_kill_9() {
    let Some(bench) = Bench::up(Setting::default().own_script(TROUBLE)).await else { return };
    let rolled_back = |bench: &Bench| annotation(bench, "lab/rolled-back");
    let _ = bench.prepare().await;
    // Lost with the source stopped: who asks for the way back is the one whom `on_rollback` follows.
    killed(&bench, Moment::After, "started", "prove-caught-up").await;
    assert_eq!(rolled_back(&bench), "");
    // In the window there is nothing to prepare: the target must not become what it was before.
    let late = bench.run("prepare mastodon").await.code(4).says("its cutover has begun");
    assert!(late.stderr.ends_with("\nkubectl pgmigrate resume mastodon\n"), "{late}");
    let back = bench.run("rollback mastodon").await.code(0).says("told of a rollback");
    let _ = back.never_says("told: ");
    assert_eq!((rolled_back(&bench), told(&bench)), ("yes".into(), String::new()));
    bench.on_source().await;
    // Lost on the way back by itself, before and after what on_failure does: whoever finishes it tells the script again.
    bench.at_source(&trouble("stop_apps")).await;
    killed(&bench, Moment::After, "script-intent", "script-on-failure").await;
    assert_eq!(told(&bench), "", "only the intent was written");
    let _ = bench.run("resume mastodon").await.code(0).says("told: true: ");
    assert!(told(&bench).contains("boom in stop_apps"), "{}", told(&bench));
    bench.on_source().await;
    bench.change("deployments.apps", "mastodon-web", |web| {
        web["metadata"]["annotations"].as_object_mut().expect("annotations").retain(|key, _| !key.starts_with("lab/"));
    });
    killed(&bench, Moment::Before, "script-done", "script-on-failure").await;
    assert!(told(&bench).contains("boom in stop_apps"), "it was done: {}", told(&bench));
    let _ = bench.run("rollback mastodon").await.code(0).says("told of a rollback");
    assert_eq!(rolled_back(&bench), "yes");
    bench.on_source().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_fails_beyond_the_point_of_no_return() {
    let Some(bench) = Bench::up(Setting::default().own_script(TROUBLE)).await else { return };
    let _ = bench.prepare().await;
    let hooks = ["after_promote", "start_apps", "health", "verify"];
    for hook in hooks.iter().chain(&["finalize"]) {
        bench.at_source(&trouble(hook)).await;
    }
    for (number, hook) in hooks.iter().enumerate() {
        let failed = if number == 0 { bench.cutover().await } else { bench.run("resume mastodon").await };
        let failed = failed.code(4).says(&format!("boom in {hook}")).says("resume mastodon");
        let _ = failed.never_says("told: ");
        bench.at_target(&calm(hook)).await;
    }
    let _ = bench.run("resume mastodon").await.code(0);
    bench.on_target().await;
    let finalize = "finalize mastodon --accept-one-way mastodon";
    let _ = bench.run(finalize).await.code(4).says("boom in finalize");
    bench.at_target(&calm("finalize")).await;
    let _ = bench.run(finalize).await.code(0);
    bench.on_target().await;
    bench.end().await;
}

/// In `dump` the script compares while there is a way back.
#[tokio::test(flavor = "multi_thread")]
async fn dump_is_taken_back_by_the_script() {
    let Some(bench) = Bench::up(Setting::dump().own_script(TROUBLE)).await else { return };
    let _ = bench.prepare().await;
    for hook in ["verify", "no_before_promote", "after_promote"] {
        bench.at_source(&trouble(hook)).await;
        let failed = bench.cutover().await.says(hook.trim_start_matches("no_")).says("back on the source");
        assert!(matches!(failed.code, Some(1 | 3)), "{failed}");
        bench.on_source().await;
        bench.at_source(&calm(hook)).await;
    }
    bench.at_source(&trouble("health")).await;
    let _ = bench.cutover().await.code(4).says("boom in health");
    bench.at_target(&calm("health")).await;
    let _ = bench.run("resume mastodon").await.code(0);
    bench.on_target().await;
    bench.end().await;
}

/// Of a Zalando cluster that nobody has begun to move.
const LOOKS: &str = r#"
fn verify(m) {
    check("one", sql("source", "select 1 as n")[0].n == 1);
    compare("accounts", "select count(*) as n from accounts");
}
fn health(m) { check("two", sql("source", "select 1 as n")[0].n == 2, "it is one"); }
fn preflight(m) { check("rows", sql("source", "select count(*) as n from accounts")[0].n > 0); }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_while_nothing_is_being_migrated() {
    let Some(bench) = Bench::up(Setting::default().own_script(LOOKS)).await else { return };
    let looked = bench.run("script run mastodon verify -o json").await.code(3).json();
    let verdicts = |n: usize| (looked["script"][n]["verdict"].clone(), looked["script"][n]["code"].clone());
    assert_eq!(verdicts(0), ("pass".into(), "equal".into()), "{looked}");
    assert_eq!(verdicts(1), ("inconclusive".into(), "script-unknown".into()), "{looked}");
    let _ = bench.run("script run mastodon verify").await.code(3).says("RESULT").says("INCONCLUSIVE   -");
    let _ = bench.run("script run mastodon health").await.code(3).says("FAIL").says("it is one");
    let _ = bench.run("script run mastodon preflight").await.code(0).says("PASS");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.end().await;
}
