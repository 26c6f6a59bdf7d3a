//! Random tables with random rows: a dump's copy passes on every pair of majors on this machine, a random change fails.
use super::*;
use proptest::{prelude::*, sample::select, test_runner::TestRunner};

/// Type, a random value, the value changed.
const TYPES: [(&str, &str, &str); 14] = [
    ("int", "random() * 1000", "v + 1"),
    ("bigint", "random() * 1e15", "-v - 1"),
    ("text", "md5(random()::text)", "v || ' '"),
    ("varchar(40)", "left(md5(random()::text), 7)", "upper(v) || '.'"),
    ("numeric", "round(random()::numeric, 5)", "v + 0.00001"),
    ("float8", "random()", "v + 1"),
    ("bool", "random() < 0.5", "NOT v"),
    ("timestamptz", "now() + random() * interval '1 year'", "v + interval '1 microsecond'"),
    ("date", "current_date + (random() * 1000)::int", "v - 1"),
    ("uuid", "md5(random()::text)::uuid", "md5(v::text)::uuid"),
    ("bytea", "decode(md5(random()::text), 'hex')", "v || '\\x00'"),
    ("jsonb", "jsonb_build_object('a', random())", "jsonb_build_array(v)"),
    ("int[]", "ARRAY[(random() * 9)::int, NULL]", "ARRAY[v, v]"),
    ("interval", "random() * interval '1 day'", "v + interval '1 day' - interval '24 hours'"),
];

#[derive(Debug, Clone)]
struct Table {
    columns: Vec<(&'static str, &'static str, &'static str)>,
    rows: u32,
    key: bool,
}

#[derive(Debug, Clone)]
struct Case {
    tables: Vec<Table>,
    seed: f64,
    /// Which table, column, row, and how it is changed.
    change: (usize, usize, u32, Change),
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Value,
    Null,
    Delete,
    Duplicate,
}

fn cases() -> impl Strategy<Value = Case> {
    let table = (proptest::collection::vec(select(&TYPES[..]), 1..9), 1..3000_u32, any::<bool>());
    let table = table.prop_map(|(columns, rows, key)| Table { columns, rows, key });
    let change = select(&[Change::Value, Change::Null, Change::Delete, Change::Duplicate][..]);
    let change = (any::<usize>(), any::<usize>(), any::<u32>(), change);
    (proptest::collection::vec(table, 1..5), 0.0..1.0, change).prop_map(|(tables, seed, change)| Case {
        tables,
        seed,
        change,
    })
}

impl Case {
    fn sql(&self) -> String {
        let mut sql = format!("SELECT setseed({});", self.seed);
        for (n, table) in self.tables.iter().enumerate() {
            let key = if table.key { " PRIMARY KEY" } else { "" };
            let columns: String =
                table.columns.iter().enumerate().map(|(c, (kind, ..))| format!(", c{c} {kind}")).collect();
            let value = |(_, random, _): &(_, &str, _)| format!(", CASE WHEN random() > 0.1 THEN {random} END");
            let values: String = table.columns.iter().map(value).collect();
            sql += &format!(
                "CREATE TABLE t{n} (id int{key}{columns}); INSERT INTO t{n} SELECT i{values} FROM generate_series(1, {}) i;",
                table.rows
            );
        }
        sql
    }

    fn changed(&self) -> usize {
        self.change.0 % self.tables.len()
    }

    /// One row of one table becomes another, goes, or comes twice.
    fn tamper(&self) -> String {
        let n = self.changed();
        let table = &self.tables[n];
        let (c, id) = (self.change.1 % table.columns.len(), 1 + self.change.2 % table.rows);
        let (kind, random, changed) = table.columns[c];
        let v = changed.replace('v', &format!("(c{c})"));
        let v = if changed.contains("interval") { changed.replacen('v', &format!("(c{c})"), 1) } else { v };
        match self.change.3 {
            Change::Delete => format!("DELETE FROM t{n} WHERE id = {id}"),
            Change::Duplicate if !table.key => format!("INSERT INTO t{n} SELECT * FROM t{n} WHERE id = {id}"),
            Change::Null => {
                format!("UPDATE t{n} SET c{c} = CASE WHEN c{c} IS NULL THEN ({random})::{kind} END WHERE id = {id}")
            }
            _ => format!("UPDATE t{n} SET c{c} = coalesce({v}, {random}) WHERE id = {id}"),
        }
    }
}

#[test]
fn a_copy_passes_and_a_change_fails() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (older, newer) in majors() {
        let majors = format!("{} to {}", older.major, newer.major);
        let pair = runtime.block_on(Pair::of(older, newer));
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 8,
            max_shrink_iters: 8,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let run = runner.run(&cases(), |case| {
            runtime.block_on(one(&pair, &case));
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{majors}: {failure}"));
        println!("{majors}: passed");
    }
}

async fn one(pair: &Pair, case: &Case) {
    pair.source.sql("postgres", "DROP DATABASE IF EXISTS app").await;
    pair.source.sql("postgres", "CREATE DATABASE app").await;
    pair.source.sql("app", &case.sql()).await;
    pair.restore("app").await;
    passes(&pair.compare("app", What { strict: true, ..DATA }).await);
    pair.target.sql("app", &case.tamper()).await;
    for strict in [true, false] {
        let report = pair.compare("app", What { strict, ..DATA }).await;
        let problems: Vec<&str> = report.problems().map(|item| item.name.as_str()).collect();
        assert_eq!(problems, [format!(r#""public"."t{}""#, case.changed())], "{}", case.tamper());
        assert_eq!(report.overall, Verdict::Fail);
    }
}
