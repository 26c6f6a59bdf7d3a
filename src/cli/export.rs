//! Everything the target holds, as SQL in a file: for a rollback that would lose it.

use crate::{
    error::{Context, Error, Result},
    facts::{Facts, cnpg, redact::redact},
    step::World,
};
use std::{os::unix::fs::OpenOptionsExt, path::Path};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// pg_dump's last line; without it the stream was cut.
const COMPLETE: &str = "-- PostgreSQL database dump complete";

/// Dumps every database that was moved into one new file (mode 0600). Returns its size in bytes.
pub async fn save(world: &World, file: &Path) -> Result<u64> {
    let facts: Facts = serde_json::from_value(world.journal.state().facts).context("read the facts in the journal")?;
    let cluster = &world.migration.target.cluster;
    let pod = cnpg::target(&world.kube, cluster).await?.and_then(|target| target.pod);
    let pod = pod.ok_or_else(|| Error::failed(format!("cluster {cluster} has no primary")))?;
    let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut out = tokio::fs::File::from_std(open.context("create it")?);
    let mut bytes = 0;
    for database in &facts.databases {
        world.events.detail(format!("dumping {}", database.name));
        bytes +=
            dump(world, &pod, &database.name, &mut out).await.with_context(|| format!("dump {}", database.name))?;
    }
    out.flush().await.context("write it")?;
    out.sync_all().await.context("write it")?;
    Ok(bytes)
}

async fn dump(world: &World, pod: &str, database: &str, out: &mut tokio::fs::File) -> Result<u64> {
    let argv = ["pg_dump", "--create", "--no-password", "--username=postgres", "--dbname", database];
    let mut process = world.kube.spawn(pod, "postgres", &argv).await?;
    let (mut bytes, mut tail, mut chunk) = (0, Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = process.stdout.read(&mut chunk).await.context("read from pg_dump")?;
        if read == 0 {
            break;
        }
        out.write_all(&chunk[..read]).await.context("write it")?;
        bytes += read as u64;
        tail.extend_from_slice(&chunk[..read]);
        tail.drain(..tail.len().saturating_sub(200));
    }
    if String::from_utf8_lossy(&tail).contains(COMPLETE) {
        return Ok(bytes);
    }
    let mut said = String::new();
    process.stderr.read_to_string(&mut said).await.ok();
    Err(Error::failed(format!("pg_dump did not come to its end: {}", redact(said.trim()))))
}
