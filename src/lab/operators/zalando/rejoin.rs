//! How a member that led comes back under another leader.
use super::{
    member::{Member, Work, of_cluster},
    spilo,
};
use crate::lab::servers::Failure;
use std::sync::Arc;

/// Starts the stopped member as a replica of `leader`: with its own data when the leader's history contains all of it, else with
/// a copy of the leader's. (Patroni would use pg_rewind before a copy; the result is the same.)
pub async fn rejoin(member: &Arc<Member>, work: &mut Work, leader: &str) -> Result<(), Failure> {
    if member.is_standby_on_disk() {
        return member.follow(work, Some(leader)).await;
    }
    let other = of_cluster(&member.context, &member.dcs).into_iter().find(|m| m.name == leader);
    let Some(other) = other else { return Err(Failure(format!("leader {leader} is not there"))) };
    if other.restapi.status(&other.server).await?.recovery {
        // Its timeline, and so where ours ends in it, is known only once it has been promoted.
        member.info(format!("waiting for {leader} to be promoted"));
        return Ok(());
    }
    if contained(member).await? { member.follow(work, Some(leader)).await } else { copy(member, work, leader).await }
}

/// Throws the data away and copies the leader's.
pub async fn copy(member: &Arc<Member>, work: &mut Work, leader: &str) -> Result<(), Failure> {
    member.info(format!("reinitializing from leader '{leader}'"));
    member.server.stop("immediate").await?;
    std::fs::remove_dir_all(&member.server.data)?;
    spilo::clone_from(member, &member.upstream(leader)?).await?;
    member.follow(work, Some(leader)).await
}

/// Whether the leader's timeline branched off ours after our last record: the checkpoint of a clean shutdown. After a crash
/// the last record is not known, so the answer is no. Two members that promoted themselves from the same timeline have made
/// two different ones of the same number; ours is then not in the leader's history, which is right.
async fn contained(member: &Member) -> Result<bool, Failure> {
    let data = member.server.data.display().to_string();
    let control = member.server.tool("pg_controldata", &["-D", &data]).await?;
    let field = |name: &str| {
        let line = control.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_default()
    };
    let timeline: Option<u64> = field("Latest checkpoint's TimeLineID").parse().ok();
    let history = member.dcs.history();
    let branch = history.as_array().into_iter().flatten().find(|line| line[0].as_u64() == timeline);
    let end = branch.and_then(|line| line[1].as_u64());
    let last = field("Latest checkpoint location").parse::<crate::postgres::lsn::Lsn>().ok().map(|lsn| lsn.0);
    Ok(field("Database cluster state") == "shut down" && end.zip(last).is_some_and(|(end, last)| last < end))
}
