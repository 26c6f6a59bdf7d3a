//! The script engine: limits end what does not end by itself, errors point at the line, the linter knows every call.
//!
//! The host here is the offline one of `script run`: what is tested is the engine.

use pgmigrate::{
    error::{Error, Kind},
    event::{Event, Events},
    script::{self, HookOutcome, Verdict, dry::Dry},
    spec::{self, Script},
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

fn script(text: &str) -> Script {
    Script { name: "test.rhai".into(), text: text.into(), digest: String::new() }
}

async fn run(text: &str, hook: &str) -> Result<Option<HookOutcome>, Error> {
    run_with(text, hook, CancellationToken::new(), Duration::from_secs(60)).await.0
}

async fn run_with(
    text: &str,
    hook: &str,
    cancel: CancellationToken,
    deadline: Duration,
) -> (Result<Option<HookOutcome>, Error>, UnboundedReceiver<Event>) {
    let (sender, receiver) = unbounded_channel();
    let host = Arc::new(Dry::offline(Events::new(sender)));
    let m = json!({"name": "mastodon", "apps": ["deployment/web"], "error": "it broke"});
    (script::run_hook(&script(text), hook, m, host, cancel, deadline).await, receiver)
}

fn logged(mut events: UnboundedReceiver<Event>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Log { text } | Event::Warning { text } = event {
            lines.push(text);
        }
    }
    lines
}

#[tokio::test]
async fn a_hook_gets_its_map_and_gives_verdicts_warnings_and_a_value() {
    let text = r#"
        const LIMIT = 2;
        fn verify(m) {
            check("few apps", m.apps.len() < global::LIMIT, "one");
            check("never", false);
            inconclusive("store", "not looked at");
            warn("careful");
            #{ name: m.name, n: 7 }
        }"#;
    let outcome = run(text, "verify").await.unwrap().unwrap();
    let verdicts: Vec<_> = outcome.verdicts.iter().map(|v| (v.name.as_str(), v.verdict, v.detail.as_str())).collect();
    assert_eq!(
        verdicts,
        [
            ("few apps", Verdict::Pass, "one"),
            ("never", Verdict::Fail, ""),
            ("store", Verdict::Inconclusive, "not looked at")
        ]
    );
    assert_eq!(outcome.verdict(), Verdict::Fail);
    assert_eq!(outcome.warnings, ["careful"]);
    assert_eq!(outcome.value, json!({"name": "mastodon", "n": 7}));
    assert_eq!(run(text, "health").await.unwrap(), None, "a missing hook costs nothing");
    let failure = run("fn on_failure(m, error) { `${error}!` }", "on_failure").await.unwrap().unwrap();
    assert_eq!(failure.value, "it broke!");
}

#[tokio::test]
async fn refuse_is_a_veto_that_no_catch_hides_and_that_comes_in_time() {
    let error = run(r#"fn preflight(m) { try { refuse("not today"); } catch { } }"#, "preflight").await.unwrap_err();
    let veto = script::veto(&error).expect("typed");
    assert_eq!((veto.hook.as_str(), veto.why.as_str(), error.kind), ("preflight", "not today", Kind::Check));
    let error = run(r#"fn after_promote(m) { refuse("too late"); }"#, "after_promote").await.unwrap_err();
    assert!(script::veto(&error).is_none());
    assert!(error.to_string().contains("refuse() comes too late in after_promote()"), "{error}");
}

#[tokio::test]
async fn changing_functions_are_for_changing_hooks_and_only_said_when_dry() {
    let text = r#"
        fn verify(m) { scale("deployment/web", 0); }
        fn stop_apps(m) { scale("deployment/web", 0); wait("deployment/web", "stopped", "1m"); execute("target", "select 1"); }"#;
    let error = run(text, "verify").await.unwrap_err().to_string();
    assert!(
        error.contains(
            "scale() changes things, and verify() only reads; it may be called in: before_cutover, stop_apps,"
        ),
        "{error}"
    );
    let (result, events) = run_with(text, "stop_apps", CancellationToken::new(), Duration::from_secs(60)).await;
    result.unwrap();
    assert_eq!(
        logged(events),
        [
            "would scale deployment/web to 0",
            "would wait up to 1m for deployment/web to be stopped",
            "would run on the target: select 1"
        ]
    );
}

#[tokio::test]
async fn a_side_that_cannot_be_asked_is_inconclusive_and_other_errors_can_be_caught() {
    let outcome =
        run(r#"fn verify(m) { compare("t", "select 1 as n"); compare("u", "select 2 as n"); }"#, "verify").await;
    let verdicts = outcome.unwrap().unwrap().verdicts;
    assert_eq!(verdicts.iter().map(|v| v.verdict).collect::<Vec<_>>(), [Verdict::Inconclusive; 2]);
    assert!(verdicts[0].detail.contains("there is no cluster to ask"), "{verdicts:?}");
    let caught =
        run(r#"fn health(m) { try { sql("source", "select 1"); } catch (e) { return `${e}`; } }"#, "health").await;
    assert_eq!(caught.unwrap().unwrap().value, "there is no cluster to ask: the script runs offline");
}

#[tokio::test]
async fn errors_show_the_line_a_caret_and_the_way_there() {
    let text =
        "fn verify(m) {\n    let n = 1;\n    counts(n);\n}\n\nfn counts(n) {\n    sacle(\"deployment/web\", n);\n}\n";
    let error = run(text, "verify").await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(
        error.to_string(),
        "test.rhai:7:5: unknown function sacle(); did you mean scale()?\n    7 |     sacle(\"deployment/web\", n);\n      |     ^\n      \
         in counts(), called at test.rhai:3:5\n      in verify()"
    );
    let error = run("fn verify(m) {\n\tlet x = m.nmae;\n}", "verify").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "test.rhai:2:12: property not found: nmae\n    2 | \tlet x = m.nmae;\n      | \t          ^\n      in verify()"
    );
    let error = run("fn verify(m) {\n    if {\n}", "verify").await.unwrap_err().to_string();
    assert!(error.starts_with("test.rhai:2:8: ") && error.contains("    2 |     if {"), "{error}");
    let error = run("fn verify(m) { throw #{message: \"odd\", code: 3}; }", "verify").await.unwrap_err().to_string();
    assert!(error.starts_with("test.rhai:1:16: the script throws: odd"), "{error}");
}

#[tokio::test]
async fn what_does_not_end_by_itself_is_ended() {
    for (body, expected) in [
        ("loop { }", "more operations than it may"),
        (r#"let s = "x"; loop { s += s; }"#, "larger than a script may make it"),
        ("let a = []; loop { a.push(a); }", "larger than a script may make it"),
        ("let a = []; a.pad(2000000000, 0);", "larger than a script may make it"),
        ("verify(m);", "call each other too deep"),
    ] {
        let error = run(&format!("fn verify(m) {{ {body} }}"), "verify").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
    // Stored through an index, which rhai's own limits do not see.
    let text = r#"fn verify(m) { let big = ""; big.pad(1000000, 'x'); let kept = #{}; let n = 0; loop { kept[`${n}`] = big + n; n += 1; } }"#;
    let limits = script::Limits { growth: 48 << 20, ..Default::default() };
    let host = Arc::new(Dry::offline(Events::silent()));
    let cancel = CancellationToken::new();
    let text = script(text);
    let bomb = script::run_hook_within(&text, "verify", json!({}), host, cancel, Duration::from_secs(60), limits);
    assert!(bomb.await.unwrap_err().to_string().contains("more memory than it may"));
    for body in [r#"eval("1")"#, r#"import "x" as x;"#] {
        assert!(run(&format!("fn verify(m) {{ {body} }}"), "verify").await.is_err(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_and_a_deadline_end_loops_and_waits_within_200_ms() {
    // Too long to meet the limit on operations first: each iteration is a native sleep or many cheap operations.
    for body in ["loop { sleep(0.001); }", "sleep(3600);", "sleep(\"1h\");", "loop { try { sleep(3600); } catch { } }"]
    {
        let text = format!("fn health(m) {{ {body} }}");
        let cancel = CancellationToken::new();
        let later = cancel.clone();
        let cancelled = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            later.cancel();
            Instant::now()
        });
        let error = run_with(&text, "health", cancel, Duration::from_secs(60)).await.0.unwrap_err();
        let took = cancelled.await.unwrap().elapsed();
        assert_eq!(error.kind, Kind::Interrupted, "{body}: {error}");
        assert!(took < Duration::from_millis(200), "{body}: {took:?}");

        let start = Instant::now();
        let error =
            run_with(&text, "health", CancellationToken::new(), Duration::from_millis(100)).await.0.unwrap_err();
        assert!(error.to_string().contains("longer than it may"), "{body}: {error}");
        assert!(start.elapsed() < Duration::from_millis(400), "{body}: {:?}", start.elapsed());
    }
    a_loop_without_limit_hears_a_cancel_and_a_dropped_run_ends().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = run_with("fn health(m) { loop { } }", "health", cancel, Duration::from_secs(60)).await.0.unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
}

async fn a_loop_without_limit_hears_a_cancel_and_a_dropped_run_ends() {
    let unlimited = script::Limits { operations: 0, ..Default::default() };
    let minute = Duration::from_secs(60);
    let (text, cancel) = (script("fn health(m) { loop { } }"), CancellationToken::new());
    let host = Arc::new(Dry::offline(Events::silent()));
    let later = cancel.clone();
    let run = script::run_hook_within(&text, "health", json!({}), host, cancel, minute, unlimited);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        later.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(run, stop);
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(cancelled.elapsed() < Duration::from_millis(200));

    // A caller that stops waiting: the script's thread lets go of its host soon after.
    let host = Arc::new(Dry::offline(Events::silent()));
    let run =
        script::run_hook_within(&text, "health", json!({}), host.clone(), CancellationToken::new(), minute, unlimited);
    assert!(tokio::time::timeout(Duration::from_millis(100), run).await.is_err());
    let dropped = Instant::now();
    while Arc::strong_count(&host) > 1 {
        assert!(dropped.elapsed() < Duration::from_millis(200), "the script still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn the_linter_finds_what_would_fail_late() {
    for (text, expected) in [
        ("fn verfy(m) {}", "1:13: verfy() is never called; did you mean the hook verify()?"),
        ("fn verify() {}", "1:13: verify() has 0 parameters; it is called as verify(m)"),
        ("fn on_failure(m) {}", "1:18: on_failure() has 1 parameters; it is called as on_failure(m, error)"),
        ("fn stop_apps(m) { sacle(\"deployment/web\", 0); }", "1:19: unknown function sacle(); did you mean scale()?"),
        (
            "fn stop_apps(m) { scale(\"deployment/web\"); }",
            "1:19: scale() takes 2 arguments, not 1: scale(workload, n)",
        ),
        (
            "fn verify(m) { sql(\"sorce\", \"select 1\"); }",
            "1:20: sql(\"sorce\", ..): a side is \"source\" or \"target\", not \"sorce\"",
        ),
        (
            "fn health(m) { ready(\"deploymnt/web\"); }",
            "1:22: ready(\"deploymnt/web\", ..): unknown workload kind \"deploymnt\" in \"deploymnt/web\"; did you mean \"deployment\"?",
        ),
        (
            "fn health(m) { wait(\"pod/x\", \"ready\", \"5 min\"); }",
            "1:39: wait(\"5 min\", ..): \"5 min\" is not a duration: \"\" is not one of d, h, m, s, ms in that order",
        ),
        ("fn verify(m) { scale(\"deployment/web\", 0); }", "1:16: scale() changes things, and verify() only reads"),
        (
            "fn verify(m) { helper(); } fn helper() { if true { [1].map(|x| restart(\"deployment/web\")); } }",
            "1:64: restart() changes things, and verify() (through helper()) only reads",
        ),
        (
            "fn finalize(m) { refuse(\"no\"); }",
            "1:18: refuse() comes too late in finalize(); it can veto in: preflight, before_cutover, stop_apps, before_promote",
        ),
        ("log(\"hello\");", "1:1: only const and fn may stand outside a function"),
        ("import \"x\" as x;", "1:1: import: a script is one file, because its digest is what the journal holds"),
        ("fn verify(m) { m.name.spilt(); }", "1:23: unknown function spilt(); did you mean split()?"),
    ] {
        let problems = script::check(&script(text));
        let found: Vec<String> = problems.iter().map(|p| format!("{}:{}: {}", p.line, p.column, p.what)).collect();
        assert!(found.iter().any(|f| f == expected), "{text}\n{found:#?}\nlacks {expected}");
    }
    let problems = script::check(&script("fn verify(m) {\n    let x = ;\n}"));
    assert!(problems.len() == 1 && problems[0].line == 2 && problems[0].text.contains("^"), "{problems:?}");
}

#[test]
fn the_linter_accepts_what_works() {
    let text = r#"
        // Closures, maps of functions, methods, optional arguments.
        const TABLES = ["a", "b"];
        fn verify(m) {
            let double = |x| x * 2;
            let tools = #{ twice: |x| x + x };
            check("closure", double.call(2) == 4 && tools.twice(3) == 6);
            for table in global::TABLES.filter(|t| t != "a") { compare(table, `select 1 from ${table}`); }
            let words = "a b".split(" ").map(|w| w.to_upper());
            check("words", words.len() == 2, words);
            if type_of(m.name) == "string" && is_def_fn("helper", 1) { helper(m); }
        }
        fn helper(m) { print(m.name); m.apps.own(); }
        fn own() { this.len() }"#;
    let problems = script::check(&script(text));
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_example_of_the_api_passes_the_linter() {
    let functions = script::api();
    assert!(functions.len() >= 20);
    for function in &functions {
        let hook = if function.name == "refuse" {
            "before_cutover"
        } else if function.changes {
            "stop_apps"
        } else {
            "verify"
        };
        let problems = script::check(&script(&format!("fn {hook}(m) {{ {} }}", function.example)));
        assert!(problems.is_empty(), "{}: {problems:#?}", function.name);
        assert!(function.example.contains(function.name) && function.doc.ends_with('.'), "{}", function.name);
    }
}

#[test]
fn the_shipped_scripts_pass_the_linter() {
    for name in spec::builtin_names() {
        let migration = spec::find(Some(name), None, None).unwrap();
        let script = migration.script.unwrap();
        let problems = script::check(&script);
        assert!(problems.is_empty(), "{problems:#?}");
        assert!(script::defines(&script, "verify").unwrap() && !script::defines(&script, "finalize").unwrap());
    }
}

#[tokio::test]
async fn the_shipped_mastodon_script_counts_the_seven_tables() {
    let migration = spec::find(Some("mastodon"), None, None).unwrap();
    let (m, script) = (script::facts(&migration), migration.script.unwrap());
    let host = Arc::new(Dry::offline(Events::silent()));
    let run = script::run_hook(&script, "verify", m, host, CancellationToken::new(), Duration::from_secs(10));
    let outcome = run.await.unwrap().unwrap();
    let names: Vec<&str> = outcome.verdicts.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["accounts", "statuses", "users", "follows", "notifications", "media_attachments", "mentions"]);
    assert_eq!(outcome.verdict(), Verdict::Inconclusive, "nothing was asked, so nothing passed");
}
