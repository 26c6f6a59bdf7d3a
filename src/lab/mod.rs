//! A practice cluster on this machine: the double at the network boundary.
//!
//! [`world::Lab`] puts the parts together: the API's store and server, the node (addresses, processes), the controllers
//! of [`workloads`], the two operators' stand-ins, and the practice app that counts its own outage and its lost writes.
pub mod api;
pub mod app;
pub mod daemon;
pub mod faults;
pub mod node;
pub mod operators;
pub mod servers;
pub mod workloads;
pub mod world;
