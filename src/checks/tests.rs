//! For every check a look at a world in which it passes ([`healthy`]), and one in which it does not ([`broken`]).

mod broken;
mod healthy;

use super::*;
use crate::steps::detach_operator;
use broken::BROKEN;
use healthy::healthy;
use serde_json::json;
use std::collections::BTreeSet;

fn finding(looks: &Looks, id: &str) -> Option<Finding> {
    judge(looks, &Choice::default()).into_iter().find(|f| f.id == id)
}

#[test]
fn in_a_healthy_world_every_check_passes() {
    for dump in [false, true] {
        for prepared in [false, true] {
            let mut looks = healthy();
            looks.prepared = prepared;
            if dump {
                looks.dump();
            }
            let findings = judge(&looks, &Choice::default());
            assert!(findings.len() > 40, "{}", findings.len());
            for finding in findings {
                assert_eq!(finding.status, Status::Pass, "dump {dump}: {}: {}", finding.id, finding.seen);
            }
        }
    }
}

#[test]
fn each_thing_that_is_broken_is_found() {
    let mut covered = BTreeSet::new();
    for (number, (id, status, spoil)) in BROKEN.iter().enumerate() {
        let mut looks = healthy();
        spoil(&mut looks);
        let finding = finding(&looks, id).unwrap_or_else(|| panic!("row {number}: {id} is not made"));
        assert_eq!(finding.status, *status, "row {number}: {id}: {}", finding.seen);
        assert!(*status == Status::Unknown || finding.remedy.is_some(), "row {number}: {id} has no remedy");
        assert!(!finding.why.is_empty(), "{id} does not say why");
        covered.insert(*id);
    }
    let all: BTreeSet<&str> = CATALOGUE.iter().flat_map(|g| g.checks.iter().map(|c| c.id)).collect();
    let untested: Vec<_> = all.difference(&covered).collect();
    assert!(untested.is_empty(), "a check that cannot fail is deleted: {untested:?}");
}

/// Whoever follows a remedy against it in the window opens the source again.
#[test]
fn what_the_migration_itself_did_is_no_finding() {
    let mut looks = healthy();
    looks.source_mut().paused = true;
    looks.source_mut().detached = Some(detach_operator::OURS.into());
    let status = |looks: &Looks| ["source-paused", "source-detached"].map(|id| finding(looks, id).map(|f| f.status));
    assert_eq!(status(&looks), [Some(Status::Warn); 2]);
    looks.own = look::Own { detached: true, paused: true };
    assert_eq!(status(&looks), [Some(Status::Pass); 2]);
}

#[test]
fn ids_are_of_one_kind_and_there_once() {
    let mut seen = BTreeSet::new();
    for group in CATALOGUE {
        for word in std::iter::once(group.name).chain(group.checks.iter().map(|c| c.id)) {
            assert!(word.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{word}");
        }
        for check in group.checks {
            assert!(seen.insert(check.id), "{} is there twice", check.id);
        }
    }
}

/// What could not be looked at is never a pass.
#[test]
fn a_blind_look_is_unknown() {
    let mut looks = healthy();
    let blind = || Error::failed("no answer");
    looks.source = Err(blind());
    looks.facts = Err(blind());
    looks.sql = Err(blind());
    looks.inside = Err(blind());
    looks.workloads = Err(blind());
    looks.quotas = Err(blind());
    looks.permissions = Err(blind());
    let findings = judge(&looks, &Choice::default());
    for id in [
        "permissions",
        "source-found",
        "source-members",
        "wal-senders",
        "target-storage",
        "apps-exist",
        "clients",
        "resource-quota",
    ] {
        let finding = findings.iter().find(|f| f.id == id).expect("made");
        assert_eq!(finding.status, Status::Unknown, "{id}: {}", finding.seen);
    }
}

#[test]
fn a_choice_is_of_checks_and_groups() {
    let chosen = |only: &[&str], skip: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
        let choice = Choice { only: words(only), skip: words(skip) };
        choice.valid()?;
        let findings = judge(&healthy(), &choice);
        let made = findings.iter().filter(|f| f.status != Status::Skipped).map(|f| f.id);
        Ok::<_, Error>((made.collect::<Vec<_>>(), findings.len()))
    };
    let all = chosen(&[], &[]).expect("valid").1;
    assert_eq!(chosen(&["names", "source-tls"], &[]).expect("valid"), (vec!["source-tls", "target-name"], all));
    assert_eq!(chosen(&["names"], &["target-name"]).expect("valid").0, Vec::<&str>::new());
    let error = chosen(&["source-tlss"], &[]).expect_err("no such check");
    assert!(error.what.contains("did you mean \"source-tls\""), "{}", error.what);
}

#[test]
fn policies_that_let_everybody_through() {
    let mut looks = healthy();
    let deny = json!({"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
    let allow = json!({"metadata": {"name": "allow"}, "spec": {"podSelector": {}, "ingress": [
        {"from": [{"podSelector": {}}], "ports": [{"port": 5432}]},
        {"from": [{"namespaceSelector": {"matchLabels": {"name": "cnpg-system"}}}], "ports": [{"port": 8000}]}]}});
    looks.policies = Ok(vec![deny.clone(), allow]);
    assert_eq!(finding(&looks, "network-policies").expect("made").status, Status::Pass);
    // The source alone opens itself to the target; the target is shut to everybody.
    let source = json!({"metadata": {"name": "source"}, "spec": {"podSelector": {"matchLabels": {"application": "spilo"}},
        "ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "cnpg.io/cluster", "operator": "Exists"}]}}]}]}});
    looks.policies = Ok(vec![deny, source]);
    let seen = finding(&looks, "network-policies").expect("made");
    assert_eq!(seen.status, Status::Fail);
    assert!(!seen.seen.contains("out of the source") && seen.seen.contains("port 8000"), "{}", seen.seen);
}

/// Everything that `--fix` knows, offered; and each thing that makes it unsafe.
#[test]
fn a_fix_is_offered_only_where_it_is_safe() {
    fn left_over(l: &mut Looks, quoted: Option<&str>) {
        let index = json!([{"name": "public.i_ccnew", "unique": true, "left_over": quoted}]);
        l.schema_mut().invalid_indexes = serde_json::from_value(index).expect("an index");
    }
    type Spoil = fn(&mut Looks);
    let role: Spoil = |l| l.facts_mut().roles[0].name = "pgmigrate_shop".into();
    let detached: Spoil = |l| l.source_mut().detached = Some("kubectl-pgmigrate".into());
    let narrow: Spoil = |l| l.set("max_slot_wal_keep_size", "100");
    let nothing: Spoil = |_| {};
    let begun: Spoil = |l| l.begun = true;
    let made: Spoil = |l| l.facts_mut().target = Some(crate::facts::cnpg::read(&json!({})));
    let rows: [(&str, Spoil, Spoil, bool); 14] = [
        ("old-roles", role, nothing, true),
        ("old-roles", |l| l.facts_mut().roles[0].name = "pgmigrate_other".into(), nothing, false),
        ("old-roles", role, begun, false),
        ("old-roles", role, made, false),
        ("source-detached", detached, nothing, true),
        ("source-detached", |l| l.source_mut().detached = Some("somebody".into()), nothing, false),
        ("source-detached", detached, |l| l.source_mut().paused = true, false),
        ("source-detached", detached, begun, false),
        ("source-detached", detached, made, false),
        ("wal-retention", narrow, nothing, true),
        (
            "wal-retention",
            narrow,
            |l| l.source_mut().spec = json!({"postgresql": {"parameters": {"max_slot_wal_keep_size": "100MB"}}}),
            false,
        ),
        ("wal-retention", narrow, |l| l.inside.as_mut().expect("healthy").free = 1 << 30, false),
        ("invalid-indexes", |l| left_over(l, Some("public.i_ccnew")), nothing, true),
        ("invalid-indexes", |l| left_over(l, None), nothing, false),
    ];
    for (number, (id, spoil, unsafe_too, offered)) in rows.into_iter().enumerate() {
        let mut looks = healthy();
        spoil(&mut looks);
        unsafe_too(&mut looks);
        let finding = finding(&looks, id).expect("made");
        assert_eq!(finding.fix.is_some(), offered, "row {number}: {id}");
        let fixes = fixes(&looks, &[finding]);
        assert_eq!(
            fixes.iter().map(|fix| fix.id()).collect::<Vec<_>>(),
            if offered { vec![format!("fix-{id}")] } else { vec![] }
        );
    }
}

/// What the image says itself counts more than what its name lets one guess.
#[test]
fn an_image_that_was_asked() {
    let said =
        "version postgres (PostgreSQL) 17.4\nextension pg_trgm\nextension plpgsql\nlocale en_US.utf8\nglibc 2.36";
    let asked = |said: &str, image: &str| {
        let mut looks = healthy();
        looks.migration_mut().target.image = Some(image.into());
        let contents = contents::Contents::read(image, said);
        looks.contents = Some(contents.ok_or_else(|| Error::failed("no such image")));
        ["extensions", "locale", "postgres-version", "collation-version"]
            .map(|id| finding(&looks, id).expect("made").status)
    };
    use Status::{Fail, Pass, Unknown};
    // Nothing can be told from this name, and the wrong things from the other.
    for image in ["mine/postgres", "ghcr.io/cloudnative-pg/postgresql:16-minimal-trixie"] {
        assert_eq!(asked(said, image), [Pass; 4], "{image}");
    }
    let standard = "ghcr.io/cloudnative-pg/postgresql:17-standard-bookworm";
    assert_eq!(asked(&said.replace("plpgsql", "vector"), standard), [Fail, Pass, Pass, Pass]);
    assert_eq!(asked(&said.replace("en_US", "de_DE"), standard), [Pass, Fail, Pass, Pass]);
    assert_eq!(asked(&said.replace("17.4", "16.4"), standard), [Pass, Pass, Fail, Pass]);
    assert_eq!(asked(&said.replace("2.36", "2.27"), standard), [Pass, Pass, Pass, Fail]);
    assert_eq!(asked("sh: postgres: not found", standard), [Unknown; 4]);
}

/// The statements themselves are the remedy, as many as can be read.
#[test]
fn indexes_that_sort_otherwise_are_named() {
    let mut looks = healthy();
    looks.migration_mut().target.image = Some("ghcr.io/cloudnative-pg/postgresql:17-standard-trixie".into());
    let remedy = |looks: &Looks| finding(looks, "collation-version").expect("made").remedy.expect("one");
    assert!(remedy(&looks).contains("no index sorts by the C library"), "{}", remedy(&looks));
    looks.schema_mut().collated = healthy::of(json!({
        "collations": [{"id": "100", "name": "", "default": true, "provider": "c", "recorded": "2.36", "actual": "2.36"}],
        "indexes": (1..=11).map(|n| json!({"schema": "public", "relation": format!("i{n}"), "oid": n, "kind": "btree",
            "exclusion": false, "unlogged": false, "collations": ["100"]})).collect::<Vec<_>>(),
    }));
    let text = remedy(&looks);
    assert!(text.contains("\nREINDEX INDEX CONCURRENTLY \"public\".\"i1\";\n") && !text.contains("i11"), "{text}");
    assert!(text.ends_with("and 2 more: kubectl pgmigrate plan shop"), "{text}");
}
