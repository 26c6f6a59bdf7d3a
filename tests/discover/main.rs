//! `list`, `init` and `plan` on a lab, and `init` at a terminal.
#[path = "../support/mod.rs"]
mod support;

mod found;
mod plan;
mod tables;
mod terminal;
