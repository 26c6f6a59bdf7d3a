//! The comparison on real servers: what is equal passes, and each single change is found and located.
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

impl Pair {
    async fn start() -> Option<Pair> {
        let dir = directory();
        let (source, target) = tokio::join!(Running::start(dir.path(), "a"), Running::start(dir.path(), "b"));
        let (Some(source), Some(target)) = (source, target) else {
            eprintln!("no PostgreSQL on this machine: nothing was tested");
            return None;
        };
        Some(Pair { source, target, _dir: dir })
    }

    async fn both(&self, database: &str, sql: &str) {
        tokio::join!(self.source.sql(database, sql), self.target.sql(database, sql));
    }

    /// The target's database is made anew out of a dump of the source's.
    async fn restore(&self, database: &str) {
        let (from, to) = (&self.source.0, &self.target.0);
        let file = from.socket.join("dump").display().to_string();
        let (s, t) = (from.socket.display().to_string(), to.socket.display().to_string());
        let (sp, tp) = (from.port.to_string(), to.port.to_string());
        self.target.sql("postgres", &format!("DROP DATABASE IF EXISTS {database}")).await;
        let args = ["-h", &s, "-p", &sp, "-U", "postgres", "-Fc", "-f", &file, database];
        self.source.0.tool("pg_dump", &args).await.expect("pg_dump");
        let args = ["-h", &t, "-p", &tp, "-U", "postgres", "--create", "-d", "postgres", &file];
        self.target.0.tool("pg_restore", &args).await.expect("pg_restore");
    }

    async fn sessions(&self, database: &str) -> (Vec<Db>, Vec<Db>) {
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for _ in 0..SESSIONS {
            source.push(self.source.open(database).await);
            target.push(self.target.open(database).await);
        }
        (source, target)
    }

    async fn compare(&self, database: &str, what: What<'_>) -> Report {
        let (mut source, mut target) = self.sessions(database).await;
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
