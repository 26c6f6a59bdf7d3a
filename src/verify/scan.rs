//! Every table's fingerprint, read in pieces by all sessions of a side.
//!
//! A fingerprint is a number of rows and the sum of their hashes: it does not depend on the rows' order, and those of parts
//! add up. So each side cuts its tables by its own pages (`ctid`, as cheap as reading them from end to end, with or without
//! a key), and the two need not be cut alike. A piece is sized by the time that the last one took, so that no query is long.

use super::{
    Throttle, Unseen,
    hash::Hasher,
    side::{Session, Side, number, text},
    tables::Table,
};
use crate::postgres::session::Row;
use futures::future::join_all;
use std::{
    fmt,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a piece should take.
const PIECE: Duration = Duration::from_secs(1);
/// Pages of the first piece of a table (16 MB), and of small tables that go into one statement.
const FIRST: u64 = 2048;
/// Small tables in one statement, at most.
const TOGETHER: usize = 100;

/// Any single change is missed once in 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub rows: i64,
    sum: i128,
}

impl Fingerprint {
    /// Columns of a query over rows with this hash. PostgreSQL sums bigints in 128 bits, and makes a numeric of the total.
    pub fn columns(hash: &str) -> String {
        format!("count(*) AS n, coalesce(sum({hash}), 0)::text AS digest")
    }

    pub fn read(row: &Row) -> Result<Fingerprint, Unseen> {
        match (number(row, "n"), text(row, "digest").parse()) {
            (Some(rows), Ok(sum)) => Ok(Fingerprint { rows, sum }),
            _ => Err("the answer is no fingerprint".into()),
        }
    }

    fn add(&mut self, other: Fingerprint) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// All of it: what is told alike is alike.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, digest {}", self.rows, self.sum)
    }
}

type Scanned = Result<Fingerprint, Unseen>;

/// `rows`: a WHERE clause over relation `r`, or nothing.
pub(crate) fn query(table: &Table, rows: &str, hasher: Option<&Hasher>) -> String {
    match hasher {
        Some(hasher) => {
            let columns = Fingerprint::columns(&hasher.row(&table.columns));
            format!("SELECT {columns} FROM ONLY {} r{rows}", table.name)
        }
        None => format!("SELECT count(*) AS n, '0' AS digest FROM ONLY {} r{rows}", table.name),
    }
}

/// The fingerprint of each table, or why there is none; without a hasher the rows are only counted.
pub(crate) async fn fingerprints(
    side: &mut Side<'_>,
    tables: &[&Table],
    hasher: Option<&Hasher>,
    throttle: Option<&Throttle>,
) -> Vec<Scanned> {
    // Ranges of ctid are scanned as such since 14; before, every piece would read the whole table.
    let work = Mutex::new(Work::new(tables, side.major >= 14));
    let lock = || work.lock().unwrap_or_else(PoisonError::into_inner);
    // Again when a session was lost after the others had ended: they go on with its piece, in the same snapshot.
    while lock().left() && side.sessions.iter().any(|s| s.lost().is_none()) {
        join_all(side.sessions.iter_mut().map(|session| scan(session, &lock, hasher, throttle))).await;
    }
    let why = side.leader().lost().cloned().unwrap_or_else(|| "no answer".into());
    let mut work = lock();
    while let Some(task) = work.next() {
        task.iter().for_each(|piece| work.done[piece.table] = Err(why.clone()));
    }
    std::mem::take(&mut work.done)
}

async fn scan<'w, 't: 'w>(
    session: &mut Session<'_>,
    lock: &(impl Fn() -> MutexGuard<'w, Work<'t>> + Sync),
    hasher: Option<&Hasher>,
    throttle: Option<&Throttle>,
) {
    while session.lost().is_none() {
        if let Some(throttle) = throttle {
            throttle.pass().await;
        }
        let Some((task, queries)) = lock().task(hasher) else { return };
        let began = Instant::now();
        let answers = session.each(&queries).await;
        match session.lost() {
            Some(_) => lock().again.push(task),
            None => lock().took(&task, answers, began.elapsed()),
        }
    }
}

/// A table, or pages of it; the last of them open-ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    table: usize,
    pages: Option<Range<u64>>,
}

/// A table of many pages: from which on it is unread, and how many to read next.
struct Big {
    table: usize,
    next: u64,
    stride: u64,
}

struct Work<'t> {
    tables: &'t [&'t Table],
    done: Vec<Scanned>,
    /// By size: the biggest are read first, lest one of them be left to one session at the end.
    big: Vec<Big>,
    small: Vec<usize>,
    /// What a session that was lost left undone.
    again: Vec<Vec<Piece>>,
}

impl<'t> Work<'t> {
    fn new(tables: &'t [&'t Table], cut: bool) -> Self {
        let mut by_size: Vec<usize> = (0..tables.len()).filter(|&t| tables[t].readable()).collect();
        by_size.sort_by_key(|&t| tables[t].blocks);
        let (big, small) = by_size.into_iter().partition(|&t| cut && tables[t].blocks > FIRST);
        let begin = |table: usize| Big { table, next: 0, stride: FIRST };
        let big = Vec::into_iter(big).map(begin).collect();
        Work { tables, done: vec![Ok(Fingerprint::default()); tables.len()], big, small, again: Vec::new() }
    }

    fn left(&self) -> bool {
        !(self.big.is_empty() && self.small.is_empty() && self.again.is_empty())
    }

    fn task(&mut self, hasher: Option<&Hasher>) -> Option<(Vec<Piece>, Vec<String>)> {
        let task = self.next()?;
        let queries = task.iter().map(|piece| self.query(piece, hasher)).collect();
        Some((task, queries))
    }

    fn next(&mut self) -> Option<Vec<Piece>> {
        if let Some(task) = self.again.pop() {
            return Some(task);
        }
        let Some(big) = self.big.last_mut() else { return self.several() };
        let pages = big.next..big.next + big.stride;
        let (table, end) = (big.table, pages.end);
        big.next = end;
        let last = end >= self.tables[table].blocks;
        if last {
            self.big.pop();
        }
        let pages = if last { pages.start..u64::MAX } else { pages };
        Some(vec![Piece { table, pages: Some(pages) }])
    }

    /// Small tables, as many as are together no bigger than a first piece.
    fn several(&mut self) -> Option<Vec<Piece>> {
        let (mut task, mut pages) = (Vec::new(), 0);
        while let Some(&table) = self.small.last() {
            pages += self.tables[table].blocks;
            if !task.is_empty() && (pages > FIRST || task.len() == TOGETHER) {
                break;
            }
            self.small.pop();
            task.push(Piece { table, pages: None });
        }
        (!task.is_empty()).then_some(task)
    }

    fn query(&self, piece: &Piece, hasher: Option<&Hasher>) -> String {
        let table = self.tables[piece.table];
        let pages = match &piece.pages {
            None => String::new(),
            Some(Range { start, end: u64::MAX }) => format!(" WHERE r.ctid >= '({start},0)'"),
            Some(Range { start, end }) => format!(" WHERE r.ctid >= '({start},0)' AND r.ctid < '({end},0)'"),
        };
        query(table, &pages, hasher)
    }

    fn took(&mut self, task: &[Piece], answers: Vec<Result<Row, Unseen>>, time: Duration) {
        for (piece, answer) in task.iter().zip(answers) {
            match (&mut self.done[piece.table], answer.and_then(|row| Fingerprint::read(&row))) {
                (Ok(sum), Ok(part)) => sum.add(part),
                (done, Err(why)) => {
                    *done = Err(why);
                    self.big.retain(|big| big.table != piece.table);
                }
                (Err(_), Ok(_)) => {}
            }
            if let Some(big) = self.big.iter_mut().find(|big| big.table == piece.table) {
                let factor = (PIECE.as_secs_f64() / time.as_secs_f64().max(0.001)).clamp(0.25, 4.0);
                let read = piece.pages.as_ref().map_or(FIRST, |pages| pages.end - pages.start);
                big.stride = ((read as f64 * factor) as u64).max(64);
            }
        }
    }
}
