//! A dump's way on two real servers: what an import loses is found, repaired, and then every row and fact is equal.
#[path = "pair/mod.rs"]
mod pair;

use pair::{Running, directory};
use pgmigrate::{
    facts::{carried, server},
    postgres::Ident,
    strategy::dump,
    verify::{self, Expectations, Report, Verdict, What},
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::{BTreeMap, BTreeSet},
    slice::from_mut,
};

/// What CNPG's monolith import does with the strategy's manifest: bare roles, then pg_dump and pg_restore --create.
async fn import(source: &Running, target: &Running) {
    let mut db = source.open("postgres").await;
    let roles = server::roles(&mut db).await.expect("roles");
    target.sql("postgres", &dump::bare_roles(&roles).join(";\n")).await;
    let port = [source.0.port.to_string(), target.0.port.to_string()];
    let socket = [&source.0, &target.0].map(|s| s.socket.display().to_string());
    let file = source.0.socket.join("app.dump").display().to_string();
    let args = [
        "-h",
        &socket[0],
        "-p",
        &port[0],
        "-U",
        "postgres",
        "-Fc",
        "-f",
        &file,
        "--exclude-schema=metric_helpers",
        "app",
    ];
    source.0.tool("pg_dump", &args).await.expect("pg_dump");
    let args = ["-h", &socket[1], "-p", &port[1], "-U", "postgres", "--create", "-d", "postgres", &file];
    target.0.tool("pg_restore", &args).await.expect("pg_restore");
}

async fn compare(source: &Running, target: &Running, expectations: &Expectations) -> Report {
    let (mut a, mut b) = (source.open("app").await, target.open("app").await);
    let report = verify::compare(from_mut(&mut a), from_mut(&mut b), "app", What::all(), expectations)
        .await
        .expect("a comparison");
    assert!(!serde_json::to_string(&report).expect("JSON").contains("SCRAM-SHA-256$"), "a verifier in the report");
    report
}

fn problems(report: &Report) -> BTreeSet<String> {
    report.problems().map(|i| format!("{} {}", i.kind, i.name)).collect()
}

/// All statements of the repair list; returns what they were about.
async fn repair(source: &Running, target: &Running) -> Vec<String> {
    let (mut a, mut b) = (source.open("app").await, target.open("app").await);
    b.run(carried::PRIVATE).await.expect("private");
    let mut repairs = carried::cluster(&mut a, &mut b, &["app".into()]).await.expect("repairs");
    repairs.extend(carried::database(&mut a, &mut b).await.expect("repairs"));
    for repair in &repairs {
        b.run(&repair.statement).await.unwrap_or_else(|e| panic!("{}: {}", repair.statement, e.chain()));
    }
    let known = [("app_owner", "owner-secret"), ("app_rw", "rw-secret"), ("boss", "boss-secret")];
    let known: BTreeMap<_, _> = known.map(|(r, p)| (r.to_owned(), SecretString::from(p))).into();
    let (passwords, left) = carried::passwords(&mut a, &mut b, &known).await.expect("passwords");
    assert_eq!(left, ["repl_user"]);
    for password in &passwords {
        b.run(password.statement.expose_secret()).await.unwrap_or_else(|e| panic!("{}: {}", password.role, e.chain()));
    }
    repairs.into_iter().map(|r| r.about).chain(passwords.into_iter().map(|p| p.role)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_found_wanting_then_repaired_then_equal() {
    let dir = directory();
    let (Some(source), Some(target)) = tokio::join!(Running::start(dir.path(), "a"), Running::start(dir.path(), "b"))
    else {
        eprintln!("no PostgreSQL on this machine: nothing was tested");
        return;
    };
    source.sql("postgres", include_str!("catalogue/roles.sql")).await;
    source.sql("app", include_str!("catalogue/objects.sql")).await;
    import(&source, &target).await;

    let expectations = Expectations {
        rehashed: ["app_owner", "app_rw", "boss"].map(String::from).to_vec(),
        ..Expectations::zalando_to_cnpg()
    };
    let before = compare(&source, &target, &expectations).await;
    assert_eq!(before.overall, Verdict::Fail);
    let found = problems(&before);
    for lost in [
        "role app_rw",
        "role repl_user",
        "role comment Mixed Role",
        "membership pg_monitor <- \"Mixed Role\"",
        "membership readers <- app_rw",
        "setting * / app_rw / search_path",
        "role password Mixed Role",
    ] {
        assert!(found.contains(lost), "{lost} was not found: {found:?}");
    }
    let data =
        |p: &String| ["data ", "sequence ", "relation ", "function ", "column "].iter().any(|k| p.starts_with(k));
    assert_eq!(found.iter().find(|p| data(p)), None, "an import keeps these");

    assert!(!repair(&source, &target).await.is_empty());
    let again = repair(&source, &target).await;
    assert!(again.is_empty(), "a second run found {again:?}");
    let after = compare(&source, &target, &expectations).await;
    assert_eq!(after.overall, Verdict::Pass, "{:#?}", after.problems().collect::<Vec<_>>());
    // The password that was md5 opens the target, where it is scram now.
    target.login("app_owner", "owner-secret", "app").await.expect("the owner's login");
    assert_eq!(target.sql("postgres", "SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'md5%'").await, "1");

    tampering(&source, &target, &expectations).await;
    the_unseen(&source, &target).await;
}

/// Each change is found, and nothing else.
async fn tampering(source: &Running, target: &Running, expectations: &Expectations) {
    for (change, back, found) in [
        (
            "UPDATE shop.secret SET f = f + 1e-15 WHERE id = 1",
            "UPDATE shop.secret SET f = 0.1::float8 + 0.2 WHERE id = 1",
            "data \"shop\".\"secret\"",
        ),
        (
            "DELETE FROM shop.orders WHERE id = 7",
            "INSERT INTO shop.orders VALUES (7, '2025-06-08', 8, 7)",
            "data \"shop\".\"orders_2025\"",
        ),
        (
            "SELECT setval('shop.uncalled', 42, true)",
            "SELECT setval('shop.uncalled', 42, false)",
            "sequence \"shop\".\"uncalled\"",
        ),
        (
            "GRANT EXECUTE ON FUNCTION shop.definer(int) TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION shop.definer(int) FROM PUBLIC",
            "function shop.definer(integer)",
        ),
        (
            "DROP POLICY own ON shop.secret",
            "CREATE POLICY own ON shop.secret TO app_rw USING (owner = current_user)",
            "policy shop.secret.own",
        ),
        (
            "ALTER TABLE shop.customers ENABLE TRIGGER off",
            "ALTER TABLE shop.customers DISABLE TRIGGER off",
            "trigger shop.customers.off",
        ),
        (
            "ALTER TABLE shop.aged DROP COLUMN b, ADD COLUMN b int",
            "ALTER TABLE shop.aged DROP COLUMN c, ADD COLUMN c int",
            "column shop.aged.b",
        ),
        (
            "ALTER TABLE shop.customers DISABLE TRIGGER touch",
            "ALTER TABLE shop.customers ENABLE TRIGGER touch",
            "trigger shop.customers.touch",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.secret_pkey'::regclass",
            "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'shop.secret_pkey'::regclass",
            "index shop.secret_pkey",
        ),
        (
            "REVOKE INSERT ON shop.customers FROM app_rw",
            "GRANT INSERT ON shop.customers TO app_rw WITH GRANT OPTION",
            "relation shop.customers",
        ),
        (
            "ALTER ROLE app_rw RESET statement_timeout",
            "ALTER ROLE app_rw SET statement_timeout = '30s'",
            "setting * / app_rw / statement_timeout",
        ),
        ("CREATE TABLE shop.extra ()", "DROP TABLE shop.extra", "data \"shop\".\"extra\""),
        ("SELECT lo_put(70001, 0, '\\x00')", "SELECT lo_put(70001, 0, '\\xde')", "large object 70001"),
    ] {
        target.sql("app", change).await;
        let report = compare(source, target, expectations).await;
        assert_eq!(report.overall, Verdict::Fail, "{change}");
        assert!(problems(&report).contains(found), "{change}: {:?}", problems(&report));
        target.sql("app", back).await;
    }
    let report = compare(source, target, expectations).await;
    assert_eq!(report.overall, Verdict::Pass, "{:#?}", report.problems().collect::<Vec<_>>());
}

/// A role that may not see everything gets no pass out of it.
async fn the_unseen(source: &Running, target: &Running) {
    let login = |side| Running::login(side, "app_owner", "owner-secret", "app");
    let (mut a, mut b) = (login(source).await.expect("source"), login(target).await.expect("target"));
    let report = verify::compare(from_mut(&mut a), from_mut(&mut b), "app", What::all(), &Expectations::default())
        .await
        .expect("a comparison");
    let secret = report.items.iter().find(|i| i.name == format!("{}.{}", Ident::new("shop"), Ident::new("secret")));
    assert_eq!(
        secret.map(|i| i.verdict),
        Some(Verdict::Inconclusive),
        "forced row security hides rows from their owner"
    );
    let roles = report.items.iter().find(|i| i.kind == "role password");
    assert_eq!(roles.map(|i| i.verdict), Some(Verdict::Inconclusive));
    // The sessions were given back as they were.
    assert_eq!(a.value::<String>("SELECT current_setting('row_security') AS s", &[]).await.expect("a session"), "on");
}
