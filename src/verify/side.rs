//! One side of a comparison: a snapshot, and questions that may fail one by one.

use super::{Data, Majors, What, catalogue, sequences, tables};
use crate::{
    error::{Context, Error, Result},
    facts::redact::redact,
    postgres::{Db, session::Row},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer, or why there is none.
pub(crate) type Seen = std::result::Result<String, String>;

pub(crate) struct Side<'a> {
    db: &'a mut Db,
    pub major: u32,
    pub database: String,
    pub lsn: String,
    /// Why no further question can be asked: the session is gone.
    lost: Option<String>,
}

/// What a side answered. A kind that could not be listed at all is an Err.
pub(crate) struct Answers {
    pub tables: std::result::Result<BTreeMap<String, tables::Table>, String>,
    pub sequences: std::result::Result<BTreeMap<String, Seen>, String>,
    /// kind -> facts
    pub catalogue: BTreeMap<&'static str, std::result::Result<BTreeMap<String, String>, String>>,
    /// How much was asked.
    pub what: What,
}

impl<'a> Side<'a> {
    pub async fn open(db: &'a mut Db) -> Result<Self> {
        let identity = db.identity().await?;
        // After an earlier comparison that was cut off; outside a transaction it is only a warning.
        db.run("ROLLBACK").await?;
        db.run(include_str!("../postgres/sql/snapshot.sql")).await?;
        let mut row = db.one::<Row>(include_str!("../postgres/sql/position.sql"), &[]).await?;
        let mut take = |key: &str| match row.remove(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Error::failed(format!("the server does not tell its {key}"))),
        };
        let (database, lsn) = (take("database")?, take("lsn")?);
        Ok(Side { db, major: identity.version_num / 10000, database, lsn, lost: None })
    }

    pub async fn look(&mut self, what: What, majors: Majors) -> Answers {
        Answers {
            tables: match what.data {
                Data::None => Err("not asked".into()),
                data => tables::look(self, data).await,
            },
            sequences: if what.sequences { sequences::look(self).await } else { Err("not asked".into()) },
            catalogue: if what.catalogue { catalogue::look(self, majors).await } else { BTreeMap::new() },
            what,
        }
    }

    /// Ends the snapshot; the settings go with it. A session that is gone has ended it too.
    pub async fn close(self) {
        if self.lost.is_none() {
            self.db.run("ROLLBACK").await.ok();
        }
    }

    /// Rows, or why not. A failed query does not spoil the snapshot: the savepoint brings it back.
    pub async fn ask(&mut self, query: &str) -> std::result::Result<Vec<Row>, String> {
        if let Some(why) = &self.lost {
            return Err(why.clone());
        }
        let error = match self.db.rows(query, &[]).await {
            Ok(rows) => return Ok(rows),
            Err(e) => redact(&e.chain()),
        };
        if let Err(e) = self.db.run("ROLLBACK TO SAVEPOINT look").await.context("the session is lost") {
            self.lost = Some(redact(&e.chain()));
        }
        Err(error)
    }
}

/// A column of a row as text: numbers as they are written, "" where it is null.
pub(crate) fn column(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
