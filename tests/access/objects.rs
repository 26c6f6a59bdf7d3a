use crate::ground::{Lab, NAMESPACE};
use pgmigrate::{
    error::Kind as ErrorKind,
    event::Events,
    journal::{Journal, Phase, What},
    kube::{self, Probe, flags::Flags, kind},
    lab::{
        api::rbac::{Rule, User},
        faults::{ALWAYS, Moment, on},
    },
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn map(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "shop"}}, "data": {"key": value}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_made_changed_and_removed() {
    let lab = Lab::start().await;
    let kube = lab.kube().await;
    assert_eq!(kube.namespace(), NAMESPACE);
    assert!(kube.get(&kind::CONFIG_MAP, "a").await.unwrap().is_none());
    let made = kube.create(&kind::CONFIG_MAP, &map("a", "1")).await.unwrap();
    let again = kube.create(&kind::CONFIG_MAP, &map("a", "1")).await.unwrap_err();
    assert!(kube::is_already_exists(&again) && !kube::is_conflict(&again), "{}", again.chain());

    let mut newer = made.clone();
    newer["data"]["key"] = "2".into();
    kube.replace(&kind::CONFIG_MAP, &newer).await.unwrap();
    let stale = kube.replace(&kind::CONFIG_MAP, &made).await.unwrap_err();
    assert!(kube::is_conflict(&stale) && !kube::is_already_exists(&stale), "{}", stale.chain());

    kube.merge(&kind::CONFIG_MAP, "a", &json!({"data": {"other": "3"}})).await.unwrap();
    let applied = kube.apply(&kind::CONFIG_MAP, &map("b", "4")).await.unwrap();
    assert_eq!(applied["data"]["key"], "4");
    let misspelt = json!({"metadata": {"name": "c"}, "spec": {"instnces": 1}});
    let strict = kube.apply(&kind::CLUSTER, &misspelt).await.unwrap_err();
    assert!(strict.chain().contains("instnces"), "{}", strict.chain());
    assert!(kube.get(&kind::CLUSTER, "c").await.unwrap().is_none());

    let listed = kube.list(&kind::CONFIG_MAP, "app=shop").await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["kind"], "ConfigMap");
    assert_eq!(kube.in_namespace("elsewhere").list_all(&kind::CONFIG_MAP, "app=shop").await.unwrap().len(), 2);
    assert!(kube.get(&kind::NAMESPACE, NAMESPACE).await.unwrap().is_some());
    assert!(kube.delete(&kind::CONFIG_MAP, "a").await.unwrap());
    assert!(!kube.delete(&kind::CONFIG_MAP, "a").await.unwrap());
    assert!(kube.delete(&kind::CONFIG_MAP, "").await.is_err());
    assert_eq!(kube.list(&kind::CONFIG_MAP, "").await.unwrap().len(), 1);
    assert!(kube.calls() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_is_named() {
    let lab = Lab::start().await;
    let all = |words: &[&str]| words.iter().map(|w| w.to_string()).collect::<Vec<_>>();
    let rules = vec![Rule {
        verbs: all(&["get", "list"]),
        groups: all(&[""]),
        resources: all(&["configmaps"]),
        names: Vec::new(),
        namespace: None,
    }];
    lab.server.access().set(User {
        name: "reader".into(),
        token: "t0ken".into(),
        admin: false,
        rules,
        groups: Vec::new(),
    });
    let kube = lab.kube_as("reader", Flags::default()).await;
    assert!(kube.can_i("get", "", "configmaps", None).await.unwrap());
    assert!(!kube.can_i("create", "", "pods/exec", None).await.unwrap());
    let refused = kube.merge(&kind::CLUSTER, "db", &json!({})).await.unwrap_err();
    assert!(kube::is_forbidden(&refused));
    assert!(refused.what.contains("patch clusters.postgresql.cnpg.io/db in namespace shop"), "{}", refused.what);
    assert_eq!(refused.hint.as_deref(), Some("kubectl auth can-i patch clusters.postgresql.cnpg.io/db -n shop"));
    assert!(!refused.chain().contains("t0ken"));
    // A wait that may not watch ends at once.
    let (cancel, events) = (CancellationToken::new(), Events::silent());
    let long = Duration::from_secs(60);
    let began = Instant::now();
    let waited = kube
        .wait(&kind::CONFIG_MAP, "a", "a", long, &cancel, &events, |_| Probe::Pending(String::new()))
        .await
        .unwrap_err();
    assert!(kube::is_forbidden(&waited) && began.elapsed() < Duration::from_secs(10), "{}", waited.chain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_merges_are_repeated_and_other_writes_are_not() {
    let lab = Lab::start().await;
    let kube = lab.kube().await;
    kube.create(&kind::CONFIG_MAP, &map("a", "1")).await.unwrap();
    for code in [429, 500, 503, 504] {
        lab.faults.answer(Moment::Before, on("get", "configmaps", "a"), code, 2);
        assert!(kube.get(&kind::CONFIG_MAP, "a").await.unwrap().is_some(), "{code}");
    }
    lab.faults.lose(Moment::After, on("get", "configmaps", "a"), 2);
    assert!(kube.get(&kind::CONFIG_MAP, "a").await.unwrap().is_some());
    lab.faults.answer(Moment::Before, on("create", "configmaps", ""), 429, 2);
    kube.create(&kind::CONFIG_MAP, &map("b", "1")).await.unwrap();
    // Done, but the answer is a gateway's: a guarded write is said to be uncertain, and not repeated.
    for lost in [true, false] {
        let fired = match lost {
            true => lab.faults.lose(Moment::After, on("patch", "configmaps", "a"), ALWAYS),
            false => lab.faults.answer(Moment::After, on("patch", "configmaps", "a"), 504, ALWAYS),
        };
        let version = kube.get(&kind::CONFIG_MAP, "a").await.unwrap().unwrap()["metadata"]["resourceVersion"].clone();
        let guarded = json!({"metadata": {"resourceVersion": version}, "data": {"key": "9"}});
        let error = kube.merge(&kind::CONFIG_MAP, "a", &guarded).await.unwrap_err();
        assert!(kube::is_uncertain(&error), "{}", error.chain());
        assert_eq!(fired.load(std::sync::atomic::Ordering::SeqCst), 1);
        lab.faults.clear();
    }
    assert_eq!(kube.get(&kind::CONFIG_MAP, "a").await.unwrap().unwrap()["data"]["key"], "9");
    // A plain merge sets values: the answer that was lost is asked for again.
    lab.faults.answer(Moment::After, on("patch", "configmaps", "a"), 504, 1);
    kube.merge(&kind::CONFIG_MAP, "a", &json!({"data": {"key": "10"}})).await.unwrap();
    // An answer that does not come.
    lab.faults.delay(Moment::Before, on("get", "configmaps", "a"), Duration::from_secs(20), ALWAYS);
    let hasty =
        lab.kube_as("lab-admin", Flags { request_timeout: Some(Duration::from_secs(1)), ..Flags::default() }).await;
    let late = hasty.get(&kind::CONFIG_MAP, "a").await.unwrap_err();
    assert!(late.what.contains("no answer") && late.what.contains(kube.server()), "{}", late.what);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_survives_what_a_watch_does_not() {
    let lab = Lab::start().await;
    let kube = lab.kube().await;
    kube.create(&kind::CONFIG_MAP, &map("a", "1")).await.unwrap();
    lab.faults.answer(Moment::Before, on("watch", "configmaps", ""), 410, 1);
    lab.faults.answer(Moment::Before, on("watch", "configmaps", ""), 500, 1);
    lab.faults.lose(Moment::Before, on("watch", "configmaps", ""), 1);
    lab.faults.answer(Moment::Before, on("list", "configmaps", ""), 503, 2);
    let (cancel, events) = (CancellationToken::new(), Events::silent());
    let long = Duration::from_secs(30);
    let mut seen = Vec::new();
    let waiting = kube.wait(&kind::CONFIG_MAP, "a", "key 3", long, &cancel, &events, |object| {
        let value = object.map(|o| o["data"]["key"].as_str().unwrap_or_default().to_string());
        seen.push(value.clone());
        match value.as_deref() {
            Some("3") => Probe::Done,
            other => Probe::Pending(format!("{other:?}")),
        }
    });
    let changing = async {
        for value in ["2", "3"] {
            tokio::time::sleep(Duration::from_millis(700)).await;
            kube.merge(&kind::CONFIG_MAP, "a", &json!({"data": {"key": value}})).await.unwrap();
        }
    };
    let (found, ()) = tokio::join!(waiting, changing);
    assert_eq!(found.unwrap().unwrap()["data"]["key"], "3");
    assert_eq!(seen.first().unwrap().as_deref(), Some("1"));

    let short = Duration::from_millis(500);
    let all = |maps: &[Value]| Probe::Pending(format!("{} of 2", maps.len()));
    let late =
        kube.wait_all(&kind::CONFIG_MAP, "app=shop", "two maps", short, &cancel, &events, all).await.unwrap_err();
    assert_eq!(late.what, "gave up waiting for two maps after 0.5 s; last seen: 1 of 2");
    let gone = kube.wait(&kind::CONFIG_MAP, "none", "absence", long, &cancel, &events, |o| match o {
        None => Probe::Done,
        Some(_) => Probe::Failed("there".into()),
    });
    assert!(gone.await.unwrap().is_none());
    cancel.cancel();
    let cancelled = kube.wait_all(&kind::CONFIG_MAP, "", "x", long, &cancel, &events, all).await.unwrap_err();
    assert_eq!(cancelled.kind, ErrorKind::Interrupted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_runner_at_a_time() {
    let lab = Lab::start().await;
    let kube = lab.kube().await;
    // The answer to the first write is lost: it is ours all the same.
    lab.faults.answer(Moment::After, on("create", "leases", ""), 504, 1);
    let lock = kube.lock("m").await.unwrap();
    let refused = kube.lock("m").await.err().expect("it is held");
    assert_eq!(refused.kind, ErrorKind::Locked);
    assert!(refused.what.contains(lock.identity()), "{}", refused.what);
    let holder = kube.lock_holder("m").await.unwrap().unwrap();
    assert!(!holder.expired && holder.identity == lock.identity());
    // Renewed through trouble.
    lab.faults.answer(Moment::Before, on("update", "leases", ""), 503, 3);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(!lock.lost.is_cancelled());
    assert!(kube.lock_holder("m").await.unwrap().unwrap().renewed > holder.renewed);
    lock.release().await.unwrap();
    assert!(kube.lock_holder("m").await.unwrap().is_none());

    let lock = kube.lock("m").await.unwrap();
    assert_eq!(kube.unlock("m").await.unwrap().unwrap().identity, lock.identity());
    tokio::time::timeout(Duration::from_secs(8), lock.lost.cancelled()).await.expect("the loss is noticed");
    lock.release().await.unwrap();

    // Cut off from the API: lost before another may take it.
    let mut lock = kube.lock("m").await.unwrap();
    lab.faults.answer(Moment::Before, on("", "leases", ""), 503, ALWAYS);
    let began = Instant::now();
    tokio::time::timeout(Duration::from_secs(14), lock.lost.cancelled()).await.expect("lost in time");
    assert!(began.elapsed() > Duration::from_secs(5));
    assert!(kube::is_uncertain(&lock.regain().await.unwrap_err()));
    // Nobody has had it meanwhile: it is ours again, and renewed.
    lab.faults.clear();
    lock.regain().await.unwrap();
    let holder = kube.lock_holder("m").await.unwrap().unwrap();
    assert!(!lock.lost.is_cancelled() && holder.identity == lock.identity());
    let renewed = async { while kube.lock_holder("m").await.unwrap().unwrap().renewed == holder.renewed {} };
    tokio::time::timeout(Duration::from_secs(14), renewed).await.expect("renewed");
    kube.unlock("m").await.unwrap();
    assert_eq!(lock.regain().await.unwrap_err().kind, ErrorKind::Locked);
}

/// A write is made, its answer lost, and the look after it too: the next write takes it in. Somebody else's is another matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_knows_its_own_lost_writes() {
    let lab = Lab::start().await;
    let kube = lab.kube().await;
    let began = |phase| What::PhaseBegan { phase };
    let journal = Journal::read(&kube, "m").await.unwrap();
    for verb in ["create", "update"] {
        lab.faults.lose(Moment::After, on(verb, "configmaps", ""), 1);
        lab.faults.answer(Moment::Before, on("get", "configmaps", ""), 503, 5);
        let lost = journal.append(vec![began(Phase::Prepare), What::OutageBegan]).await.unwrap_err();
        assert!(kube::is_uncertain(&lost), "{}", lost.chain());
        lab.faults.clear();
        journal.append(vec![began(Phase::Prepare), What::OutageBegan, began(Phase::Cutover)]).await.unwrap();
        journal.append(vec![What::PhaseEnded { phase: Phase::Cutover }]).await.unwrap();
    }
    let there = Journal::read(&kube, "m").await.unwrap();
    let numbers: Vec<u64> = there.entries().iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    let texts = |journal: &Journal| journal.entries().iter().map(|e| json!(e).to_string()).collect::<Vec<_>>();
    assert_eq!(texts(&there), texts(&journal));
    let mut object = (*lab.store.get("configmaps", NAMESPACE, "pgmigrate-m").unwrap()).clone();
    let text = object["data"]["entries"].as_str().unwrap().to_string();
    let theirs = json!({"seq": 9, "at": "2026-11-21T12:00:00Z", "by": "ann@elsewhere/1", "entry": "outage-began"});
    object["data"]["entries"] = format!("{text}{theirs}\n").into();
    kube.replace(&kind::CONFIG_MAP, &object).await.unwrap();
    assert_eq!(journal.append(vec![What::OutageBegan]).await.unwrap_err().kind, ErrorKind::Locked);
}

#[tokio::test]
async fn kubeconfigs_as_kubectl_reads_them() {
    let lab = Lab::start().await;
    let path = lab.dir().join("kubeconfig");
    std::fs::write(&path, lab.server.kubeconfig("lab-admin", NAMESPACE)).unwrap();
    let flags = || Flags { kubeconfig: Some(path.clone()), ..Flags::default() };
    let unknown = kube::Kube::connect(&Flags { context: Some("prod".into()), ..flags() }).await.err().unwrap();
    assert_eq!(unknown.kind, ErrorKind::Usage);
    assert_eq!(unknown.what, "the kubeconfig has no context `prod`; it knows pgmigrate-lab");
    let missing = Flags { kubeconfig: Some("/nowhere/config".into()), ..Flags::default() };
    let missing = kube::Kube::connect(&missing).await.err().unwrap();
    assert!(missing.kind == ErrorKind::Usage && missing.what.contains("/nowhere/config"), "{}", missing.chain());
    let alone = kube::Kube::connect(&Flags { as_group: vec!["g".into()], ..flags() }).await.err().unwrap();
    assert_eq!(alone.kind, ErrorKind::Usage);
    // Nobody listens there any more.
    let url = format!("https://127.0.0.1:{}", lab.server.port());
    let kube = kube::Kube::connect(&flags()).await.unwrap();
    drop(lab);
    let down = kube.get(&kind::POD, "a").await.unwrap_err();
    assert!(
        down.what.starts_with(&format!("cannot reach the API server {url}: Connection refused")),
        "{}",
        down.chain()
    );
}
