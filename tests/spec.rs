//! The migration file: what is taken, and that every mistake is pointed at with file, line, column and the nearest word.

use pgmigrate::{
    error::Kind,
    spec::{self, ConnectionObject, Migration, Strategy, units},
};
use proptest::prelude::*;
use std::{path::Path, time::Duration};

const GOOD: &str = r#"apiVersion: pgmigrate.dev/v1alpha1
kind: Migration
metadata: {name: mastodon, namespace: mastodon}
spec:
  strategy: replica
  source: {zalando: {cluster: mastodon-postgresql}}
  target:
    cnpg:
      cluster: database-cnpg
      template: cluster.yaml
      pooler: {name: database-cnpg-pooler-rw, instances: 2}
      backup: {objectStore: database-backups, schedule: "0 0 3 * * *"}
  databases: [mastodon]
  apps:
  - {workload: deployment/mastodon-streaming}
  - {workload: statefulset/mastodon-search, startAfter: ready}
  - {workload: cronjob/mastodon-media-cleanup}
  connections:
  - {secret: mastodon-db-url, set: {DB_USER: "${target.user}", DB_PASS: "${target.password}"}}
  - {configMap: mastodon-database, set: {DB_HOST: "${target.pooler.host}", DB_PORT: "${target.port}"}}
  guardrails: {downtimeBudget: 5m, lagBefore: 16MiB}
  script: mastodon.rhai
"#;
const CLUSTER: &str =
    "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: database-cnpg}\nspec: {instances: 1}\n";

fn write(dir: &Path, text: &str) -> std::path::PathBuf {
    std::fs::write(dir.join("cluster.yaml"), CLUSTER).unwrap();
    std::fs::write(dir.join("mastodon.rhai"), "fn verify(m) {}\n").unwrap();
    let file = dir.join("mastodon.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

fn read(text: &str) -> pgmigrate::error::Result<Migration> {
    let dir = tempfile::tempdir().unwrap();
    spec::find(None, Some(&write(dir.path(), text)), None)
}

/// The error of GOOD with one replacement, without the directory in front of `mastodon.yaml`.
fn refused(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the test's own text is stale: {from:?}");
    let error = read(&GOOD.replacen(from, to, 1)).expect_err(&format!("taken: {to}"));
    assert_eq!(error.kind, Kind::Usage, "{error}");
    let text = error.to_string();
    let file = text.find("mastodon.yaml:").unwrap_or_else(|| panic!("no place in {text:?}"));
    text[file..].to_string()
}

#[test]
fn reads_the_example() {
    let m = read(GOOD).unwrap();
    assert_eq!((m.name.as_str(), m.namespace.as_str(), m.strategy), ("mastodon", "mastodon", Strategy::Replica));
    assert_eq!((m.source.as_str(), m.target.cluster.as_str()), ("mastodon-postgresql", "database-cnpg"));
    assert_eq!(m.target.template.as_ref().unwrap()["kind"], "Cluster");
    assert_eq!(m.apps[1].workload.to_string(), "statefulset/mastodon-search");
    assert_eq!(m.apps.iter().map(|a| a.wait_ready).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(m.connections[1].object, ConnectionObject::ConfigMap("mastodon-database".into()));
    assert_eq!(m.connections[0].set[1], ("DB_PASS".into(), "${target.password}".into()));
    assert_eq!(m.guardrails.lag_before, 16 << 20);
    assert_eq!((m.guardrails.stop_apps, m.guardrails.quiet), (Duration::from_secs(120), Duration::from_secs(5)));
    assert_eq!(m.script.as_ref().unwrap().name, "mastodon.rhai");
    assert_eq!(m.object_prefix(), "pgmigrate-mastodon");
    assert_eq!(m.selector(), "pgmigrate.dev/migration=mastodon");
}

#[test]
fn the_digest_covers_the_template() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), GOOD);
    let first = spec::find(None, Some(&file), None).unwrap().digest;
    assert_eq!(first, spec::find(None, Some(&file), None).unwrap().digest);
    std::fs::write(dir.path().join("cluster.yaml"), CLUSTER.replace("instances: 1", "instances: 3")).unwrap();
    let second = spec::find(None, Some(&file), None).unwrap().digest;
    assert!(first.starts_with("sha256:") && first.len() == 71 && first != second, "{first} {second}");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (from, to, expected) in [
        (
            "  connections:",
            "  conections:",
            r#"mastodon.yaml:18:3: unknown key "conections" under spec; did you mean "connections"?"#,
        ),
        ("kind: Migration", "kin: Migration", r#"mastodon.yaml:2:1: unknown key "kin"; did you mean "kind"?"#),
        (
            "namespace: mastodon}",
            "namspace: mastodon}",
            r#"mastodon.yaml:3:28: unknown key "namspace" under metadata; did you mean "namespace"?"#,
        ),
        (
            "startAfter: ready",
            "startafter: ready",
            r#"mastodon.yaml:16:45: unknown key "startafter" under spec.apps[1]; did you mean "startAfter"?"#,
        ),
        (
            "downtimeBudget: 5m",
            "downtimeBugdet: 5m",
            r#"mastodon.yaml:21:16: unknown key "downtimeBugdet" under spec.guardrails; did you mean "downtimeBudget"?"#,
        ),
        (
            "instances: 2}",
            "zzz: 2}",
            r#"mastodon.yaml:11:47: unknown key "zzz" under spec.target.cnpg.pooler; valid: name, instances"#,
        ),
    ] {
        assert_eq!(refused(from, to), expected);
    }
}

#[test]
fn wrong_types_and_values_are_refused_at_their_place() {
    for (from, to, expected) in [
        ("[mastodon]", "mastodon", r#"mastodon.yaml:13:14: spec.databases must be a list, not the text "mastodon""#),
        (
            "[mastodon]",
            "[1]",
            "mastodon.yaml:13:15: spec.databases[] must be text (put it in quotes), not the number 1",
        ),
        (
            "instances: 2",
            "instances: two",
            r#"mastodon.yaml:11:58: spec.target.cnpg.pooler.instances must be a whole number, not the text "two""#,
        ),
        (
            "instances: 2",
            "instances: 0",
            "mastodon.yaml:11:58: spec.target.cnpg.pooler.instances must be at least 1, not 0",
        ),
        (
            "strategy: replica",
            "strategy: replca",
            r#"mastodon.yaml:5:13: unknown strategy "replca"; did you mean "replica"?"#,
        ),
        ("v1alpha1", "v2", r#"mastodon.yaml:1:13: apiVersion must be pgmigrate.dev/v1alpha1, not "pgmigrate.dev/v2""#),
        (
            "name: mastodon,",
            "name: Mastodon,",
            r#"mastodon.yaml:3:18: metadata.name: "Mastodon" is no Kubernetes name: lower-case letters, digits and -, not at its ends"#,
        ),
        (
            "downtimeBudget: 5m",
            "downtimeBudget: 300",
            r#"mastodon.yaml:21:32: spec.guardrails.downtimeBudget: "300" is not a duration: the unit is missing; did you mean "300s"?"#,
        ),
        (
            "16MiB",
            "16Mib",
            r#"mastodon.yaml:21:47: spec.guardrails.lagBefore: "16Mib" is not a size: unknown unit "Mib"; did you mean "MiB"?"#,
        ),
        (
            "deployment/mastodon-streaming",
            "deploymnt/mastodon-streaming",
            r#"mastodon.yaml:15:16: unknown workload kind "deploymnt" in "deploymnt/mastodon-streaming"; did you mean "deployment"?"#,
        ),
        (
            "deployment/mastodon-streaming",
            "mastodon-streaming",
            r#"mastodon.yaml:15:16: "mastodon-streaming" is not a workload; write kind/name, such as "deployment/mastodon-streaming""#,
        ),
        ("startAfter: ready", "startAfter: started", r#"mastodon.yaml:16:57: startAfter must be ready, not "started""#),
        (
            "${target.pooler.host}",
            "${target.poler.host}",
            r#"mastodon.yaml:20:51: unknown variable "${target.poler.host}"; did you mean "target.pooler.host"?"#,
        ),
        (
            "\"0 0 3 * * *\"",
            "\"0 3 * * *\"",
            r#"mastodon.yaml:12:57: "0 3 * * *" has 5 fields; CloudNativePG's schedule has six, seconds first"#,
        ),
    ] {
        assert_eq!(refused(from, to), expected);
    }
}

#[test]
fn impossible_combinations_are_refused() {
    for (from, to, expected) in [
        (
            "cluster: database-cnpg\n",
            "cluster: mastodon-postgresql\n",
            "template \"cluster.yaml\" is the Cluster \"database-cnpg\"",
        ),
        (
            "cluster: database-cnpg\n      template: cluster.yaml",
            "cluster: mastodon-postgresql",
            "the target cluster has the source's name, \"mastodon-postgresql\": their pods would collide",
        ),
        (
            "name: database-cnpg-pooler-rw",
            "name: database-cnpg-rw",
            "the pooler's Service \"database-cnpg-rw\" is a cluster's own already",
        ),
        (
            "      pooler: {name: database-cnpg-pooler-rw, instances: 2}\n",
            "",
            "uses ${target.pooler.host}, and spec.target.cnpg.pooler is missing",
        ),
        (
            "template: cluster.yaml",
            "template: cluster.yaml\n      instances: 3",
            "spec.target.cnpg.instances and a template: write it in the template",
        ),
        ("template: cluster.yaml", "template: mastodon.rhai", "mastodon.rhai"),
        ("template: cluster.yaml", "template: gone.yaml", "mastodon.yaml:10:17: template \"gone.yaml\" cannot be read"),
        ("script: mastodon.rhai", "script: gone.rhai", "mastodon.yaml:22:11: script \"gone.rhai\" cannot be read"),
        (
            "DB_PORT: \"${target.port}\"",
            "DB_PASS: \"${target.password}\"",
            "a password does not belong in configmap/mastodon-database; use a Secret",
        ),
        (
            "configMap: mastodon-database",
            "configMap: mastodon-database, secret: x",
            "a connection has a secret or a configMap, not both",
        ),
        ("cronjob/mastodon-media-cleanup", "cronjob/mastodon-media-cleanup, startAfter: ready", "is never ready"),
        (
            "statefulset/mastodon-search",
            "deployment/mastodon-streaming",
            "deployment/mastodon-streaming stands here twice",
        ),
        (
            "downtimeBudget: 5m",
            "downtimeBudget: 1m, stopApps: 2m",
            "spec.guardrails.stopApps is longer than the downtimeBudget, 1m",
        ),
        ("strategy: replica", "strategy: switch", "strategy switch moves no data: spec.source has no meaning"),
        ("  strategy: replica\n", "", "mastodon.yaml:5:3: spec.strategy is missing"),
        ("  databases: [mastodon]", "  databases: [mastodon]\n  databases: [other]", "mastodon.yaml:14:3: "),
        ("  databases: [mastodon]", "  databases: [mastodon", "mastodon.yaml:1"),
    ] {
        let text = if to.contains("mastodon.rhai") && from.contains("template") {
            read(&GOOD.replacen(from, to, 1)).unwrap_err().to_string()
        } else {
            refused(from, to)
        };
        assert!(text.contains(expected), "{text}\n   lacks\n{expected}");
    }
}

#[test]
fn a_template_must_be_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), GOOD);
    std::fs::write(dir.path().join("cluster.yaml"), "apiVersion: apps/v1\nkind: Deployment\n").unwrap();
    let text = spec::find(None, Some(&file), None).unwrap_err().to_string();
    assert!(text.ends_with(r#"mastodon.yaml:10:17: template "cluster.yaml" must be a postgresql.cnpg.io Cluster, not "apps/v1 Deployment""#), "{text}");
    std::fs::write(dir.path().join("cluster.yaml"), "kind: [Cluster\n").unwrap();
    let text = spec::find(None, Some(&file), None).unwrap_err().to_string();
    assert!(text.starts_with("cluster.yaml:"), "{text}");
}

#[test]
fn the_flag_must_agree_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), GOOD);
    let error = spec::find(None, Some(&file), Some("other")).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the migration "mastodon" is in namespace "mastodon", and --namespace says "other""#
    );
    let silent = write(dir.path(), &GOOD.replace(", namespace: mastodon", ""));
    assert_eq!(spec::find(None, Some(&silent), Some("other")).unwrap().namespace, "other");
    assert_eq!(spec::find(None, Some(&silent), None).unwrap().namespace, "");
    let error = spec::find(Some("matrix"), Some(&silent), None).unwrap_err().to_string();
    assert!(error.ends_with(r#"is the migration "mastodon", not "matrix""#), "{error}");
}

#[test]
fn built_in_migrations_are_valid_and_unknown_names_say_where_was_looked() {
    for name in spec::builtin_names() {
        let migration = spec::find(Some(name), None, None).unwrap();
        assert_eq!(migration.name, name);
        assert!(migration.script.is_some() && migration.path.is_none());
    }
    let error = spec::find(Some("mastadon"), None, None).unwrap_err().to_string();
    assert_eq!(
        error,
        "no migration \"mastadon\": looked for ./mastadon.yaml, ./mastadon/migration.yaml, ./mastadon/mastadon.yaml, \
         ./migrations/mastadon.yaml and a built-in one; did you mean \"mastodon\"?"
    );
}

proptest! {
    #[test]
    fn durations_survive_writing(ms in 0u64..400 * 86_400_000) {
        let duration = Duration::from_millis(ms);
        prop_assert_eq!(units::duration(&units::duration_text(duration)), Ok(duration));
    }
    #[test]
    fn sizes_survive_writing(bytes: u64) {
        prop_assert_eq!(units::bytes(&units::bytes_text(bytes)), Ok(bytes));
    }
    #[test]
    fn units_never_panic(text in "\\PC*") {
        let _ = (units::duration(&text), units::bytes(&text), spec::template::parse(&text));
    }
    #[test]
    fn templates_keep_their_text(before in "[^$]*", after in "[^$]*") {
        let text = format!("{before}${{target.host}}$${{x}}{after}");
        let rendered = spec::template::render(&text, |_| Some("H".into()));
        prop_assert_eq!(rendered, Ok(format!("{before}H${{x}}{after}")));
    }
    /// Whatever is cut out of or put into the file: an answer or a usage error with a place, never a panic.
    #[test]
    fn any_damage_is_answered(at in 0..GOOD.len(), len in 0usize..40, with in "[ :{}\\[\\]\"a-z\n-]{0,6}") {
        let end = (at + len).min(GOOD.len());
        let text = format!("{}{with}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(error) = read(&text) {
            prop_assert_eq!(error.kind, Kind::Usage);
            prop_assert!(error.to_string().contains(".yaml"), "{}", error);
        }
    }
}
