//! What `verify` of its own leaves: nothing where no migration has begun, its result in the certificate where one has; and
//! the REINDEX plan, which `plan` prints too.
use super::support::{Bench, Setting};
use serde_json::{Value, json};

const LEASE: &str = "leases.coordination.k8s.io";
/// It can be read at neither end: the label of its value is gone.
const UNREADABLE: &str = "
    CREATE TYPE colour AS ENUM ('red'); CREATE TABLE broken (id int, c colour); INSERT INTO broken VALUES (1, 'red');
    SET allow_system_table_mods = on; DELETE FROM pg_enum WHERE enumtypid = 'colour'::regtype;";

/// An index that was made with another version of ICU than the target has.
const OTHER_ORDER: &str = r#"
    CREATE TABLE words (v text COLLATE "en-x-icu"); CREATE INDEX words_v ON words (v);
    UPDATE pg_collation SET collversion = 'older' WHERE collname = 'en-x-icu'"#;
const REPAIR: &str = r#"in database mastodon of the target, in this order (as the target's libraries sort):
  REINDEX INDEX CONCURRENTLY "public"."words_v";
  ALTER COLLATION "en-x-icu" REFRESH VERSION;
"#;

async fn verifications(bench: &Bench) -> Vec<Value> {
    let report = bench.run("report mastodon -o json").await.code(0).json();
    report["verifications"].as_array().cloned().expect("a list")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_is_kept_once_the_migration_has_begun() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    bench.at_source(UNREADABLE).await;
    bench.at_source(OTHER_ORDER).await;
    let _ = bench.run("verify mastodon").await.code(3).never_says("recorded");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    let early = bench.run("plan mastodon").await.code(0).never_says("REINDEX");
    let _ = early.says("whether indexes of database mastodon must be built anew is not known: the tag of");
    let _ = bench.prepare().await;
    // By the target's own libraries, before anything is promoted.
    let _ = bench.run("plan mastodon").await.code(0).says(REPAIR);
    let plan = bench.run("plan mastodon -o json").await.code(0).json();
    assert_eq!(plan["reindex"][0]["statements"].as_array().map(Vec::len), Some(2), "{plan:#}");
    assert_eq!(verifications(&bench).await, Vec::<Value>::new());

    // What is written to meanwhile may be inconclusive; what is accepted is said with who did.
    let accepting = "verify mastodon --strict-bytes --no-script --accept-inconclusive public.broken";
    let run = bench.run(accepting).await.never_says("not recorded");
    assert!(matches!(run.code, Some(0 | 3)), "{run}");
    let kept = verifications(&bench).await;
    let [first] = kept.as_slice() else { panic!("{kept:#?}") };
    assert_eq!(first["options"], json!(["--strict-bytes", "--no-script"]));
    let database = &first["databases"][0];
    assert_eq!(database["database"], "mastodon");
    assert!(database["sourceLsn"].as_str().is_some_and(|lsn| lsn.contains('/')), "{database:#}");
    let by = first["by"].as_str().expect("who");
    assert_eq!(database["accepted"], json!([{ "table": "\"public\".\"broken\"", "by": by }]));

    // Every row: the tables that nobody writes to are proved, with a position.
    let _ = bench.run("verify mastodon").await.code(3).says("broken");
    let report = bench.run("report mastodon -o json").await.code(0).json();
    let tables = report["tables"].as_array().expect("a list");
    let proved = tables.iter().find(|table| table["table"] == "\"public\".\"accounts\"");
    let proved = proved.unwrap_or_else(|| panic!("{report:#}"));
    assert!(proved["sourceLsn"].as_str().is_some_and(|lsn| lsn.contains('/')) && proved["age"].is_number());
    let _ = bench.run("report mastodon --html page.html").await.code(0).says("VERIFIED").says("unproved: accepted by");
    let page = std::fs::read_to_string(bench.path().join("page.html")).expect("a page");
    assert!(page.contains("<h2>Verifications</h2>") && page.contains("accepted unproved"), "{page}");

    while_somebody_else_works(&bench).await;
    bench.end().await;
}

/// The result is the same, and the journal is left to whoever holds the lock.
async fn while_somebody_else_works(bench: &Bench) {
    let journal = bench.object("configmaps", "pgmigrate-mastodon");
    let now = format!("{:.6}", jiff::Timestamp::now());
    let holder = |lease: &mut Value| {
        lease["spec"] = json!({
            "holderIdentity": "ann@elsewhere/1/abcd", "leaseDurationSeconds": 600, "acquireTime": now, "renewTime": now,
        });
    };
    bench.change(LEASE, "pgmigrate-mastodon", holder);
    let held = bench.object(LEASE, "pgmigrate-mastodon");
    let told = bench.run("verify mastodon").await.code(3).says("broken").says("result: INCONCLUSIVE");
    let _ = told.says("not recorded for the report: the migration is being worked on by ann@elsewhere/1/abcd");
    assert_eq!(bench.object("configmaps", "pgmigrate-mastodon"), journal);
    assert_eq!(bench.object(LEASE, "pgmigrate-mastodon"), held);
}
