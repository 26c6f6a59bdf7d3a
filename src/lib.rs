//! Moves a PostgreSQL database together with the application that lives on it: from the Zalando
//! operator (Spilo, Patroni) to CloudNativePG.
//!
//! The words, used everywhere: a **migration** is a YAML file and its script; it has a **source**
//! and a **target**; an **app** uses the database through a **connection** (a key in a Secret or
//! ConfigMap). A **strategy** turns facts into a **plan** of **steps** in three **phases** (prepare,
//! cutover, finalize). A step has a **hazard**; the first one-way step is the **point of no return**.
//! A **fence** makes a write at the source impossible, with proof; a **gate** must hold to go on.
//! The **journal** holds intents and outcomes in the cluster, with each step's **receipt** (what undo
//! needs); the **certificate** is the proof at the end.
//!
//! The order below is the rule: a module imports only what stands above it (`tests/house.rs`).

pub mod error;
pub mod event;
pub mod spec;
pub mod kube;
pub mod postgres;
pub mod s3;
pub mod patroni;
pub mod journal;
pub mod facts;
pub mod sessions;
pub mod step;
pub mod verify;
pub mod script;
pub mod steps;
pub mod checks;
pub mod plan;
pub mod strategy;
pub mod discover;
pub mod runner;
pub mod report;
pub mod term;
pub mod lab;
pub mod cli;
