//! Rendered tables of `list`, `check` and `plan`, narrow and wide, with and without colour.
//! `SNAPSHOTS=overwrite cargo test --test discover tables` writes the snapshots.
use pgmigrate::{
    checks::{CATALOGUE, Finding, Status},
    facts::Facts,
    spec,
    step::Hazard,
    strategy::{self, choose::choose, estimate::Basis},
    term::{
        checks, list,
        plan::{self, Forecast, There},
    },
};
use serde_json::{Value, json};
use std::{path::Path, sync::Mutex};

/// Whether there is colour is the whole process' affair.
static COLOUR: Mutex<()> = Mutex::new(());

/// The text at 60 and 120 columns is the snapshot's; colour adds nothing but colour.
fn narrow_and_wide(name: &str, coloured: &str, render: impl Fn(usize) -> String) {
    let _turn = COLOUR.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for columns in [60, 120] {
        console::set_colors_enabled(false);
        let plain = render(columns);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/discover/snapshots/{name}-{columns}.txt"));
        snapbox::assert_data_eq!(&plain, snapbox::Data::read_from(&file, None).raw());
        console::set_colors_enabled(true);
        let painted = render(columns);
        console::set_colors_enabled(false);
        assert!(painted.contains(coloured), "{painted}");
        assert_eq!(console::strip_ansi_codes(&painted), plain);
    }
}

fn items() -> Vec<Value> {
    let choice = choose(Some(15), None);
    let outage = Basis::default().outage_of(choice.strategy);
    let suggestion = json!({"strategy": "replica", "reasons": choice.reasons, "outageSeconds": outage});
    vec![
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "shop", "name": "acid-shop", "version": "15",
            "size": "20Gi", "instances": 2, "state": "Running", "standby": false, "suggestion": suggestion,
            "usedBy": ["deployment/shop-web", "deployment/shop-worker", "cronjob/shop-report", "deployment/bi in analytics"]}),
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "shop", "name": "acid-copy", "version": "15",
            "size": "20Gi", "instances": 1, "state": "CreateFailed", "standby": true, "usedBy": [],
            "usedByUnknown": "secrets: forbidden"}),
        json!({"kind": "postgresql.acid.zalan.do", "namespace": "mastodon", "name": "mastodon-postgresql",
            "version": "17", "size": "1Gi", "instances": 1, "state": "Running", "usedBy": ["deployment/mastodon-web"],
            "suggestion": suggestion, "migration": "mastodon"}),
        json!({"kind": "cluster.postgresql.cnpg.io", "namespace": "mastodon", "name": "database-cnpg", "version": "17.6",
            "size": "1Gi", "instances": 3, "readyInstances": 2, "state": "Creating a new replica", "healthy": false}),
        json!({"kind": "migration", "namespace": "mastodon", "name": "mastodon", "state": "prepared",
            "next": "kubectl pgmigrate cutover mastodon"}),
    ]
}

#[test]
fn list_narrow_and_wide() {
    narrow_and_wide("list", "\u{1b}[32mRunning", |columns| list::render(&items(), true, columns));
}

/// As the catalogue has it.
fn finding(id: &str, status: Status, seen: &str, remedy: Option<&str>) -> Finding {
    let mut all = CATALOGUE.iter().flat_map(|group| group.checks.iter().map(move |check| (group.name, check)));
    let (group, check) = all.find(|(_, check)| check.id == id).unwrap_or_else(|| panic!("no check {id}"));
    let (seen, remedy) = (seen.to_owned(), remedy.map(str::to_owned));
    Finding {
        id: check.id,
        group,
        title: check.title,
        status,
        seen,
        why: check.why,
        remedy,
        fix: None,
        docs: String::new(),
    }
}

/// One of each kind.
fn findings() -> Vec<Finding> {
    let blind = "the source could not be looked at: see the check source-found";
    let archiver = "kubectl logs -n shop acid-shop-0 -c postgres | grep archive";
    let mut detached = finding(
        "source-detached",
        Status::Warn,
        "annotation acid.zalan.do/controller = kubectl-pgmigrate",
        Some("kubectl annotate postgresql -n shop acid-shop acid.zalan.do/controller-"),
    );
    detached.fix = Some("give acid-shop back to the Zalando operator".into());
    vec![
        finding(
            "permissions",
            Status::Fail,
            "in shop you may not: watch pods",
            Some("add to the Role:\n- {apiGroups: [\"\"], resources: [pods], verbs: [watch]}"),
        ),
        finding("source-found", Status::Pass, "leader acid-shop-0, timeline 3", None),
        detached,
        finding("wal-senders", Status::Unknown, blind, None),
        finding("wal-level", Status::Unknown, blind, None),
        finding(
            "storage-class",
            Status::Pass,
            "fast, binds where its pod runs; how much is free is not published",
            None,
        ),
        finding("archiving", Status::Fail, "the last try failed, at 000000010000000000000007", Some(archiver)),
        finding("target-name", Status::Skipped, "not asked for", None),
    ]
}

#[test]
fn check_narrow_and_wide() {
    narrow_and_wide("check", "\u{1b}[31m\u{1b}[1mFAIL", |columns| checks::render(&findings(), columns));
}

const FILE: &str = "
apiVersion: pgmigrate.dev/v1alpha1
kind: Migration
metadata: {name: shop, namespace: shop}
spec:
  strategy: replica
  source: {zalando: {cluster: acid-shop}}
  target: {cnpg: {cluster: shop-cnpg, storage: 20Gi, pooler: {name: shop-pooler, instances: 2}}}
  databases: [shop]
  apps: [{workload: deployment/worker}, {workload: deployment/web}]
  connections: [{secret: db, set: {HOST: '${target.pooler.host}'}}]
";

/// What a step says of itself is about itself: what only looks changes nothing, and two steps have two texts.
#[test]
fn each_step_says_what_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.yaml");
    std::fs::write(&path, format!("{FILE}  script: shop.rhai\n")).expect("a file");
    let hooks = ["before_cutover", "stop_apps", "after_promote", "health", "verify", "finalize"];
    let script: String = hooks.iter().map(|hook| format!("fn {hook}(m) {{ }}\n")).collect();
    std::fs::write(folder.path().join("shop.rhai"), script).expect("a script");
    let migration = spec::find(None, Some(&path), None).expect("a sound file");
    let plan = strategy::plan(&migration, &facts()).expect("a plan");
    let words = |id: &str| plan.all().find(|(_, step)| step.id() == id).map(|(_, step)| step.describe()).expect(id);
    for (_, step) in plan.all().filter(|(_, step)| step.hazard() == Hazard::ReadOnly) {
        assert!(!step.describe().details.contains("undone"), "{}: {}", step.id(), step.describe().details);
    }
    assert!(words("script-health").details.contains("only looks"), "{}", words("script-health").details);
    assert!(words("script-stop-apps").details.contains("undone call by call"));
    let (roles, objects) = (words("drop-spilo-roles").details, words("clean-leftovers").details);
    assert!(roles.contains("standby") && roles != objects, "{roles}");
}

/// As the real cluster showed it.
fn facts() -> Facts {
    let role = |name: &str, superuser: bool| {
        json!({"name": name, "superuser": superuser, "inherit": true, "createrole": false, "createdb": false, "login": true,
            "replication": name == "standby", "bypassrls": false, "connection_limit": -1, "verifier": "scram"})
    };
    let member = |pod: &str, role: &str| json!({"pod": pod, "ip": "10.1.0.5", "role": role, "state": "running", "timeline": 3, "lag": null});
    let source = json!({
        "cluster": "acid-shop", "namespace": "shop", "leader": "acid-shop-0", "timeline": 3, "system_identifier": "7",
        "members": [member("acid-shop-0", "leader"), member("acid-shop-1", "replica")], "version_num": 170006,
        "service_host": "acid-shop.shop.svc", "paused": false, "detached": null, "status": "Running", "wal_level": "replica",
        "volume_size": "10Gi", "labels": {"application": "spilo", "cluster-name": "acid-shop"},
    });
    let facts = json!({
        "source": source, "target": null,
        "operator": {"state": "ready", "namespace": "cnpg-system", "image": "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"},
        "databases": [{"name": "shop", "owner": "shop_owner", "encoding": "UTF8", "collate": "en_US.UTF-8",
            "ctype": "en_US.UTF-8", "connection_limit": -1, "size": 8u64 << 30}],
        "roles": [role("postgres", true), role("standby", false), role("shop_owner", false)],
        "settings": {"version_num": 170006, "wal_level": "replica", "data_checksums": true, "max_connections": 100,
            "password_encryption": "scram-sha-256", "archiving": true, "connections": 12},
        "extensions": ["plpgsql", "pg_trgm"], "standby_minimum": {"max_connections": "100"}, "unknown_passwords": [],
    });
    serde_json::from_value(facts).expect("the shape of the type")
}

#[test]
fn plan_narrow_and_wide() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.yaml");
    std::fs::write(&path, FILE).expect("a file");
    let migration = spec::find(None, Some(&path), None).expect("a sound file");
    let facts = facts();
    let plan = strategy::plan(&migration, &facts).expect("a plan");
    let basis = Basis {
        bytes: facts.databases.iter().map(|database| database.size).sum(),
        guardrails: migration.guardrails.clone(),
        earlier: [("start-apps".to_string(), 8.0)].into(),
        reached: [("verify".to_string(), 100.0 * 1024.0 * 1024.0)].into(),
    };
    let wanted = json!({"kind": "Cluster", "metadata": {"name": "shop-cnpg"}, "spec": {"instances": 1}});
    let there = vec![There { wanted, now: Ok(None) }];
    let forecast = Forecast { basis, there, reindex: Vec::new(), standing: None, all: false };
    // The digest is of what is sent, and changes with it.
    let render = |columns| plan::render(&migration, &plan, &forecast, columns).replace(&plan.digest(), "DIGEST");
    narrow_and_wide("plan", "\u{1b}[31m\u{1b}[1m  ----- POINT OF NO RETURN", render);
}
