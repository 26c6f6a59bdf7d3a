//! The comparison on real servers: what is equal passes, and each single change is found and located.
//!
//! Random cases and mutations run on every pair of an older and a newer major that is found: where Debian and the RPMs have
//! them, and in the directories of PGMIGRATE_PG_BIN (`/a/13/bin:/a/17/bin`: with initdb, postgres built with TLS; client
//! programs that are missing there are taken from PATH). The other tests take the oldest to the newest.
#[path = "../pair/mod.rs"]
mod pair;

mod cases;
mod doubt;
mod indexes;
mod live;
mod mutations;
mod random;

use pair::{Running, directory};
use pgmigrate::{
    lab::servers::{self, Install},
    postgres::Db,
    verify::{self, Code, Data, Difference, Expectations, Item, Report, Verdict, What},
};

/// Sessions on each side.
const SESSIONS: usize = 2;
const DATA: What<'static> = What {
    data: Data::Fingerprints,
    sequences: true,
    catalogue: false,
    strict: false,
    sha256: false,
    seed: 7,
    rows: 5,
    values: false,
    refresh: true,
    throttle: None,
};

/// Two servers, or None where there is no PostgreSQL.
struct Pair {
    source: Running,
    target: Running,
    _dir: tempfile::TempDir,
}

/// Each major to itself and to every newer one, the oldest to the newest first.
fn majors() -> Vec<(Install, Install)> {
    let newest_first = servers::installs();
    if newest_first.is_empty() {
        eprintln!("no PostgreSQL on this machine: nothing was tested");
    }
    let to = |(place, older): (usize, &Install)| {
        newest_first[..=place].iter().map(|newer| (older.clone(), newer.clone())).collect::<Vec<_>>()
    };
    newest_first.iter().enumerate().rev().flat_map(to).collect()
}

impl Pair {
    async fn start() -> Option<Pair> {
        let (older, newer) = majors().into_iter().next()?;
        Some(Pair::of(older, newer).await)
    }

    async fn of(older: Install, newer: Install) -> Pair {
        let dir = directory();
        let (source, target) = (Running::of(older, dir.path(), "a"), Running::of(newer, dir.path(), "b"));
        let (source, target) = tokio::join!(source, target);
        Pair { source, target, _dir: dir }
    }

    async fn both(&self, database: &str, sql: &str) {
        tokio::join!(self.source.sql(database, sql), self.target.sql(database, sql));
    }

    /// The target's database is made anew out of a dump of the source's. Its own pg_dump: an older minor version's may not
    /// know what it has to leave out (15.20 marks columns with `pg_attver`).
    async fn restore(&self, database: &str) {
        let (from, to) = (&self.source.0, &self.target.0);
        let file = from.socket.join("dump").display().to_string();
        let (s, t) = (from.socket.display().to_string(), to.socket.display().to_string());
        let (sp, tp) = (from.port.to_string(), to.port.to_string());
        self.target.sql("postgres", &format!("DROP DATABASE IF EXISTS {database}")).await;
        self.target.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0")).await;
        let args = ["-h", &s, "-p", &sp, "-U", "postgres", "-Fc", "-f", &file, database];
        self.source.0.tool("pg_dump", &args).await.expect("pg_dump");
        let args = ["-h", &t, "-p", &tp, "-U", "postgres", "-d", database, &file];
        self.target.0.tool("pg_restore", &args).await.expect("pg_restore");
    }

    async fn sessions(&self, database: &str, number: usize) -> (Vec<Db>, Vec<Db>) {
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for _ in 0..number {
            source.push(self.source.open(database).await);
            target.push(self.target.open(database).await);
        }
        (source, target)
    }

    async fn compare(&self, database: &str, what: What<'_>) -> Report {
        self.compare_by(SESSIONS, database, what).await
    }

    /// With this many sessions on each side.
    async fn compare_by(&self, number: usize, database: &str, what: What<'_>) -> Report {
        let (mut source, mut target) = self.sessions(database, number).await;
        let expected = Expectations { refreshed: true, ..Expectations::default() };
        verify::compare(&mut source, &mut target, database, what, &expected).await.expect("a comparison")
    }
}

fn found<'r>(report: &'r Report, name: &str) -> &'r Item {
    report.items.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("{name} is not in {report:#?}"))
}

fn told(rows: &[Difference]) -> Vec<String> {
    rows.iter().map(Difference::to_string).collect()
}

#[track_caller]
fn passes(report: &Report) {
    assert_eq!(report.overall, Verdict::Pass, "{:#?}", report.problems().collect::<Vec<_>>());
}
