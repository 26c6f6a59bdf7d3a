//! `check --image-pod`: a real pod says what the target's image holds, and is gone afterwards whatever came of it.
use super::{
    judged::told,
    support::{Bench, Setting},
};

const IMAGE: &str = "extensions,postgres-version,locale,collation-version";

fn image(name: &'static str) -> Setting {
    Setting::edited(&[("      cluster: database-cnpg  ", name)])
}

const PASS: [(&str, &str, &str); 4] = [
    ("extensions", "pass", ""),
    ("postgres-version", "pass", ""),
    ("locale", "pass", ""),
    ("collation-version", "pass", ""),
];

fn nothing_left(bench: &Bench) {
    let left = |resource: &str| {
        bench.lab.store.list_labelled(resource, "mastodon", &[("pgmigrate.dev/migration", "mastodon")])
    };
    assert!(left("jobs.batch").is_empty());
    assert_eq!(bench.leftovers().into_iter().filter(|name| !name.starts_with("pods/")).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_is_asked_itself() {
    // Nothing can be told from this name.
    let setting = image("      image: example.org/lab/command\n      cluster: database-cnpg  ");
    let Some(bench) = Bench::up(setting).await else { return };
    let run = bench.run(&format!("check mastodon -o json --only {IMAGE}")).await.code(0);
    told(&run, &[("postgres-version", "warn", "the image does not say what it has")]);
    let ask = format!("check mastodon --image-pod -o json --only {IMAGE}");
    told(&bench.run(&ask).await.code(0), &PASS);
    nothing_left(&bench);

    // CloudNativePG's own; and an extension that nobody has.
    bench.files(&Setting::default());
    told(&bench.run(&ask).await.code(0), &PASS);
    let row = "INSERT INTO pg_extension SELECT 99999, 'nobody_has_it', 10, 2200, false, '1', NULL, NULL";
    bench.at_source(row).await;
    let run = bench.run(&ask).await.code(3).says("not in ghcr.io/cloudnative-pg/postgresql:");
    told(&run, &[("extensions", "fail", "nobody_has_it"), PASS[1], PASS[2], PASS[3]]);
    nothing_left(&bench);

    // It ends at once, and says nothing.
    bench.files(&image("      image: lab/crash\n      cluster: database-cnpg  "));
    let run = bench.run(&ask).await.code(3);
    told(&run, &PASS.map(|(id, ..)| (id, "unknown", "lab/crash")));
    nothing_left(&bench);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ctrl_c_removes_the_pod_too() {
    // It runs, and never ends by itself.
    let Some(bench) = Bench::up(image("      image: lab/idle\n      cluster: database-cnpg  ")).await else { return };
    let asks = bench.spawn("check mastodon --image-pod --only extensions");
    let runs = |store: &pgmigrate::lab::api::store::Store| {
        let pods = store.list_labelled("pods", "mastodon", &[("pgmigrate.dev/migration", "mastodon")]);
        pods.iter().any(|pod| pod["status"]["phase"] == "Running")
    };
    bench.lab.until("the image's pod", std::time::Duration::from_secs(60), runs).await.expect("a pod");
    asks.signal(libc::SIGINT);
    let _ = asks.wait().await.code(130);
    nothing_left(&bench);
    bench.lab.stop().await;
}
