//! With exactly the published rules every verb works; without any single verb of any of them `check` names that one.
use super::{
    judged::told,
    support::{Bench, Run, Setting, TARGET},
};
use pgmigrate::{
    checks::rules,
    lab::api::rbac::{Rule, User},
};
use serde_json::{Value, json};

const ROLES: &str = "roles.rbac.authorization.k8s.io";
const BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// Whom the kubeconfig `limited` is for.
fn limited(bench: &Bench, rules: Vec<Rule>) {
    let (name, token) = ("limited".to_string(), "limited-token".into());
    bench.lab.server.access().set(User { name, token, admin: false, rules, groups: Vec::new() });
    bench.lab.kubeconfig("limited", "mastodon", &bench.path().join("limited")).expect("written");
}

/// A lab whose `limited` has no rule but those of the Role `pgmigrate`; a script that uses what needs rules of its own.
async fn world(setting: Setting) -> Option<Bench> {
    let bench = Bench::up(setting).await?;
    limited(&bench, Vec::new());
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pgmigrate"});
    let metadata = json!({"name": "pgmigrate", "namespace": "mastodon"});
    let user = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"});
    bench.lab.put(BINDINGS, json!({"metadata": metadata, "roleRef": role, "subjects": [user]})).expect("bound");
    let spec = json!({"configuration": {"destinationPath": "s3://database/", "endpointURL": "https://s3.example.com"}});
    let store = json!({"metadata": {"name": "database-backups", "namespace": "mastodon"}, "spec": spec});
    bench.lab.put("objectstores.barmancloud.cnpg.io", store).expect("an object store");
    Some(bench)
}

const BACKUP: (&str, &str) = (
    "# backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
    "backup: {objectStore: database-backups, schedule: \"0 0 3 * * *\"}",
);

/// `before_cutover` fails once somebody is named `trouble`, after the Job whose trace must be taken back.
const SCRIPT: &str = r#"
fn preflight(m) {
    let pods = logs("deployment/mastodon-web", 1);
    check("apps", replicas("deployment/mastodon-web") == ready("deployment/mastodon-web"));
}
fn before_cutover(m) {
    annotate("deployment/mastodon-web", "lab/hook", "before");
    let name = job(#{ metadata: #{ name: "of-the-script" }, spec: #{ template: #{ spec: #{ restartPolicy: "Never",
        containers: [#{ name: "a", image: "lab/command", command: ["true"] }] } } } });
    wait("job/" + name, "complete", "60s");
    let trouble = sql("source", "select count(*)::int as n from accounts where username = 'trouble'");
    if trouble[0].n > 0 { throw "boom"; }
}
fn health(m) {
    // Nobody answers there, but nobody forbids it either.
    try { http("pod/" + m.target + "-1:1/"); } catch (e) { if `${e}`.contains("orbidden") { throw e; } }
    try { http("service/" + m.target + "-rw:1/"); } catch (e) { if `${e}`.contains("orbidden") { throw e; } }
}
fn verify(m) { compare("accounts", "select count(*) as rows from accounts"); }
"#;

/// As the API server says it. What is not in a namespace (storage classes) no Role grants: that is a warning of `check`.
const REFUSED: &str = "in the namespace \"mastodon\"";

/// As somebody who has what `rbac --verb` prints for the line's verb, and nothing else.
async fn run(bench: &Bench, line: &str) -> Run {
    granted(bench, line.split(' ').next().expect("a verb")).await;
    bench.run(&format!("{line} --kubeconfig limited")).await.never_says(REFUSED)
}

async fn granted(bench: &Bench, verb: &str) {
    let role: Value = bench.run(&format!("rbac -n mastodon -o json --verb {verb}")).await.code(0).json();
    bench.lab.store.delete(ROLES, "mastodon", "pgmigrate").ok();
    bench.lab.put(ROLES, role).expect("a role");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_works_with_its_own_published_rules() {
    let Some(bench) = world(Setting::edited(&[BACKUP]).own_script(SCRIPT)).await else { return };
    // Without any, nothing does.
    let none = bench.run("check mastodon --kubeconfig limited").await.code(3).says("in mastodon you may not");
    let _ = none.says("resources: [configmaps], verbs: [get, list]");
    let _ = run(&bench, "list").await.code(0).says("mastodon-postgresql");
    let _ = run(&bench, "init other --yes").await.code(0);
    let _ = run(&bench, "check mastodon --skip permissions").await.code(0).says("0 failed, 0 unknown");
    let _ = run(&bench, "plan mastodon --show all").await.code(0);
    let _ = run(&bench, "script run mastodon preflight").await.code(0);
    let _ = run(&bench, "script run mastodon before_cutover").await.code(0).says("dry");
    let _ = run(&bench, "script check mastodon").await.code(0);
    let _ = run(&bench, "prepare mastodon").await.code(0);
    let _ = run(&bench, "check mastodon --skip permissions").await.code(0).says("0 failed, 0 unknown");
    // A prepare has the rules of all verbs.
    granted(&bench, "prepare").await;
    let _ = bench.run("check mastodon --kubeconfig limited").await.code(0).says("0 failed, 0 unknown");
    let _ = run(&bench, "rollback mastodon --remove-target").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());

    // A runner dies; its lock is taken away, and another one goes on.
    let dies = bench.spawn("prepare mastodon --kubeconfig limited");
    bench.begun("make-bootable").await;
    dies.signal(libc::SIGKILL);
    let _ = dies.wait().await;
    let _ = run(&bench, "status mastodon").await.code(0).says("prepare");
    let _ = run(&bench, "unlock mastodon --yes").await.code(0).says("unlocked");
    let _ = run(&bench, "resume mastodon").await.code(0);

    bench.at_source("INSERT INTO accounts (username) VALUES ('trouble')").await;
    let failed = run(&bench, "cutover mastodon --accept-one-way mastodon").await.code(1);
    let _ = failed.says("boom").says("back on the source");
    assert!(bench.object("jobs.batch", "of-the-script").is_null());
    let _ = run(&bench, "rollback mastodon").await.code(0);
    bench.at_source("DELETE FROM accounts WHERE username = 'trouble'").await;
    let _ = run(&bench, "cutover mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    for line in ["status mastodon", "verify mastodon", "script run mastodon verify", "script run mastodon health"] {
        let _ = run(&bench, line).await.code(0);
    }
    let _ = run(&bench, "report mastodon").await.code(0);
    let _ = run(&bench, "rollback mastodon --export kept.sql").await.code(5).says("kept.sql");
    let _ = run(&bench, "finalize mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    assert_eq!(bench.object("backups.postgresql.cnpg.io", &format!("{TARGET}-first"))["status"]["phase"], "completed");
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_works_with_the_published_rules() {
    let Some(bench) = world(Setting::dump()).await else { return };
    let _ = run(&bench, "check mastodon --skip permissions").await.code(0).says("0 failed, 0 unknown");
    let _ = run(&bench, "plan mastodon").await.code(0);
    let _ = run(&bench, "prepare mastodon").await.code(0);
    let _ = run(&bench, "cutover mastodon --accept-one-way mastodon").await.code(0);
    bench.on_target().await;
    let _ = run(&bench, "verify mastodon").await;
    let _ = run(&bench, "finalize mastodon --accept-one-way mastodon").await.code(0);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_rule_is_named() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let with = |without: Option<(usize, &str)>| {
        let granted = rules().iter().enumerate().map(|(at, rule)| Rule {
            verbs: rule
                .verbs
                .iter()
                .filter(|verb| without != Some((at, **verb)))
                .map(|verb| verb.to_string())
                .collect(),
            groups: texts(&[rule.group]),
            resources: texts(&[rule.resource]),
            names: Vec::new(),
            namespace: Some("mastodon".into()),
        });
        limited(&bench, granted.collect());
    };
    let ask = "check mastodon --kubeconfig limited --only permissions";
    with(None);
    let _ = bench.run(ask).await.code(0);
    with(Some((0, "list")));
    let run = bench.run(&format!("{ask} -o json")).await;
    told(&run, &[("permissions", "fail", "in mastodon you may not: list pods")]);
    for (at, rule) in rules().iter().enumerate() {
        for verb in rule.verbs {
            with(Some((at, verb)));
            let run = bench.run(ask).await.code(3);
            let (group, resource) = (rule.group, rule.resource);
            let yaml = format!("- {{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{verb}]}}");
            let _ = run.says(&yaml);
        }
    }
    let _ = bench.run("rbac --verb check -n mastodon").await.code(0).says("kind: Role").never_says("delete");
    let _ = bench.run("rbac --verb cutover").await.code(0).says("delete").says("pods/portforward");
    bench.lab.stop().await;
}
