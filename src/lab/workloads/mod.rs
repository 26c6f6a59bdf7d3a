//! kube-controller-manager's and the kubelet's part: Deployments, StatefulSets, Jobs, CronJobs, autoscalers, and the pods
//! that they make.
//!
//! A container's image decides what runs: see [`image`]. Pods with other images are left to those who made them (the
//! operators' stand-ins run PostgreSQL behind theirs).
mod cronjob;
mod deployment;
pub mod environment;
mod hpa;
pub mod image;
mod job;
mod kubelet;
mod object;
pub mod pod;
pub mod process;
mod replicaset;
mod rollout;
mod schedule;
mod statefulset;
pub mod watch;

use super::{api::store::Store, node::Node};
use tokio::task::JoinSet;

/// Runs until aborted; then the processes of the pods end with it.
pub async fn run(store: Store, node: Node) {
    let mut all = JoinSet::new();
    all.spawn(kubelet::run(store.clone(), node));
    all.spawn(watch::each(store.clone(), &["deployments.apps", "replicasets.apps", "pods"], deployment::settle));
    all.spawn(watch::each(store.clone(), &["statefulsets.apps", "pods"], statefulset::settle));
    all.spawn(watch::each(store.clone(), &["jobs.batch", "pods"], job::settle));
    all.spawn(watch::each(store.clone(), &["cronjobs.batch", "jobs.batch"], cronjob::settle));
    let scaled = &["horizontalpodautoscalers.autoscaling", "deployments.apps"];
    all.spawn(watch::each(store, scaled, hpa::settle));
    while all.join_next().await.is_some() {}
}
