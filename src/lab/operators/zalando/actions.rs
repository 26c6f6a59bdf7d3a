//! What POST requests do to members: restart in place, switchover.
use super::{
    ha,
    manifest::text,
    member::{Member, of_cluster},
};
use crate::lab::servers::Failure;
use serde_json::Value;
use std::sync::Arc;

/// Status code and text of the answer.
pub type Answer = (u16, String);

/// POST /restart: in place, no new timeline; the way back of a leader that was stopped in pause. The lock, the label and the
/// Endpoints come back with it, not at the next turn.
pub async fn restart(member: &Arc<Member>, body: &Value) -> Answer {
    if body["restart_pending"] == true && !member.restart_needed().await {
        return (503, "restart conditions are not satisfied".into());
    }
    let mut work = member.work.lock().await;
    member.info("restart initiated");
    let done = async {
        member.server.stop("fast").await?;
        member.start_as_is(&mut work).await?;
        let status = member.heartbeat.status(&member.server).await?;
        if status.recovery {
            member.show(false, Some(&status));
            return Ok(());
        }
        ha::lead(member, &mut work, &status).await
    };
    let done: Result<(), Failure> = done.await;
    match done {
        Ok(()) => (200, "restarted successfully".into()),
        Err(failure) => {
            member.error("restart", &failure);
            (503, "restart failed".into())
        }
    }
}

/// POST /switchover {"leader": ..., "candidate": ...}: the leader stops, everything it wrote reaches the candidate, the
/// candidate leads on a new timeline, the old leader follows it.
pub async fn switchover(any: &Arc<Member>, body: &Value) -> Answer {
    let (wanted, candidate) = (text(&body["leader"]), text(&body["candidate"]));
    let (leader, candidate) = match parties(any, &wanted, &candidate) {
        Ok(parties) => parties,
        Err(answer) => return answer,
    };
    match hand_over(&leader, &candidate).await {
        Ok(()) => (200, format!("Successfully switched over to \"{}\"", candidate.name)),
        Err(failure) => {
            leader.error("switchover", &failure);
            (503, "Switchover failed".into())
        }
    }
}

fn parties(any: &Arc<Member>, wanted: &str, candidate: &str) -> Result<(Arc<Member>, Arc<Member>), Answer> {
    let refuse = |text: &str| (412, text.to_owned());
    if wanted.is_empty() {
        return Err((400, "Switchover could be performed only from a specific leader".into()));
    }
    if candidate.is_empty() && any.dcs.paused() {
        return Err((400, "Switchover is possible only to a specific candidate in a paused state".into()));
    }
    let members = of_cluster(&any.context, &any.dcs);
    let leader = any.dcs.leader().filter(|leader| leader == wanted);
    let leader = leader.and_then(|name| members.iter().find(|m| m.name == name).cloned());
    let leader = leader.ok_or_else(|| refuse("leader name does not match"))?;
    let mut others = members.iter().filter(|m| m.name != leader.name && m.server.running());
    let found = others.find(|m| candidate.is_empty() || m.name == candidate).cloned();
    let found = found.ok_or_else(|| refuse("no good candidates have been found"))?;
    Ok((leader, found))
}

async fn hand_over(leader: &Arc<Member>, candidate: &Arc<Member>) -> Result<(), Failure> {
    let mut old = leader.work.lock().await;
    leader.info(format!("Got switchover request to {}", candidate.name));
    // A fast shutdown waits until its receivers have everything.
    leader.server.stop("fast").await?;
    let mut new = candidate.work.lock().await;
    let status = candidate.heartbeat.status(&candidate.server).await?;
    // No await between the two: nobody else can take the lock.
    leader.dcs.release(&leader.name);
    candidate.dcs.hold(&candidate.name, candidate.server.ip, status.location.unwrap_or(0), &status.slots);
    candidate.info("promoted self to leader by acquiring session lock");
    candidate.promote(&mut new).await?;
    let status = candidate.heartbeat.status(&candidate.server).await?;
    ha::lead(candidate, &mut new, &status).await?;
    drop(new);
    leader.follow(&mut old, Some(&candidate.name)).await?;
    let status = leader.heartbeat.status(&leader.server).await?;
    leader.show(false, Some(&status));
    Ok(())
}
