//! One side of a comparison: sessions that share one snapshot, and questions that may fail one by one.

use super::{Data, Majors, Unseen, What, catalogue, hash::Hasher, sequences, tables};
use crate::{
    error::{Context, Error, Result},
    postgres::{Db, Literal, session::Row},
};
use futures::future::try_join_all;
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer, or why there is none.
pub(crate) type Seen = std::result::Result<String, Unseen>;

pub(crate) const SETTINGS: &str = include_str!("../postgres/sql/snapshot_settings.sql");
/// Questions put into one statement.
const BATCH: usize = 100;

/// One session inside the side's snapshot.
pub(crate) struct Session<'a> {
    db: &'a mut Db,
    /// Why no further question can be asked: the session is gone.
    lost: Option<Unseen>,
}

pub(crate) struct Side<'a> {
    pub sessions: Vec<Session<'a>>,
    /// Who holds the snapshot open, if none of them does.
    holder: Option<&'a mut Db>,
    pub major: u32,
    /// It replays another server's WAL.
    pub standby: bool,
    pub database: String,
    pub lsn: String,
}

/// What a side answered. A kind that could not be listed at all is an Err.
pub(crate) struct Answers<'w> {
    pub tables: std::result::Result<BTreeMap<String, tables::Looked>, Unseen>,
    pub sequences: std::result::Result<BTreeMap<String, sequences::Sequence>, Unseen>,
    /// kind -> facts
    pub catalogue: BTreeMap<&'static str, std::result::Result<BTreeMap<String, String>, Unseen>>,
    /// How much was asked.
    pub what: What<'w>,
}

impl<'a> Side<'a> {
    /// The first session makes the snapshot, the others join it.
    pub async fn open(sessions: &'a mut [Db]) -> Result<Self> {
        let Some((first, others)) = sessions.split_first_mut() else {
            return Err(Error::bug("a comparison without a session"));
        };
        begin(first, "").await?;
        if others.is_empty() {
            first.run(SETTINGS).await?;
        } else {
            let snapshot: String = first.value("SELECT pg_export_snapshot() AS id", &[]).await?;
            first.run(SETTINGS).await?;
            join(others, &snapshot).await?;
        }
        Side::of(std::iter::once(first).chain(others).collect(), None).await
    }

    /// All of them join a snapshot that another session holds.
    pub async fn joined(sessions: &'a mut [Db], snapshot: &str, holder: &'a mut Db) -> Result<Self> {
        join(sessions, snapshot).await?;
        Side::of(sessions.iter_mut().collect(), Some(holder)).await
    }

    async fn of(mut sessions: Vec<&'a mut Db>, holder: Option<&'a mut Db>) -> Result<Self> {
        let Some(first) = sessions.first_mut() else { return Err(Error::bug("a snapshot without a session")) };
        let mut row = first.one::<Row>(include_str!("../postgres/sql/position.sql"), &[]).await?;
        let major = number(&row, "version").unwrap_or_default() as u32 / 10000;
        let standby = row.get("standby") == Some(&Value::Bool(true));
        let mut take = |key: &str| match row.remove(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Error::failed(format!("the server does not tell its {key}"))),
        };
        let (database, lsn) = (take("database")?, take("lsn")?);
        let sessions = sessions.into_iter().map(|db| Session { db, lost: None }).collect();
        Ok(Side { sessions, holder, major, standby, database, lsn })
    }

    /// A session that is still there, if any is.
    pub fn leader(&mut self) -> &mut Session<'a> {
        let alive = self.sessions.iter().position(|s| s.lost.is_none()).unwrap_or(0);
        &mut self.sessions[alive]
    }

    pub async fn look<'w>(&mut self, what: What<'w>, majors: Majors, hasher: &Hasher) -> Answers<'w> {
        Answers {
            tables: match what.data {
                Data::None => Err("not asked".into()),
                Data::Counts => tables::look(self, None, what.throttle).await,
                Data::Fingerprints => tables::look(self, Some(hasher), what.throttle).await,
            },
            sequences: if what.sequences { sequences::look(self).await } else { Err("not asked".into()) },
            catalogue: if what.catalogue { catalogue::look(self, majors).await } else { BTreeMap::new() },
            what,
        }
    }

    /// Ends the snapshot; the settings go with it. A session that is gone has ended it too.
    pub async fn close(self) {
        let alive = self.sessions.into_iter().filter(|s| s.lost.is_none()).map(|s| s.db);
        for db in alive.chain(self.holder) {
            db.run("ROLLBACK").await.ok();
        }
    }
}

async fn join(sessions: &mut [Db], snapshot: &str) -> Result<()> {
    let then = format!("SET TRANSACTION SNAPSHOT {}; {SETTINGS}", Literal::new(snapshot));
    try_join_all(sessions.iter_mut().map(|db| begin(db, &then))).await.map(drop)
}

async fn begin(db: &mut Db, then: &str) -> Result<()> {
    // After an earlier comparison that was cut off; outside a transaction it is only a warning.
    db.run("ROLLBACK").await?;
    db.run(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {then}")).await
}

impl Session<'_> {
    pub fn lost(&self) -> Option<&Unseen> {
        self.lost.as_ref()
    }

    /// Rows, or why not. Going back to the savepoint repairs the snapshot after a failed query, and gives back the locks of
    /// every other: none is held from one question to the next.
    pub async fn ask(&mut self, query: &str) -> std::result::Result<Vec<Row>, Unseen> {
        if let Some(why) = &self.lost {
            return Err(why.clone());
        }
        let answer = self.db.rows(query, &[]).await.map_err(|e| Unseen::of(&e));
        if let Err(e) = self.db.run("ROLLBACK TO SAVEPOINT look").await.context("the session is lost") {
            self.lost = Some(Unseen::of(&e));
        }
        answer
    }

    /// Answers of one row each to questions of the same columns: many in one statement, one by one when that fails.
    pub async fn each(&mut self, queries: &[String]) -> Vec<std::result::Result<Row, Unseen>> {
        let mut answers = Vec::with_capacity(queries.len());
        for batch in queries.chunks(BATCH) {
            match self.together(batch).await {
                Some(rows) => answers.extend(rows.into_iter().map(Ok)),
                None => {
                    for query in batch {
                        let rows = self.ask(query).await;
                        answers.push(rows.and_then(|rows| rows.into_iter().next().ok_or_else(|| "no answer".into())));
                    }
                }
            }
        }
        answers
    }

    async fn together(&mut self, queries: &[String]) -> Option<Vec<Row>> {
        if queries.len() < 2 {
            return None;
        }
        let numbered =
            queries.iter().enumerate().map(|(nth, query)| format!("SELECT {nth} AS nth, q.* FROM ({query}) q"));
        let union = numbered.collect::<Vec<_>>().join(" UNION ALL ");
        let mut rows = self.ask(&union).await.ok()?;
        rows.sort_by_key(|row| number(row, "nth"));
        (rows.len() == queries.len()).then_some(rows)
    }
}

/// A column of a row as text: numbers as they are written, "" where it is null.
pub(crate) fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

pub(crate) fn number(row: &Row, name: &str) -> Option<i64> {
    row.get(name).and_then(Value::as_i64)
}
