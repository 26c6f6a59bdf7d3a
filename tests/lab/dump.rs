//! The strategy `dump` from its first command to its last, with everything that an import loses.
use super::support::{Bench, Setting};

/// What pg_dump and CNPG's import leave behind, or bring in another shape.
const LOST: &str = r#"
    CREATE ROLE reader NOLOGIN NOINHERIT CONNECTION LIMIT 7;
    CREATE ROLE analyst LOGIN PASSWORD 'lab-analyst' VALID UNTIL '2099-01-01';
    GRANT reader TO analyst WITH ADMIN OPTION;
    ALTER ROLE analyst IN DATABASE mastodon SET work_mem = '9MB';
    ALTER ROLE analyst SET statement_timeout = '77s';
    ALTER DATABASE mastodon SET lock_timeout = '66s';
    GRANT SELECT ON accounts TO reader;
    GRANT UPDATE (note) ON accounts TO analyst;
    ALTER DEFAULT PRIVILEGES FOR ROLE mastodon IN SCHEMA public GRANT SELECT ON TABLES TO reader;
    CREATE SEQUENCE odd INCREMENT 3;
    SELECT setval('odd', 301, false);
    CREATE SEQUENCE called;
    SELECT setval('called', 17);
    SELECT lo_from_bytea(4711, 'large');
    ALTER LARGE OBJECT 4711 OWNER TO mastodon;
    GRANT SELECT ON LARGE OBJECT 4711 TO reader;
    CREATE PUBLICATION news FOR TABLE accounts, statuses;
    COMMENT ON DATABASE mastodon IS 'toots';
"#;

const SEEN: &[&str] = &[
    "SELECT rolname, rolcanlogin, rolinherit, rolconnlimit, coalesce(rolvaliduntil, 'infinity'), rolpassword FROM pg_authid WHERE rolname IN ('reader', 'analyst') ORDER BY 1",
    "SELECT m.rolname, r.rolname, a.admin_option FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid WHERE m.rolname = 'analyst'",
    "SELECT d.datname, r.rolname, s.setconfig FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase WHERE r.rolname = 'analyst' OR (d.datname = 'mastodon' AND r.rolname IS NULL) ORDER BY 1, 2",
    "SELECT has_table_privilege('reader', 'accounts', 'SELECT'), has_column_privilege('analyst', 'accounts', 'note', 'UPDATE'), has_column_privilege('analyst', 'accounts', 'username', 'UPDATE')",
    "SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl FROM pg_default_acl WHERE defaclrole = 'mastodon'::regrole",
    "SELECT last_value, is_called FROM odd UNION ALL SELECT last_value, is_called FROM called",
    "SELECT lomowner::regrole, lomacl, convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata",
    "SELECT p.pubname, p.pubinsert, t.tablename FROM pg_publication p JOIN pg_publication_tables t USING (pubname) ORDER BY 3",
    "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'mastodon'",
    "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_migration_loses_nothing_of_the_catalogue() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    bench.at_source(LOST).await;
    let mut before = Vec::new();
    for query in SEEN {
        before.push(bench.at_source(query).await);
    }
    let _ = bench.run("check mastodon").await.code(0);
    let _ = bench.prepare().await.never_says("lab-analyst");
    bench.on_source().await;
    let _ = bench.cutover().await.code(0).says("outage");
    bench.on_target().await;
    for (query, before) in SEEN.iter().zip(&before) {
        assert_eq!(&bench.at_target(query).await, before, "{query}");
    }
    let _ = bench.run("verify mastodon").await.code(0);
    let _ = bench.run("report mastodon").await.code(0);
    let _ = bench.run("rollback mastodon").await.code(5);
    bench.as_recorded();
    let _ = bench.run("finalize mastodon --accept-one-way mastodon").await.code(0);
    for gone in ["pgmigrate-mastodon-role", "pgmigrate-mastodon-connections"] {
        assert!(bench.object("secrets", gone).is_null(), "{gone} is still there");
    }
    let cluster = bench.object("clusters.postgresql.cnpg.io", "database-cnpg");
    assert!(cluster["spec"]["externalClusters"][0]["password"].is_null(), "{cluster}");
    bench.on_target().await;
    bench.end().await;
}

/// A function that finds its table by the session's search_path: a restore has none. (From PostgreSQL 17 on neither has
/// CREATE INDEX, so the function turns bad after it.)
const BROKEN: &str = "
    CREATE FUNCTION weight(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM public.accounts WHERE id = $1';
    CREATE INDEX heavy ON statuses (weight(account_id));
    CREATE OR REPLACE FUNCTION weight(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM accounts WHERE id = $1';
";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_found_by_the_rehearsal() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    bench.at_source(BROKEN).await;
    let failed = bench.run("prepare mastodon").await;
    assert!(!matches!(failed.code, Some(0) | Some(70) | None), "{failed}");
    let failed = failed.says("accounts").says("does not exist");
    let _ = failed.never_says(&bench.password("mastodon-db-url", "DB_PASS"));
    bench.on_source().await;
    bench.at_source("DROP INDEX heavy; DROP FUNCTION weight").await;
    let _ = bench.prepare().await;
    let _ = bench.run("rollback mastodon --remove-target --yes").await.code(0);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    bench.on_source().await;
    bench.end().await;
}

/// Its rows are others each time: no comparison can pass it.
const DICE: &str = "CREATE MATERIALIZED VIEW dice AS SELECT random() AS n";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_passes_the_gate_by_name_alone() {
    let Some(bench) = Bench::up(Setting::dump()).await else { return };
    bench.at_source(DICE).await;
    let _ = bench.prepare().await;
    let refused = bench.cutover().await.code(3).says(r#"--accept-inconclusive '"mastodon"."public"."dice"'"#);
    assert_eq!(refused.stderr.matches("INCONCLUSIVE: data").count(), 1, "{refused}");
    bench.on_source().await;
    let journal = bench.object("configmaps", "pgmigrate-mastodon");
    let cutover = "cutover mastodon --accept-one-way mastodon --accept-inconclusive";
    let _ = bench
        .run(&format!("{cutover} public.dice --accept-inconclusive public.dies"))
        .await
        .code(2)
        .says("public.dies");
    let _ = bench.run(&format!("{cutover} dice")).await.code(2).says("schema.table");
    assert_eq!(bench.object("configmaps", "pgmigrate-mastodon"), journal);
    let _ = bench.run(&format!("{cutover} Public.Dice")).await.code(0);
    bench.on_target().await;
    let _ = bench.run("report mastodon").await.code(0).says("passed unproved: accepted by");
    let report = bench.run("report mastodon -o json").await.code(0).json();
    assert_eq!(report["accepted"][0]["table"], r#""public"."dice""#);
    assert!(report["accepted"][0]["by"].as_str().is_some_and(|by| by.contains('@')));
    assert_eq!(report["proofs"]["verify"]["reports"][0]["code"], "accepted");
    let tables = report["tables"].as_array().expect("a list");
    let proved = |name: &str| tables.iter().any(|table| table["table"] == format!(r#""public"."{name}""#));
    assert!(proved("accounts") && !proved("dice"), "{report:#}");
    bench.end().await;
}
