//! The preflight: its page in docs, and the checks that talk to servers, in a lab with real ones.
#[path = "../support/mod.rs"]
mod support;

mod database;
mod facts;
mod fix;
mod ground;
mod image;
mod judged;
mod kubernetes;
mod lab;
mod policy;
mod rbac;
mod server;

use pgmigrate::{checks::CATALOGUE, term::checks::manual};

/// Where a lab's worlds are broken.
const SCENARIOS: [&str; 9] = [
    include_str!("database.rs"),
    include_str!("fix.rs"),
    include_str!("ground.rs"),
    include_str!("image.rs"),
    include_str!("kubernetes.rs"),
    include_str!("lab.rs"),
    include_str!("policy.rs"),
    include_str!("rbac.rs"),
    include_str!("server.rs"),
];

/// Every one is expected to find something in a real world: its id stands beside its bad end, as [`judged`] has it.
#[test]
fn every_check_fails_in_a_lab() {
    let found = |id: &str, status: &str| SCENARIOS.iter().any(|text| text.contains(&format!("\"{id}\", \"{status}\"")));
    let ids = CATALOGUE.iter().flat_map(|group| group.checks).map(|check| check.id);
    let never: Vec<&str> = ids.filter(|id| !found(id, "fail") && !found(id, "warn")).collect();
    assert!(never.is_empty(), "a check that cannot fail is deleted: {never:?}");
}

/// `UPDATE=1 cargo test --test checks docs` writes it.
#[test]
fn docs_are_what_the_program_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, manual()).expect("written");
    }
    let text = std::fs::read_to_string(&path).expect("docs/checks.md");
    assert_eq!(text, manual(), "UPDATE=1 cargo test --test checks docs");
}
