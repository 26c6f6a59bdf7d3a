//! One change at a time: found, in the right table, in the right row, and nothing else.
use super::*;

const TABLES: &str = "
CREATE TABLE big (id bigint PRIMARY KEY, customer int, note text, price numeric, at timestamptz, u uuid, b bytea, other int, ok bool, wide bigint);
INSERT INTO big SELECT i, i * 7 % 1000, 'note '||i, i / 100.0, timestamptz '2024-01-01Z' + i * interval '1 s', md5(i::text)::uuid,
    decode(md5(i::text), 'hex'), 5 + i % 3, i % 2 = 0, 3 FROM generate_series(1, 200000) i;
UPDATE big SET customer = NULL WHERE id % 100 = 0; UPDATE big SET price = 'NaN' WHERE id = 199999; UPDATE big SET wide = NULL WHERE id = 12;
CREATE TABLE bare (a int, b text);
INSERT INTO bare SELECT i % 10, 'b' FROM generate_series(1, 100) i;
CREATE TABLE \"Odd \"\"Name\" (\"The Key\" text, \"2\" date, v jsonb, PRIMARY KEY (\"2\", \"The Key\"));
INSERT INTO \"Odd \"\"Name\" VALUES ('k', '2024-02-29', '[[1], 2]'), ('infinity', 'infinity', 'null'), ('-', '-infinity', NULL);
CREATE SEQUENCE s; SELECT setval('s', 41);";

/// The change at the target, what takes it back, the table, the first rows that differ.
const CHANGES: [(&str, &str, &str, &[&str]); 21] = [
    (
        "UPDATE big SET b = set_bit(b, 3, 1 - get_bit(b, 3)) WHERE id = 77777",
        "UPDATE big SET b = set_bit(b, 3, 1 - get_bit(b, 3)) WHERE id = 77777",
        r#""public"."big""#,
        &["id=77777 differs"],
    ),
    (
        "UPDATE big a SET other = (SELECT b.other FROM big b WHERE b.id = 2001 - a.id) WHERE id IN (1000, 1001)",
        "UPDATE big SET other = 5 + id % 3 WHERE id IN (1000, 1001)",
        r#""public"."big""#,
        &["id=1000 differs", "id=1001 differs"],
    ),
    (
        "UPDATE big SET customer = other, other = customer WHERE id = 5",
        "UPDATE big SET customer = other, other = customer WHERE id = 5",
        r#""public"."big""#,
        &["id=5 differs"],
    ),
    // Every value one column on.
    (
        "UPDATE big SET other = customer, customer = NULL WHERE id = 6",
        "UPDATE big SET customer = other, other = 5 WHERE id = 6",
        r#""public"."big""#,
        &["id=6 differs"],
    ),
    (
        "UPDATE big SET note = note||' ' WHERE id = 200000",
        "UPDATE big SET note = rtrim(note) WHERE id = 200000",
        r#""public"."big""#,
        &["id=200000 differs"],
    ),
    (
        "UPDATE big SET at = at + interval '1 microsecond' WHERE id = 1",
        "UPDATE big SET at = at - interval '1 microsecond' WHERE id = 1",
        r#""public"."big""#,
        &["id=1 differs"],
    ),
    (
        "UPDATE big SET price = -price WHERE id = 4",
        "UPDATE big SET price = -price WHERE id = 4",
        r#""public"."big""#,
        &["id=4 differs"],
    ),
    (
        "UPDATE big SET price = 'Infinity' WHERE id = 199999",
        "UPDATE big SET price = 'NaN' WHERE id = 199999",
        r#""public"."big""#,
        &["id=199999 differs"],
    ),
    (
        "UPDATE big SET price = 0 WHERE id = 199999",
        "UPDATE big SET price = 'NaN' WHERE id = 199999",
        r#""public"."big""#,
        &["id=199999 differs"],
    ),
    // Both halves of the eight bytes: their exclusive or is the same.
    (
        "UPDATE big SET wide = 4294967298 WHERE id = 8",
        "UPDATE big SET wide = 3 WHERE id = 8",
        r#""public"."big""#,
        &["id=8 differs"],
    ),
    (
        "UPDATE big SET wide = 0 WHERE id = 12",
        "UPDATE big SET wide = NULL WHERE id = 12",
        r#""public"."big""#,
        &["id=12 differs"],
    ),
    (
        "UPDATE big SET customer = 0 WHERE id = 100",
        "UPDATE big SET customer = NULL WHERE id = 100",
        r#""public"."big""#,
        &["id=100 differs"],
    ),
    (
        "UPDATE big SET note = NULL, customer = 1 WHERE id = 9",
        "UPDATE big SET note = 'note 9', customer = 63 WHERE id = 9",
        r#""public"."big""#,
        &["id=9 differs"],
    ),
    (
        "DELETE FROM big WHERE id = 3; INSERT INTO big (id) VALUES (0)",
        "DELETE FROM big WHERE id = 0; INSERT INTO big SELECT 3, 21, 'note 3', 3 / 100.0, timestamptz '2024-01-01 00:00:03Z', md5('3')::uuid, decode(md5('3'), 'hex'), 5, false, 3",
        r#""public"."big""#,
        &["id=0 is at the target only", "id=3 is at the source only"],
    ),
    (
        "DELETE FROM bare WHERE ctid = (SELECT max(ctid) FROM bare WHERE a = 3); INSERT INTO bare VALUES (4, 'b')",
        "DELETE FROM bare WHERE ctid = (SELECT max(ctid) FROM bare WHERE a = 4); INSERT INTO bare VALUES (3, 'b')",
        r#""public"."bare""#,
        &[
            "ctid=(0,1) is 10 times at the source, 9 times at the target",
            "ctid=(0,1) is 10 times at the source, 11 times at the target",
        ],
    ),
    (
        "UPDATE bare SET b = '' WHERE ctid = (SELECT min(ctid) FROM bare WHERE a = 0)",
        "UPDATE bare SET b = 'b' WHERE b = ''",
        r#""public"."bare""#,
        &["ctid=(0,10) is 10 times at the source, 9 times at the target", "is at the target only"],
    ),
    (
        r#"UPDATE "Odd ""Name" SET v = '[[1, 2]]' WHERE "The Key" = 'k'"#,
        r#"UPDATE "Odd ""Name" SET v = '[[1], 2]' WHERE "The Key" = 'k'"#,
        r#""public"."Odd ""Name""#,
        &["2=2024-02-29, The Key=k differs"],
    ),
    (
        r#"UPDATE "Odd ""Name" SET v = 'null' WHERE "The Key" = '-'"#,
        r#"UPDATE "Odd ""Name" SET v = NULL WHERE "The Key" = '-'"#,
        r#""public"."Odd ""Name""#,
        &["2=-infinity, The Key=- differs"],
    ),
    ("SELECT setval('s', 40)", "SELECT setval('s', 41)", r#""public"."s""#, &[]),
    ("CREATE TABLE extra ()", "DROP TABLE extra", r#""public"."extra""#, &[]),
    ("ALTER TABLE bare RENAME TO other", "ALTER TABLE other RENAME TO bare", r#""public"."bare""#, &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_is_found_and_located() {
    for (older, newer) in majors() {
        let majors = format!("{} to {}", older.major, newer.major);
        each(&Pair::of(older, newer).await).await;
        println!("{majors}: passed");
    }
}

async fn each(pair: &Pair) {
    pair.both("postgres", TABLES).await;
    let report = pair.compare("postgres", DATA).await;
    passes(&report);
    let digest = |report: &Report| found(report, r#""public"."big""#).source.clone();
    for number in [1, 3] {
        let other = pair.compare_by(number, "postgres", DATA).await;
        passes(&other);
        assert_eq!(digest(&other), digest(&report), "by {number} sessions");
    }
    the_constant_of_null_is_not_null(pair).await;
    for (change, back, name, rows) in CHANGES {
        pair.target.sql("postgres", change).await;
        let report = pair.compare("postgres", DATA).await;
        let item = found(&report, name);
        assert_eq!(item.verdict, Verdict::Fail, "{change}");
        let code = match name {
            r#""public"."s""# => Code::SequenceDiffers,
            r#""public"."extra""# => Code::MissingAtSource,
            _ if item.target.is_none() => Code::MissingAtTarget,
            _ => Code::RowsDiffer,
        };
        assert_eq!(item.code, code, "{change}");
        let told = told(&item.rows);
        assert_eq!(told.len(), rows.len(), "{change}: {told:#?}");
        for row in rows {
            // Rows without a key have no order.
            assert!(told.iter().any(|t| t.contains(row)) || row.starts_with("ctid"), "{change}: {row} in {told:#?}");
        }
        let others = report.problems().filter(|i| i.name != name && i.name != r#""public"."other""#);
        assert_eq!(others.count(), 0, "{change}: {:#?}", report.problems().collect::<Vec<_>>());
        pair.target.sql("postgres", back).await;
    }
    passes(&pair.compare("postgres", DATA).await);
    let strict = What { strict: true, ..DATA };
    passes(&pair.compare("postgres", strict).await);
    let sha256 = What { sha256: true, ..DATA };
    let report = pair.compare("postgres", sha256).await;
    passes(&report);
    let digest = "SELECT format('%s rows, digest %s', count(*), \
        sum(('x'||left(encode(sha256(convert_to(ROW(a, b)::text, 'UTF8')), 'hex'), 16))::bit(64)::int8)) FROM bare r";
    assert_eq!(found(&report, r#""public"."bare""#).source, Some(pair.source.sql("postgres", digest).await));
    // The scale of a number and the sign of a zero are values' business only when asked.
    pair.target.sql("postgres", "UPDATE big SET price = price::numeric(12,6) WHERE id = 4711").await;
    passes(&pair.compare("postgres", DATA).await);
    let report = pair.compare("postgres", What { values: true, ..strict }).await;
    assert_eq!(
        told(&found(&report, r#""public"."big""#).rows),
        ["id=4711 differs (price: 47.1100000000000000 / 47.110000)"]
    );
    let report = pair.compare("postgres", sha256).await;
    assert_eq!(told(&found(&report, r#""public"."big""#).rows), ["id=4711 differs"]);
}

/// In the place of NULL stands a number: a row that holds just that is another one.
async fn the_constant_of_null_is_not_null(pair: &Pair) {
    pair.source.sql("postgres", "ALTER ROLE postgres SET log_statement = 'all'").await;
    passes(&pair.compare("postgres", DATA).await);
    pair.source.sql("postgres", "ALTER ROLE postgres RESET log_statement").await;
    let log = std::fs::read_to_string(&pair.source.0.log).expect("the server's log");
    let expression = log.rsplit_once(r#"r."wide""#).expect("the column is hashed").1;
    let after = expression.split_once("), ").expect("coalesce(hash, constant)").1;
    let constant: String = after.chars().take_while(char::is_ascii_digit).collect();
    assert!(!constant.is_empty(), "{after}");
    pair.target.sql("postgres", &format!("UPDATE big SET wide = {constant} WHERE id = 12")).await;
    let report = pair.compare("postgres", DATA).await;
    assert_eq!(told(&found(&report, r#""public"."big""#).rows), ["id=12 differs"]);
    pair.target.sql("postgres", "UPDATE big SET wide = NULL WHERE id = 12").await;
}

const MILLION: &str = "CREATE TABLE million (id int PRIMARY KEY, v bytea); \
    INSERT INTO million SELECT i, int8send(i * 7919::bigint) FROM generate_series(1, 1000000) i";

#[tokio::test(flavor = "multi_thread")]
async fn one_bit_of_one_row_of_a_million() {
    let Some(pair) = Pair::start().await else { return };
    pair.both("postgres", MILLION).await;
    passes(&pair.compare("postgres", DATA).await);
    pair.target.sql("postgres", "UPDATE million SET v = set_bit(v, 5, 1 - get_bit(v, 5)) WHERE id = 654321").await;
    let report = pair.compare("postgres", What { values: true, ..DATA }).await;
    let differ = told(&found(&report, r#""public"."million""#).rows);
    assert_eq!(differ, [r"id=654321 differs (v: \x0000000134d873ff / \x2000000134d873ff)"]);
    assert_eq!(report.problems().count(), 1);
}
