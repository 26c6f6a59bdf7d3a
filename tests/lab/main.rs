//! Scenarios: the real binary against a whole lab with real PostgreSQL servers and an app that writes all the time.
#[path = "../support/mod.rs"]
mod support;

mod dump;
mod failures;
mod input;
mod replica;
mod script;
