//! The fence on the running source: a pg_hba that lets in nobody but the migration's role, sessions ended, and proof.
//!
//! Written into Patroni's file (so that it lasts over a restart) and into the server's (so that it holds at once) in every
//! member. No NOLOGIN, no connection limit, no read-only setting: those would travel to the target with the dump, and a
//! superuser walks past them. Undone by the copies kept in the pods, a reload, and a look that the old rules are in
//! force. A crash leaves some members fenced; running again, or undoing, finishes it.

use super::{hba, quiet, source_pod};
use crate::{
    error::{Context, Error, Result},
    facts::zalando,
    postgres::{Db, wire},
    step::*,
    steps::pause_patroni,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub struct HbaFence {
    /// The one role that is let in.
    pub role: String,
    /// The databases whose quiet is watched from here on.
    pub databases: Vec<String>,
}

pub const ID: &str = "fence-source";
/// Rounds in a row that must find nobody connected.
const EMPTY_ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_millis(50);
const TERMINATE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Found {
    found: i64,
}

impl HbaFence {
    /// Ends every session that came through the network, until several looks in a row find none.
    async fn empty(&self, world: &World, db: &mut Db) -> Result<i64> {
        let began = Instant::now();
        let (mut rounds, mut ended) = (0, 0);
        while rounds < EMPTY_ROUNDS {
            let query = include_str!("../../postgres/sql/terminate_clients.sql");
            let found =
                db.one::<Found>(query, &[self.role.as_str()]).await.context("ending the source's sessions")?.found;
            rounds = if found == 0 { rounds + 1 } else { 0 };
            ended += found;
            if began.elapsed() > TERMINATE {
                return Err(Error::failed(format!("{found} sessions at the source do not end")));
            }
            world.sleep(ROUND).await?;
        }
        Ok(ended)
    }

    /// A superuser's login through the network must be refused, and by the fence.
    async fn refused(&self, world: &World, leader: &str) -> Result<&'static str> {
        let Ok((user, password)) = zalando::credentials(&world.kube, &world.migration.source, "postgres").await else {
            return Ok("no login was tried: the superuser's Secret may not be read");
        };
        let login = wire::Login { pod: leader, user: &user, password: &password, database: "postgres", ca: None };
        match wire::connect(&world.kube, login).await {
            Ok(_) => Err(Error::failed(format!("the source is not fenced: {user} could log in to {leader}"))),
            Err(e) if e.chain().contains("pg_hba.conf") => Ok("a superuser's login is refused by pg_hba.conf"),
            Err(e) => Err(Error::failed("the login that the fence should have refused failed in another way").cause(e)),
        }
    }
}

/// The rules in force must be the fence's and nothing else.
pub async fn in_force(db: &mut Db, role: &str) -> Result<bool> {
    Ok(hba::rules(db).await? == hba::fence(role))
}

#[async_trait::async_trait]
impl Step for HbaFence {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "fence the source by pg_hba".into(),
            details: format!(
                "lets in the role {} and nobody else, superusers included, on every member; ends all sessions; proves it \
                 by a refused login; undone by the old rules",
                self.role
            ),
            objects: vec!["postgresql/<source>".into()],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        let rules = json!(hba::fence(&self.role).join("\n"));
        let file = Sent::Call { at: "every member of the source".into(), call: "pg_hba.conf".into(), body: rules };
        vec![file, pause_patroni::sent("the source, every member", "POST /reload", json!({}))]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        let mut db = source_pod(world, &source.leader, "postgres").await?;
        if !in_force(&mut db, &self.role).await? {
            return Ok(Observed::Absent);
        }
        // Rules keep out who comes; who was in before stays, where the runner was lost between the two. A login under way
        // has no user yet, and will be refused.
        let sessions = "SELECT count(*) AS found FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' \
            AND client_addr IS NOT NULL AND pid <> pg_backend_pid() AND usename <> $1";
        let found =
            db.value::<i64>(sessions, &[self.role.as_str()]).await.context("looking for the source's sessions")?;
        Ok(match found {
            0 => Observed::Done,
            found => Observed::Partial(format!("{found} sessions from before the fence are still there")),
        })
    }
    /// The rules as they are, without their options: what undo waits for. The files themselves stay in the pods.
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        let mut db = source_pod(world, &source.leader, "postgres").await?;
        let members: Vec<&str> = source.members.iter().map(|m| m.pod.as_str()).collect();
        Ok(json!({ "leader": source.leader, "members": members, "rules": hba::rules(&mut db).await? }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        let mut db = source_pod(world, &source.leader, "postgres").await?;
        let rules = hba::fence(&self.role);
        let writes = source.members.iter().map(|m| hba::write(&world.kube, &m.pod, &rules));
        futures::future::try_join_all(writes).await?;
        db.value::<bool>("SELECT pg_reload_conf() AS done", &[]).await?;
        let ended = self.empty(world, &mut db).await?;
        let login = self.refused(world, &source.leader).await?;
        if !in_force(&mut db, &self.role).await? {
            return Err(Error::failed(
                "the source is not fenced: its pg_hba.conf holds other rules than those written",
            ));
        }
        let baseline = quiet::baseline(world, &source.leader, &self.databases).await?;
        Ok(
            json!({ "note": format!("{ended} sessions ended; {login}"), "login": login, "rules": rules, "baseline": baseline }),
        )
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        let source = zalando::source(&world.kube, &world.migration.source).await?;
        hba::restore(&world.kube, &source.leader).await?;
        let mut db = source_pod(world, &source.leader, "postgres").await?;
        db.value::<bool>("SELECT pg_reload_conf() AS done", &[]).await?;
        let others = source.members.iter().filter(|m| m.pod != source.leader);
        futures::future::try_join_all(others.map(|m| hba::restore(&world.kube, &m.pod))).await?;
        self.open(world, &mut db, receipt).await?;
        futures::future::try_join_all(source.members.iter().map(|m| hba::forget(&world.kube, &m.pod))).await.map(drop)
    }
}

impl HbaFence {
    /// Waits for the old rules; Patroni writes the file once more when its reload comes, seconds later.
    async fn open(&self, world: &World, db: &mut Db, receipt: &Receipt) -> Result<()> {
        let began = Instant::now();
        loop {
            let now = hba::rules(db).await?;
            if json!(now) == receipt["rules"] || receipt["rules"] == Value::Null && now != hba::fence(&self.role) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(60) {
                return Err(Error::failed(format!(
                    "the source's old pg_hba rules are not back: it has {}",
                    now.join("; ")
                ))
                .hint(format!("kubectl pgmigrate rollback {}", world.migration.name)));
            }
            world.events.detail("waiting for the source's old pg_hba rules");
            world.sleep(Duration::from_millis(250)).await?;
        }
    }
}
