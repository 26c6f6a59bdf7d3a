//! Indexes of a physical copy under another version of ICU: what is said of them before and after the promotion.
use super::*;
use pgmigrate::verify::Indexes;

const TABLES: &str = r#"
CREATE EXTENSION amcheck;
CREATE TABLE words (plain text COLLATE "C", v text COLLATE "en-x-icu");
INSERT INTO words SELECT w, w FROM unnest('{B,a,C,b}'::text[]) w;
CREATE INDEX words_plain ON words (plain); CREATE INDEX words_v ON words (v); CREATE INDEX words_brin ON words USING brin (v);
CREATE TABLE big (v text COLLATE "en-x-icu"); INSERT INTO big SELECT md5(i::text) FROM generate_series(1, 5000) i;
CREATE INDEX "Big" ON big (v);
CREATE TABLE moved (v text COLLATE "C"); INSERT INTO moved SELECT plain FROM words; CREATE INDEX moved_v ON moved (v);"#;

const OTHER_VERSION: &str = "UPDATE pg_collation SET collversion = 'older' WHERE collname = 'en-x-icu'";
/// What another version of a library does to an index: its rows stand in an order that is no more.
const OTHER_ORDER: &str = "SET allow_system_table_mods = on;
UPDATE pg_attribute SET attcollation = '\"en-x-icu\"'::regcollation WHERE attname = 'v' AND attrelid IN ('moved'::regclass, 'moved_v'::regclass);
UPDATE pg_index SET indcollation = '\"en-x-icu\"'::regcollation::oid::text::oidvector WHERE indexrelid = 'moved_v'::regclass";

async fn follows(pair: &Pair) {
    let position = pair.source.sql("postgres", "SELECT pg_current_wal_lsn()").await;
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    while pair.target.sql("postgres", &replayed).await != "t" {}
}

async fn look(pair: &Pair, with_source: bool, amcheck: bool) -> Indexes {
    let (mut source, mut target) = (pair.source.open("postgres").await, pair.target.open("postgres").await);
    verify::indexes(with_source.then_some(&mut source), &mut target, "postgres", amcheck).await
}

fn codes(found: &Indexes) -> Vec<(&str, Verdict, Code)> {
    found.items.iter().map(|item| (item.name.as_str(), item.verdict, item.code)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_of_another_order_are_found_and_built_anew() {
    use {Code::*, Verdict::*};
    let dir = directory();
    let Some(source) = Running::start(dir.path(), "a").await else { return };
    source.sql("postgres", TABLES).await;
    let target = source.standby(dir.path(), "b").await;
    let pair = Pair { source, target, _dir: dir };
    let (icu, small, brin, big, moved) = (
        r#""en-x-icu""#,
        r#""public"."words_v""#,
        r#""public"."words_brin""#,
        r#""public"."Big""#,
        r#""public"."moved_v""#,
    );
    let same = look(&pair, true, true).await;
    assert_eq!((codes(&same), same.repair.len()), (vec![(icu, Pass, Equal)], 0));

    pair.source.sql("postgres", OTHER_VERSION).await;
    follows(&pair).await;
    let refresh = r#"ALTER COLLATION "en-x-icu" REFRESH VERSION;"#.to_owned();
    let rebuild = |name: &str| format!("REINDEX INDEX CONCURRENTLY {name};");
    let unread = look(&pair, true, false).await;
    let unchecked = |name| (name, Inconclusive, IndexUnchecked);
    assert_eq!(codes(&unread), [(icu, Pass, Explained), unchecked(small), unchecked(brin), unchecked(big)]);
    assert_eq!(unread.repair, [rebuild(small), rebuild(brin), rebuild(big), refresh.clone()]);
    let read = look(&pair, true, true).await;
    let right = |name| (name, Pass, Equal);
    assert_eq!(codes(&read), [(icu, Pass, Explained), right(small), unchecked(brin), right(big)]);
    assert_eq!(read.repair, [rebuild(brin), refresh.clone()]);

    pair.source.sql("postgres", OTHER_ORDER).await;
    follows(&pair).await;
    let broken = look(&pair, true, true).await;
    assert!(codes(&broken).contains(&(moved, Fail, IndexBroken)), "{:?}", broken.items);
    assert!(broken.repair.contains(&rebuild(moved)) && broken.repair.last() == Some(&refresh), "{:?}", broken.repair);

    pair.target.sql("postgres", "SELECT pg_promote()").await;
    pair.target.sql("postgres", "DROP EXTENSION amcheck").await;
    let absent = look(&pair, false, true).await;
    assert!(codes(&absent).contains(&(moved, Inconclusive, AmcheckAbsent)), "{:?}", absent.items);
    for statement in &absent.repair {
        pair.target.sql("postgres", statement).await;
    }
    let repaired = look(&pair, false, true).await;
    assert_eq!((codes(&repaired), repaired.repair.len()), (vec![(icu, Pass, Equal)], 0));
    pair.target.sql("postgres", "CREATE EXTENSION amcheck; SELECT bt_index_check('moved_v', true)").await;
}
