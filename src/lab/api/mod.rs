//! The Kubernetes API endpoint.
pub mod store;
