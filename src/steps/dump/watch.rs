//! Watching an import: its first failed pod ends it.

use crate::{
    error::{Error, Result},
    facts::cnpg,
    kube::kind::CLUSTER,
    step::World,
    steps::bootstrap,
};
use serde_json::Value;
use std::time::Duration;

const ROLE: &str = "import";

/// Returns when the Cluster is healthy. Neither its phase nor its conditions tell of a failing import (they say "Setting
/// up primary" and `Initialized` meanwhile), and a retry costs as much as the first try: so the job's pods are looked at.
pub async fn until_healthy(world: &World, cluster: &str) -> Result<()> {
    let mut told = String::new();
    loop {
        let pods = bootstrap::pods(world, cluster, ROLE).await?;
        if let Some(failed) = pods.iter().find(|pod| bootstrap::has_failed(pod)) {
            return Err(bootstrap::failure(world, cluster, ROLE, failed).await);
        }
        let Some(object) = world.kube.get(&CLUSTER, cluster).await? else {
            return Err(Error::failed(format!("cluster {cluster} was deleted while it was importing")));
        };
        let seen = cnpg::read(&object);
        if seen.healthy() && seen.pod.is_some() {
            return Ok(());
        }
        if seen.phase.contains("unrecoverable") || seen.phase.contains("Invalid cluster definition") {
            return Err(Error::failed(format!("cluster {cluster}: {}: {}", seen.phase, seen.phase_reason)));
        }
        let now = progress(world, &pods).await.unwrap_or_else(|| format!("cluster {cluster}: {}", seen.phase));
        if now != told {
            world.events.detail(now.clone());
            told = now;
        }
        world.sleep(Duration::from_millis(500)).await?;
    }
}

/// The last thing a running import says it does.
async fn progress(world: &World, pods: &[Value]) -> Option<String> {
    let pod = pods.iter().find(|p| p["status"]["phase"] == "Running")?;
    let log = world.kube.logs(pod["metadata"]["name"].as_str()?, ROLE, Some(30)).await.ok()?;
    log.lines().rev().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let of = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        match line["msg"].as_str()? {
            "exporting database" => Some(format!("dumping {}", of("databaseName"))),
            "executing database importing section" => {
                Some(format!("restoring {} of {}", of("section"), of("databaseName")))
            }
            msg => msg.strip_prefix("running analyze for database: ").map(|d| format!("analyzing {d}")),
        }
    })
}
