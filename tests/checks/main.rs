//! The preflight: its page in docs, and the checks that talk to servers, in a lab with real ones.
#[path = "../support/mod.rs"]
mod support;

mod facts;
mod fix;
mod image;
mod lab;
mod policy;
mod rbac;

use pgmigrate::term::checks::manual;

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
