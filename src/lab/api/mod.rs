//! The Kubernetes API endpoint.

mod apply;
mod discovery;
mod patch;
pub mod rbac;
pub mod request;
mod resources;
pub mod schema;
mod selector;
pub mod server;
pub mod store;
mod table;
mod verbs;
mod watch;
pub mod ws;
