//! A comparison beside a running app gives way to it: no piece of a table is begun while too many others are at work at the
//! source, or while one of its standbys is too far behind. Pieces take about a second, and so does a look at the source.

use crate::{error::Result, postgres::Db};
use futures::future::BoxFuture;
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio::sync::watch;

/// What is not yet too much.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sessions at work at the source, this program's own not counted.
    pub active: u64,
    /// Bytes of WAL that the last of the source's standbys has yet to replay.
    pub lag: u64,
}

#[derive(Debug, Deserialize)]
struct Load {
    active: u64,
    lag: u64,
}

#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    /// Why nothing may be begun; None: it may.
    why: watch::Sender<Option<String>>,
}

const PACE: Duration = Duration::from_secs(1);

impl Throttle {
    pub fn new(limits: Limits) -> Throttle {
        Throttle { limits, why: watch::Sender::new(Some("the source's load is not known yet".into())) }
    }

    /// Looks at the source again and again, through a session of its own; ends when it is dropped. A source that can't be
    /// looked at is taken for busy. `said` is told each change.
    pub async fn gauge<'a>(&self, open: impl Fn() -> BoxFuture<'a, Result<Db>>, said: impl Fn(&str)) -> Infallible {
        loop {
            match open().await {
                Ok(mut db) => {
                    let why = self.follow(&mut db, &said).await;
                    self.set(Some(why), &said);
                }
                Err(error) => self.set(Some(format!("the source's load can't be seen: {}", error.chain())), &said),
            }
            tokio::time::sleep(PACE).await;
        }
    }

    async fn follow(&self, db: &mut Db, said: &impl Fn(&str)) -> String {
        loop {
            match db.one::<Load>(include_str!("../postgres/sql/load.sql"), &[]).await {
                Ok(load) => self.set(self.limits.exceeded(&load), said),
                Err(error) => return format!("the source's load can't be seen: {}", error.chain()),
            }
            tokio::time::sleep(PACE).await;
        }
    }

    fn set(&self, why: Option<String>, said: &impl Fn(&str)) {
        if *self.why.borrow() != why {
            said(&why.as_ref().map_or_else(|| "comparing".into(), |why| format!("pausing: {why}")));
        }
        self.why.send_replace(why);
    }

    pub(crate) async fn pass(&self) {
        self.why.subscribe().wait_for(Option::is_none).await.ok();
    }
}

impl Limits {
    fn exceeded(&self, load: &Load) -> Option<String> {
        let (mib, Limits { active, lag }) = (1 << 20, self);
        if load.active > *active {
            return Some(format!("{} sessions are at work at the source (limit {active})", load.active));
        }
        (load.lag > *lag).then(|| format!("a standby has {} MiB to replay (limit {} MiB)", load.lag / mib, lag / mib))
    }
}
