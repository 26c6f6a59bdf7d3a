//! The whole lab with the Mastodon example: real PostgreSQL, an app that writes, and its books.
use pgmigrate::lab::{
    app::audit::audit_namespace,
    app::ledger::Ledger,
    faults,
    servers::installs,
    world::{Lab, Options, mastodon::Mastodon},
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_app_counts_an_outage_and_loses_nothing() {
    let Some(install) = installs().into_iter().next() else { return };
    let lab = Lab::start(Options::default()).await.expect("the lab starts");
    let size = Mastodon { statuses: 500, members: 1, version: install.major };
    lab.scenario_mastodon(size).await.unwrap_or_else(|error| panic!("{}", error.chain()));
    let ledgers = Ledger::all(lab.dir());
    let (_, ledger) = ledgers.first().expect("a ledger");
    let acked = |more: u64| {
        let wanted = ledger.report().acked + more;
        lab.until("the app writes", Duration::from_secs(60), move |_| ledger.report().acked >= wanted)
    };
    acked(100).await.expect("writes");
    ledger.mark();

    // Patroni starts the server again; the app comes back by itself.
    faults::kill_server(&lab.node, "mastodon", "mastodon-postgresql-0").expect("a server to kill");
    acked(100).await.expect("writes after the crash");
    let report = ledger.report();
    assert!(report.longest_gap > Duration::from_millis(200), "{report:?}");
    assert!(report.longest_gap_began.is_some());

    for name in ["mastodon-web", "mastodon-sidekiq-default"] {
        let stop = |deployment: &mut serde_json::Value| deployment["spec"]["replicas"] = 0.into();
        lab.store.update("deployments.apps", "mastodon", name, stop).expect("scaled");
    }
    let labels = [("app.kubernetes.io/component", "web")];
    let gone = |store: &pgmigrate::lab::api::store::Store| store.list_labelled("pods", "mastodon", &labels).is_empty();
    lab.until("the web pods have gone", Duration::from_secs(30), gone).await.expect("stopped");
    let audit = audit_namespace(&lab.store, &lab.node, "mastodon").await.expect("an audit");
    assert!(audit.clean() && audit.unknown == 0, "{audit:?}");
    assert_eq!(lab.store.get("configmaps", "mastodon", "lab-app-report").expect("a report")["kind"], "ConfigMap");
    let dir = lab.dir().to_owned();
    lab.stop().await;
    assert!(!dir.exists());
}
