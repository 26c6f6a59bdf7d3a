//! What `check -o json` says of single checks: the status, and words of what was seen, so that it is for the right reason.
use super::support::{Bench, Run, SOURCE};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const POSTGRESQLS: &str = "postgresqls.acid.zalan.do";

/// Id, status, words of what was seen.
pub type Expected<'a> = (&'a str, &'a str, &'a str);

/// All that is expected is told; the rest is not looked at.
#[track_caller]
pub fn told(run: &Run, expected: &[Expected]) {
    let document: Value = run.json();
    let wrong: Vec<String> = expected.iter().filter_map(|expected| differs(&document, expected)).collect();
    assert!(wrong.is_empty(), "{}\n{run}", wrong.join("\n"));
}

fn differs(document: &Value, (id, status, words): &Expected) -> Option<String> {
    let found = document["findings"].as_array().into_iter().flatten().find(|f| f["id"] == *id);
    let text = |key: &str| found.and_then(|f| f[key].as_str()).unwrap_or("nothing");
    let (is, seen) = (text("status"), text("seen"));
    (is != *status || !seen.contains(words)).then(|| format!("{id}: {is}, {seen:?}; not {status}, {words:?}"))
}

/// One run for all of them.
pub async fn judged(bench: &Bench, expected: &[Expected<'_>]) {
    let ids: Vec<&str> = expected.iter().map(|(id, ..)| *id).collect();
    told(&bench.run(&format!("check mastodon -o json --only {}", ids.join(","))).await, expected);
}

pub async fn is(bench: &Bench, id: &str, status: &str) -> Run {
    let run = bench.run(&format!("check mastodon -o json --only {id}")).await;
    told(&run, &[(id, status, "")]);
    run
}

/// The operator would undo what a test does to its cluster, whenever its next sync comes.
pub fn detach(bench: &Bench) {
    bench.change(POSTGRESQLS, SOURCE, |cluster| {
        cluster["metadata"]["annotations"]["acid.zalan.do/controller"] = json!("elsewhere");
    });
}

/// Patroni's dynamic configuration, as PATCH /config changes it.
pub fn patroni(bench: &Bench, change: impl FnOnce(&mut Value)) {
    bench.change("endpoints", &format!("{SOURCE}-config"), |object| {
        let text = &mut object["metadata"]["annotations"]["config"];
        let mut config: Value = serde_json::from_str(text.as_str().expect("a configuration")).expect("JSON");
        change(&mut config);
        *text = config.to_string().into();
    });
}

/// A shell's command, in the data directory. It reads what it is given: else the server may find nobody to give it to.
pub async fn at_the_source(bench: &Bench, command: &str) {
    bench.at_source(&format!("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; {command}'")).await;
}

/// Waits until the source says so.
pub async fn answers(bench: &Bench, sql: &str, wanted: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = bench.at_source(sql).await;
        if said == wanted {
            return;
        }
        assert!(Instant::now() < end, "{sql}: {said}, never {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Changes an operator's Deployment, and waits until it is rolled out anew.
pub async fn rolled_out(bench: &Bench, place: (&str, &str), change: impl FnOnce(&mut Value)) {
    let store = &bench.lab.store;
    store.update("deployments.apps", place.0, place.1, change).unwrap_or_else(|r| panic!("{}", r.message));
    let generation = |object: &Value| object["metadata"]["generation"].as_i64();
    let wanted = store.get("deployments.apps", place.0, place.1).and_then(|object| generation(&object));
    let rolled = |store: &pgmigrate::lab::api::store::Store| {
        store.get("deployments.apps", place.0, place.1).is_some_and(|object| {
            let status = &object["status"];
            status["observedGeneration"].as_i64() >= wanted
                && status["updatedReplicas"] == 1
                && status["readyReplicas"] == 1
        })
    };
    bench.lab.until("the operator is rolled out", Duration::from_secs(60), rolled).await.expect("ready again");
}
