//! The comparison's speed against others', on the same data, on this machine: `make bench-verify`.
//!
//! ROWS (default 10 million) and RUNS (default 5: medians) are taken from the environment. Two servers hold the same data,
//! and every way reads both at once with one session each, so that time is core time as long as two cores are free. The
//! ways take turns. pgcopydb's is the statement of its `compare data` (0.18, schema.c): Debian's 0.10 has no such command.
//! `reladiff` is looked for in PATH. The last measure but one is of one session an end, with both servers on one core,
//! against two on two: how much of a second core the engine makes use of.
#[path = "../tests/pair/mod.rs"]
mod pair;

use pair::{Running, directory};
use pgmigrate::verify::{self, Expectations, Verdict, What};
use std::time::{Duration, Instant};

const MD5: &str = "SELECT count(*), sum(('x'||left(md5(t::text), 16))::bit(64)::bigint) FROM t";
const PGCOPYDB: &str =
    "SELECT count(1), encode(sha256(format('%s-%s', sum(hashtext(t::text)::bigint), count(1))::bytea), 'hex') FROM t";
const COUNT: &str = "SELECT count(*) FROM t";

/// Database, one row in so many, the table `t`.
const TABLES: [(&str, u64, &str); 3] = [
    (
        "nine",
        1,
        "SELECT i::int8 AS id, (i * 7 % 1000)::int4 AS customer, 'name of '||i AS name, (i % 100000) / 100.0::numeric AS price, \
         timestamptz '2024-01-01Z' + i * interval '1 s' AS at, md5(i::text)::uuid AS u, repeat(md5(i::text), 2) AS note, \
         i % 3 = 0 AS ok, i / 7.0::float8 AS f",
    ),
    (
        "documents",
        10,
        "SELECT i::int8 AS id, jsonb_build_object('id', i, 'name', 'name of '||i, 'tags', jsonb_build_array('a', i % 7, md5(i::text)), \
         'nested', jsonb_build_object('u', md5(i::text), 'n', i / 7.0, 'none', NULL), 'text', repeat(md5(i::text), 6)) AS document",
    ),
    (
        "wide",
        50,
        "SELECT i::int8 AS id, (SELECT string_agg(md5((i * 64 + n)::text), '') FROM generate_series(1, 64) n) AS body",
    ),
];

struct Ends {
    source: Running,
    target: Running,
}

impl Ends {
    async fn both(&self, database: &str, sql: &str) -> Duration {
        let began = Instant::now();
        tokio::join!(self.source.sql(database, sql), self.target.sql(database, sql));
        began.elapsed()
    }

    async fn compare(&self, database: &str, what: What<'_>, sessions: usize) -> Duration {
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for _ in 0..sessions {
            source.push(self.source.open(database).await);
            target.push(self.target.open(database).await);
        }
        let began = Instant::now();
        // Each server has its own superuser password.
        let expected = Expectations { rehashed: vec!["postgres".into()], ..Expectations::default() };
        let report = verify::compare(&mut source, &mut target, database, what, &expected).await.expect("a comparison");
        assert_eq!(report.overall, Verdict::Pass, "{:#?}", report.problems().collect::<Vec<_>>());
        began.elapsed()
    }

    /// The second core's worth, at most 2: one session an end on one core, against two on two.
    async fn second_core(&self, database: &str, runs: u64) -> f64 {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            for (sessions, times) in [(1, &mut one), (2, &mut two)] {
                self.on_cores(sessions);
                times.push(self.compare(database, data(), sessions).await);
            }
        }
        self.on_cores(available());
        median(one) / median(two)
    }

    /// Sessions that are opened from now on.
    fn on_cores(&self, cores: usize) {
        for end in [&self.source, &self.target] {
            let (pid, list) = (end.0.pid().expect("it runs").to_string(), format!("0-{}", cores - 1));
            let set = std::process::Command::new("taskset").args(["-cp", &list, &pid]).output();
            assert!(set.is_ok_and(|set| set.status.success()), "taskset -cp {list} {pid}");
        }
    }

    /// None: it is not installed, or it failed.
    async fn reladiff(&self, database: &str) -> Option<Duration> {
        let url = |end: &Running| format!("postgresql://postgres@127.0.0.1:{}/{database}", end.0.port);
        let mut command = tokio::process::Command::new("reladiff");
        command.args([&url(&self.source), "t", &url(&self.target), "t", "-k", "id", "-c", "%", "--threads", "1"]);
        let began = Instant::now();
        let output = command.env("PGPASSWORD", "superuser").output().await.ok()?;
        if !output.status.success() || !output.stdout.is_empty() {
            println!(
                "reladiff: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            return None;
        }
        Some(began.elapsed())
    }
}

/// Rows only: what the others compare, too.
fn data() -> What<'static> {
    What { sequences: false, catalogue: false, ..What::all() }
}

fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Medians: ours, pgcopydb's, md5, count, reladiff.
async fn measure(ends: &Ends, database: &str, runs: u64) -> [Option<f64>; 5] {
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..runs {
        times[0].push(ends.compare(database, data(), 1).await);
        times[1].push(ends.both(database, PGCOPYDB).await);
        times[2].push(ends.both(database, MD5).await);
        times[3].push(ends.both(database, COUNT).await);
        times[4].extend(ends.reladiff(database).await);
    }
    times.map(|times| (!times.is_empty()).then(|| median(times)))
}

async fn bench() {
    let (rows, runs) = (number("ROWS", 10_000_000), number("RUNS", 5).max(1));
    let dir = directory();
    let (source, target) = tokio::join!(Running::start(dir.path(), "a"), Running::start(dir.path(), "b"));
    let (Some(source), Some(target)) = (source, target) else { return println!("no PostgreSQL on this machine") };
    let ends = Ends { source, target };
    println!("million rows per second and core, medians of {runs}");
    println!(
        "{:<10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "table", "rows", "ours", "pgcopydb", "md5", "count(*)", "reladiff"
    );
    let mut last = String::new();
    for (database, every, select) in TABLES {
        let rows = rows / every;
        // One after the other: CREATE DATABASE cannot be in one transaction with others.
        ends.both("postgres", &format!("CREATE DATABASE {database}")).await;
        let no_parallel = format!("ALTER DATABASE {database} SET max_parallel_workers_per_gather = 0");
        ends.both("postgres", &no_parallel).await;
        let fill = format!(
            "CREATE TABLE t AS {select} FROM generate_series(1, {rows}) i; ALTER TABLE t ADD PRIMARY KEY (id); VACUUM ANALYZE t;"
        );
        ends.both(database, &fill).await;
        let seconds = measure(&ends, database, runs).await;
        let speed = seconds.map(|s| s.map_or("-".into(), |s| format!("{:.2}", rows as f64 / s / 1e6)));
        let [ours, pgcopydb, md5, count, reladiff] = speed;
        println!("{database:<10} {rows:>10} {ours:>8} {pgcopydb:>8} {md5:>8} {count:>8} {reladiff:>8}");
        if available() >= 2 && last.is_empty() {
            println!("{database:<10} one core to two: {:.2}x as fast", ends.second_core(database, runs).await);
        }
        if let [Some(ours), others @ ..] = seconds
            && last.is_empty()
        {
            let names = ["pgcopydb", "md5", "count(*)", "reladiff"];
            let ratios = names.iter().zip(others).filter_map(|(n, s)| Some(format!("vs {n} {:.2}x", s? / ours)));
            last = ratios.collect::<Vec<_>>().join(", ");
        }
    }
    let create = "SELECT format('CREATE TABLE t%s ()', i) FROM generate_series(1, 10000) i \\gexec";
    ends.both("postgres", "CREATE DATABASE many").await;
    ends.both("many", create).await;
    let data = ends.compare("many", What { catalogue: false, ..What::all() }, 1).await;
    let all = ends.compare("many", What::all(), 1).await;
    println!("10,000 empty tables: {:.1} s, with the catalogue {:.1} s", data.as_secs_f64(), all.as_secs_f64());
    println!("memory of this program at most: {}", memory());
    println!("{last}");
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.map_or("unknown".into(), |kb| kb.trim().to_owned())
}

fn main() {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(bench());
}
