//! Scenarios: the real binary against a whole lab with real PostgreSQL servers and an app that writes all the time.
#[path = "../support/mod.rs"]
mod support;

mod apps;
mod dump;
mod ends;
mod failures;
mod input;
mod lost;
mod patience;
mod pooler;
mod replica;
mod script;
mod told;
mod verify;
