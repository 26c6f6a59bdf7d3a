//! With exactly the published rules `check` works; without any single one of them it names that one.
use super::support::{Bench, Setting};
use pgmigrate::{
    checks::rules,
    lab::api::rbac::{Rule, User},
};

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// The published Role without one verb of one rule, as the user that `limited` in the kubeconfig is.
fn limited(bench: &Bench, without: Option<(usize, &str)>) {
    let granted = rules().iter().enumerate().map(|(at, rule)| Rule {
        verbs: rule.verbs.iter().filter(|verb| without != Some((at, **verb))).map(|verb| verb.to_string()).collect(),
        groups: texts(&[rule.group]),
        resources: texts(&[rule.resource]),
        names: Vec::new(),
        namespace: Some("mastodon".into()),
    });
    let name = "limited".to_string();
    let user = User { token: "limited-token".into(), admin: false, rules: granted.collect(), groups: Vec::new(), name };
    bench.lab.server.access().set(user);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_rule_is_needed_and_enough() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    limited(&bench, None);
    let path = bench.path().join("limited");
    bench.lab.kubeconfig("limited", "mastodon", &path).expect("written");
    let _ = bench.run("check mastodon --kubeconfig limited").await.code(0).says("0 failed, 0 unknown");
    for (at, rule) in rules().iter().enumerate() {
        let verb = rule.verbs[rule.verbs.len() - 1];
        limited(&bench, Some((at, verb)));
        let run = bench.run("check mastodon --kubeconfig limited --only permissions").await;
        if run.code == Some(1) {
            // Without the journal nothing at all can be said; the error names what is missing.
            let _ = run.says(rule.resource);
            continue;
        }
        let (group, resource) = (rule.group, rule.resource);
        let yaml = format!("- {{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{verb}]}}");
        let _ = run.code(3).says(&yaml);
    }
    let _ = bench.run("rbac --verb check -n mastodon").await.code(0).says("kind: Role").never_says("delete");
    let _ = bench.run("rbac --verb cutover").await.code(0).says("delete").says("pods/portforward");
    bench.lab.stop().await;
}
