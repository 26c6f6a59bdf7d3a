//! Scenarios on a real cluster with the real operators: `make e2e`, or one alone by its name (`make e2e ONLY=replica::`).
//! `replica` and `dump` are the lab's own files, unchanged.
mod support;

#[path = "../lab/dump.rs"]
mod dump;
mod kills;
mod miniflux;
#[path = "../lab/replica.rs"]
mod replica;
mod rights;
mod size;
mod target;
mod traps;
