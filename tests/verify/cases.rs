//! Every kind of table and type, once: a dump's copy passes, and nothing is left out without a word.
use super::*;

const KINDS: &str = r#"
CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS ltree;
CREATE TYPE colour AS ENUM ('red', 'green'); CREATE TYPE pair AS (a int, c colour); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN small AS positive CHECK (VALUE < 100);
CREATE TABLE kinds (
    id int GENERATED ALWAYS AS IDENTITY, c colour, cs colour[], p pair, d small, a int[], r int4range, m int4multirange, h hstore, ci citext,
    lt ltree, j json, jb jsonb, x xml, money money, ts tsvector, q tsquery, bits bit(3), vb varbit, pt point, path path, reg regclass,
    o oid, i inet, cidr cidr, mac macaddr, iv interval, tz timetz, t time, dt date, ch char(5), vc varchar(9), n name, cc "char",
    f4 float4, f8 float8, nu numeric, by bytea, lsn pg_lsn, s2 int2, g int GENERATED ALWAYS AS (s2 * 2) STORED, txt text COLLATE "C");
INSERT INTO kinds (c, cs, p, d, a, r, m, h, ci, lt, j, jb, x, money, ts, q, bits, vb, pt, path, reg, o, i, cidr, mac, iv, tz, t, dt, ch, vc, n, cc, f4, f8, nu, by, lsn, s2, txt)
SELECT 'green', '{red,green}', '(1,red)', 5, '{{1,2},{3,4}}', '[1,5)', '{[1,2),[5,6)}', 'a=>1', 'CaSe', 'a.b.c', '{"a" : 1}', '{"b":[1]}', '<a/>', 12.34,
    'a b', 'a & b', '101', '10101', '(1,2)', '((0,0),(1,1))', 'pg_class', 1259, '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '1 day 2 hours',
    '12:00+02', '24:00', '-infinity', 'ab', 'varchar', 'name', 'x', 'NaN', '-0', 'NaN', '\x00ff', '1/2', 7, 'größe' FROM generate_series(1, 20);
INSERT INTO kinds DEFAULT VALUES;
CREATE TABLE none (); INSERT INTO none DEFAULT VALUES; INSERT INTO none DEFAULT VALUES;
CREATE TABLE dropped (a int, b text, c int); ALTER TABLE dropped DROP COLUMN b; INSERT INTO dropped VALUES (1, 2);
CREATE TABLE parent (id int, a text); CREATE TABLE child (b int) INHERITS (parent); INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3);
CREATE TABLE parts (id int, k text) PARTITION BY LIST (k); CREATE TABLE other_order (k text, id int); ALTER TABLE parts ATTACH PARTITION other_order FOR VALUES IN ('x');
CREATE TABLE rest PARTITION OF parts DEFAULT; INSERT INTO parts VALUES (1, 'x'), (2, 'y');
CREATE UNLOGGED TABLE cache (v int); INSERT INTO cache VALUES (1);
CREATE MATERIALIZED VIEW fresh AS SELECT count(*) FROM kinds; CREATE MATERIALIZED VIEW empty AS SELECT 1 WITH NO DATA;
CREATE MATERIALIZED VIEW stale AS SELECT count(*) FROM none; INSERT INTO none DEFAULT VALUES;
CREATE TABLE "Sch.ema ""x" ("a""b" int, "select" text); INSERT INTO "Sch.ema ""x" VALUES (1, 'q');
CREATE FOREIGN DATA WRAPPER dummy; CREATE SERVER far FOREIGN DATA WRAPPER dummy; CREATE FOREIGN TABLE away (id int) SERVER far;
CREATE TABLE policed (id int); INSERT INTO policed VALUES (1), (2); ALTER TABLE policed ENABLE ROW LEVEL SECURITY; ALTER TABLE policed FORCE ROW LEVEL SECURITY;
CREATE TABLE closed (id int);
SELECT lo_from_bytea(4711, '\xdeadbeef');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_dumps_copy_of_everything_passes() {
    let Some(pair) = Pair::start().await else { return };
    pair.source.sql("postgres", "CREATE DATABASE app").await;
    // Enums get other OIDs at the target.
    pair.target.sql("postgres", "CREATE TYPE x AS ENUM ('a'); CREATE ROLE app LOGIN PASSWORD 'app'").await;
    pair.source.sql("postgres", "CREATE ROLE app LOGIN PASSWORD 'app'").await;
    // Multiranges came with 14.
    let kinds = match pair.source.0.install.major {
        ..14 => KINDS.replace("int4multirange", "int4range[]").replace("'{[1,2),[5,6)}'", r#"'{"[1,2)","[5,6)"}'"#),
        _ => KINDS.to_owned(),
    };
    pair.source.sql("app", &kinds).await;
    pair.source.sql("app", "GRANT SELECT ON policed TO app").await;
    pair.restore("app").await;
    for strict in [false, true] {
        let report = pair.compare("app", What { strict, ..DATA }).await;
        passes(&report);
        let note = |name: &str| found(&report, name).note.clone().unwrap_or_default();
        assert!(note(r#""public"."away""#).contains("not looked at"));
        assert!(note(r#""public"."stale""#).contains("made anew"));
        assert!(found(&report, r#""public"."none""#).source.as_deref().is_some_and(|s| s.starts_with("3 rows")));
        assert_eq!(found(&report, r#""public"."empty""#).source.as_deref(), Some("not populated"));
    }
    every_column_counts(&pair).await;
    a_role_that_may_not_see_gets_no_pass(&pair).await;
}

/// Each column of the table of all types: emptied in one row, it is missed.
async fn every_column_counts(pair: &Pair) {
    let columns = "SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = 'kinds'::regclass AND attnum > 1 AND attname <> 'g'";
    let columns = pair.target.sql("app", columns).await;
    assert!(columns.split(' ').count() > 35);
    for column in columns.split(' ') {
        pair.target.sql("app", &format!("UPDATE kinds SET {column} = NULL WHERE id = 7")).await;
        let report = pair.compare("app", What { sequences: false, ..DATA }).await;
        assert_eq!(found(&report, r#""public"."kinds""#).verdict, Verdict::Fail, "{column}");
        let back = format!("UPDATE kinds SET {column} = (SELECT {column} FROM kinds WHERE id = 8) WHERE id = 7");
        pair.target.sql("app", &back).await;
    }
    passes(&pair.compare("app", DATA).await);
}

async fn a_role_that_may_not_see_gets_no_pass(pair: &Pair) {
    let mut ends = Vec::new();
    for end in [&pair.source, &pair.target] {
        ends.push(vec![end.login("app", "app", "app").await.expect("a login")]);
    }
    let [source, target] = ends.as_mut_slice() else { unreachable!("two ends") };
    let report = verify::compare(source, target, "app", DATA, &Expectations::default()).await.expect("a comparison");
    for (name, why, code) in [
        (r#""public"."policed""#, "row-level security", Code::RlsHidden),
        (r#""public"."closed""#, "permission denied", Code::QueryFailed),
    ] {
        let item = found(&report, name);
        assert_eq!((item.verdict, item.code), (Verdict::Inconclusive, code));
        assert!(item.note.as_ref().is_some_and(|note| note.contains(why)), "{item}");
    }
}
