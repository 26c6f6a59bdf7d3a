//! Patroni's loop: what one member does with its server in each turn (zalando.md, 6; observed-physical.md, 3).
use super::{
    conf,
    member::{Member, Work, of_cluster},
    rejoin,
    session::Status,
    slots, spilo,
};
use crate::lab::servers::Failure;
use serde_json::{Value, json};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Runs until `stop`; the server's end is the container's end.
pub async fn run(member: Arc<Member>, stop: CancellationToken) {
    match spilo::enter(&member) {
        Ok(rules) => member.work.lock().await.hba = rules,
        Err(failure) => member.error("container start", &failure),
    }
    loop {
        if let Err(failure) = turn(&member).await {
            member.error("loop", &failure);
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = member.wake.notified() => {}
            () = tokio::time::sleep(rest(&member)) => {}
        }
    }
}

/// loop_wait; a member without data looks for its leader more often.
fn rest(member: &Member) -> Duration {
    let configured = member.dcs.config().and_then(|config| config["loop_wait"].as_u64());
    Duration::from_secs(if member.has_data() { configured.unwrap_or(10).max(1) } else { 1 })
}

async fn turn(member: &Arc<Member>) -> Result<(), Failure> {
    let mut work = member.work.lock().await;
    if !member.has_data() {
        return found(member, &mut work).await;
    }
    if work.reload {
        reload(member, &mut work).await?;
    }
    // The lock first: whoever finds it free because of a pause must have read the pause after it.
    let leader = member.dcs.leader();
    let paused = member.dcs.paused();
    if member.paused.swap(paused, Ordering::Relaxed) && !paused {
        work.slots_stale = true;
    }
    match member.heartbeat.status(&member.server).await {
        Ok(status) if status.recovery => replica(member, &mut work, &status, leader, paused).await,
        Ok(status) => primary(member, &mut work, &status, leader, paused).await,
        Err(failure) if member.server.running() => Err(failure),
        Err(_) => stopped(member, &mut work, leader, paused).await,
    }
}

/// No data yet: the first member makes the cluster, the others copy it.
async fn found(member: &Arc<Member>, work: &mut Work) -> Result<(), Failure> {
    let leader = member.dcs.leader();
    if member.dcs.initialize().is_some() {
        let Some(leader) = leader.filter(|leader| *leader != member.name) else {
            member.info("waiting for leader to bootstrap");
            return Ok(());
        };
        member.info(format!("trying to bootstrap from leader '{leader}'"));
        spilo::clone_from(member, &member.upstream(&leader)?).await?;
        member.follow(work, Some(&leader)).await?;
        member.info(format!("bootstrapped from leader '{leader}'"));
        let status = member.heartbeat.status(&member.server).await?;
        member.show(false, Some(&status));
        return Ok(());
    }
    if !member.name.ends_with("-0") {
        member.info("waiting for leader to bootstrap");
        return Ok(());
    }
    member.info("trying to bootstrap a new cluster");
    member.dcs.set_config(&first_config(&member.spilo["bootstrap"]["dcs"]));
    work.parameters = member.wanted_parameters();
    let made = spilo::bootstrap(member, &work.hba, &work.parameters).await;
    if let Err(failure) = made {
        // Half a cluster must not be taken for one in the next turn.
        member.server.stop("immediate").await?;
        std::fs::remove_dir_all(&member.server.data)?;
        return Err(failure);
    }
    work.primary = true;
    let status = member.heartbeat.status(&member.server).await?;
    member.dcs.set_initialize(&status.system_identifier);
    member.info("initialized a new cluster");
    lead(member, work, &status).await
}

/// Spilo's bootstrap.dcs with the manifest's over it.
fn first_config(manifest: &Value) -> Value {
    let mut config = json!({
        "loop_wait": 10, "maximum_lag_on_failover": 33554432, "retry_timeout": 10, "ttl": 30,
        "postgresql": {
            "parameters": {
                "archive_mode": "on", "archive_timeout": "1800s", "autovacuum_analyze_scale_factor": 0.02,
                "autovacuum_max_workers": 5, "autovacuum_vacuum_scale_factor": 0.05, "hot_standby": "on",
                "max_connections": "100", "max_replication_slots": 10, "max_wal_senders": 10, "tcp_keepalives_idle": 900,
                "tcp_keepalives_interval": 100, "track_functions": "all", "wal_compression": "on",
                "wal_level": "hot_standby", "wal_log_hints": "on",
            },
            "use_pg_rewind": true, "use_slots": true,
        },
    });
    super::dcs::merge(&mut config, manifest);
    config
}

async fn stopped(member: &Arc<Member>, work: &mut Work, leader: Option<String>, paused: bool) -> Result<(), Failure> {
    if paused {
        member.info("PAUSE: postgres is not running");
        member.info(format!("Lock owner: {}; I am {}", leader.unwrap_or_default(), member.name));
        member.dcs.release(&member.name);
        member.show(work.primary, None);
        return Ok(());
    }
    member.info(format!("Lock owner: {}; I am {}", leader.as_deref().unwrap_or("None"), member.name));
    match leader {
        Some(other) if other != member.name => {
            member.info("starting as a secondary");
            rejoin::rejoin(member, work, &other).await
        }
        // Even with the lock it comes up in recovery first and promotes itself: a new timeline.
        held => {
            let why = "starting as readonly because i had the session lock";
            member.info(if held.is_some() { why } else { "starting as a secondary" });
            member.follow(work, None).await?;
            // Without the lock it runs for it in its next turn, after every running member had one: they win
            // (observed-physical.md, 3: resume with a stopped leader promotes the other member).
            if held.is_some() { race(member, work).await } else { Ok(()) }
        }
    }
}

async fn primary(
    member: &Arc<Member>,
    work: &mut Work,
    status: &Status,
    leader: Option<String>,
    paused: bool,
) -> Result<(), Failure> {
    work.primary = true;
    match leader {
        Some(other) if other != member.name => {
            if paused {
                member.info("PAUSE: continue to run as primary without lock");
                member.show(true, Some(status));
                return Ok(());
            }
            member.info(format!("demoting self because {other} holds the lock"));
            member.server.stop("fast").await?;
            rejoin::rejoin(member, work, &other).await
        }
        _ => lead(member, work, status).await,
    }
}

/// A turn of the leader: lock, label, parameters, slots.
pub async fn lead(member: &Arc<Member>, work: &mut Work, status: &Status) -> Result<(), Failure> {
    let mut slots = status.slots.clone();
    slots.insert(conf::slot(&member.name), status.location.into());
    if !member.dcs.hold(&member.name, member.server.ip, status.location.unwrap_or(0), &slots) {
        return Ok(());
    }
    member.show(true, Some(status));
    let pause = if member.dcs.paused() { "PAUSE: " } else { "" };
    member.info(format!("{pause}no action. I am ({}), the leader with the lock", member.name));
    apply_parameters(member, work).await?;
    slots::settle(member, work).await
}

async fn replica(
    member: &Arc<Member>,
    work: &mut Work,
    status: &Status,
    leader: Option<String>,
    paused: bool,
) -> Result<(), Failure> {
    work.primary = false;
    member.show(false, Some(status));
    let Some(leader) = leader.filter(|leader| *leader != member.name || !paused) else {
        if paused {
            member.info(format!("PAUSE: no action. I am ({})", member.name));
            return Ok(());
        }
        return race(member, work).await;
    };
    if leader == member.name {
        return race(member, work).await;
    }
    member.info(format!("no action. I am ({}), a secondary, and following a leader ({leader})", member.name));
    apply_parameters(member, work).await?;
    follow_leader(member, work, status, &leader, paused).await
}

/// Points a running replica at the leader's present address; one that never streams is copied anew (its history has left the leader's).
async fn follow_leader(
    member: &Arc<Member>,
    work: &mut Work,
    status: &Status,
    leader: &str,
    paused: bool,
) -> Result<(), Failure> {
    let upstream = member.upstream(leader)?;
    let section = conf::recovery(&member.server, &member.name, Some(&upstream))?;
    let written = std::fs::read_to_string(member.server.data.join("postgresql.conf")).unwrap_or_default();
    if !written.ends_with(&section) {
        conf::write(&member.server, &work.parameters, Some(&section))?;
        member.server.sql("postgres", "SELECT pg_reload_conf()").await?;
        return Ok(());
    }
    work.turns_without_stream = if status.streaming == Some(true) { 0 } else { work.turns_without_stream + 1 };
    let leads = of_cluster(&member.context, &member.dcs).into_iter().any(|m| m.name == leader && m.server.running());
    if work.turns_without_stream >= 6 && leads && !paused {
        work.turns_without_stream = 0;
        rejoin::copy(member, work, leader).await?;
    }
    Ok(())
}

/// Nobody leads, or we do but are in recovery: promote, unless another running member has more WAL.
async fn race(member: &Arc<Member>, work: &mut Work) -> Result<(), Failure> {
    let own = member.heartbeat.status(&member.server).await?;
    let mine = own.received.max(own.location).unwrap_or(0);
    if member.dcs.leader().is_none() {
        for other in of_cluster(&member.context, &member.dcs).iter().filter(|other| other.name != member.name) {
            let Ok(status) = other.restapi.status(&other.server).await else { continue };
            if status.received.max(status.location).unwrap_or(0) > mine {
                member.info("following a different leader because i am not the healthiest node");
                return Ok(());
            }
        }
    }
    if !member.dcs.hold(&member.name, member.server.ip, mine, &own.slots) {
        return Ok(());
    }
    member.info("promoted self to leader by acquiring session lock");
    member.promote(work).await?;
    let status = member.heartbeat.status(&member.server).await?;
    lead(member, work, &status).await
}

/// Writes changed parameters of /config and reloads; those of the command line wait for a restart.
async fn apply_parameters(member: &Arc<Member>, work: &mut Work) -> Result<(), Failure> {
    let wanted = member.wanted_parameters();
    if wanted == work.parameters {
        return Ok(());
    }
    member.info("Changed parameters are being reloaded");
    conf::write(&member.server, &wanted, None)?;
    work.parameters = wanted;
    member.server.sql("postgres", "SELECT pg_reload_conf()").await.map(drop)
}

async fn reload(member: &Arc<Member>, work: &mut Work) -> Result<(), Failure> {
    work.reload = false;
    work.hba = conf::rules_of(&member.dir.join("postgres.yml"))?;
    member.info("Reloading PostgreSQL configuration.");
    conf::write_hba(&member.server, &work.hba)?;
    if member.server.running() {
        member.server.sql("postgres", "SELECT pg_reload_conf()").await?;
    }
    Ok(())
}
