//! The Kubernetes API endpoint.
pub mod store;
pub mod ws;
