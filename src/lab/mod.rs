//! A practice cluster on this machine: the double at the network boundary.
pub mod api;
pub mod app;
pub mod faults;
pub mod node;
pub mod operators;
pub mod servers;
