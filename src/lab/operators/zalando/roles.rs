//! Roles and databases of the manifest. Only differences are written: every write is WAL that a fence would have to explain.
use super::{Context, manifest::Manifest, objects, session::describe};
use crate::{
    lab::servers::Failure,
    postgres::quote::{Ident, Literal},
};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// A role as pg_authid has it.
struct Known {
    flags: Vec<(&'static str, bool)>,
    password: Option<String>,
}

const FLAGS: [(&str, &str); 7] = [
    ("superuser", "rolsuper"),
    ("createdb", "rolcreatedb"),
    ("createrole", "rolcreaterole"),
    ("inherit", "rolinherit"),
    ("login", "rolcanlogin"),
    ("replication", "rolreplication"),
    ("bypassrls", "rolbypassrls"),
];

pub async fn settle(context: &Context, manifest: &Manifest, client: &Client) -> Result<(), Failure> {
    run(client, "SET log_statement = 'none'").await?;
    // The operator hashes with md5 unless the manifest asks for SCRAM (operator 1.15).
    let scram = manifest.parameters.get("password_encryption").is_some_and(|way| way == "scram-sha-256");
    let way = if scram { "scram-sha-256" } else { "md5" };
    run(client, &format!("SET password_encryption = '{way}'")).await?;
    let known = known(client).await?;
    let system = [
        ("postgres", vec!["superuser", "createdb", "createrole", "login", "replication", "bypassrls"]),
        ("standby", vec!["login", "replication"]),
    ];
    for (name, flags) in system {
        role(context, manifest, client, name, &flags, known.get(name), scram).await?;
    }
    for (name, flags) in &manifest.users {
        let nologin = flags.iter().any(|flag| flag == "nologin");
        let mut flags: Vec<&str> = flags.iter().map(String::as_str).filter(|flag| *flag != "nologin").collect();
        if !nologin {
            flags.push("login");
        }
        role(context, manifest, client, name, &flags, known.get(name), scram).await?;
    }
    databases(manifest, client).await
}

async fn role(
    context: &Context,
    manifest: &Manifest,
    client: &Client,
    name: &str,
    flags: &[&str],
    known: Option<&Known>,
    scram: bool,
) -> Result<(), Failure> {
    let secret = context.store.get("secrets", &manifest.namespace, &manifest.secret(name));
    let password = secret.and_then(|secret| objects::secret_value(&secret, "password"));
    let mut words = String::new();
    // The operator adds what is missing and never strips.
    for flag in flags.iter().filter(|flag| FLAGS.iter().any(|(known, _)| known == *flag)) {
        if known.is_none_or(|known| !known.flags.contains(&(*flag, true))) {
            words.push_str(&format!(" {}", flag.to_uppercase()));
        }
    }
    if let Some(password) = password
        && !same_password(client, name, &password, known, scram).await?
    {
        words.push_str(&format!(" PASSWORD {}", Literal::new(password)));
    }
    let ident = Ident::new(name);
    match known {
        Some(_) if words.is_empty() => Ok(()),
        Some(_) => run(client, &format!("ALTER ROLE {ident}{words}")).await,
        // Members of `admin` may grant the role on.
        None => run(client, &format!("CREATE ROLE {ident}{words} ADMIN admin")).await,
    }
}

/// An md5 hash can be made again and compared; of a SCRAM verifier only that it is one.
async fn same_password(
    client: &Client,
    name: &str,
    password: &str,
    known: Option<&Known>,
    scram: bool,
) -> Result<bool, Failure> {
    let Some(hash) = known.and_then(|known| known.password.as_deref()) else { return Ok(false) };
    if scram {
        return Ok(hash.starts_with("SCRAM-SHA-256$"));
    }
    let row = client.query_one("SELECT 'md5' || md5($1::text || $2::text)", &[&password, &name]).await;
    let made: String = row.and_then(|row| row.try_get(0)).map_err(|e| Failure(describe(&e)))?;
    Ok(made == hash)
}

async fn known(client: &Client) -> Result<BTreeMap<String, Known>, Failure> {
    let columns: Vec<&str> = FLAGS.iter().map(|(_, column)| *column).collect();
    let sql = format!("SELECT rolname::text, rolpassword, {} FROM pg_authid", columns.join(", "));
    let rows = client.query(&sql, &[]).await.map_err(|e| Failure(describe(&e)))?;
    let read = |row: &tokio_postgres::Row| -> Result<(String, Known), tokio_postgres::Error> {
        let flag = |(n, (name, _)): (usize, &(&'static str, &str))| Ok((*name, row.try_get(n + 2)?));
        let flags = FLAGS.iter().enumerate().map(flag).collect::<Result<_, tokio_postgres::Error>>()?;
        Ok((row.try_get(0)?, Known { flags, password: row.try_get(1)? }))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| Failure(describe(&e)))
}

async fn databases(manifest: &Manifest, client: &Client) -> Result<(), Failure> {
    let sql = "SELECT datname::text, pg_get_userbyid(datdba)::text FROM pg_database";
    let rows = client.query(sql, &[]).await.map_err(|e| Failure(describe(&e)))?;
    let owners: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (database, owner) in &manifest.databases {
        let (name, role) = (Ident::new(database), Ident::new(owner));
        match owners.get(database) {
            Some(now) if now == owner => {}
            Some(_) => run(client, &format!("ALTER DATABASE {name} OWNER TO {role}")).await?,
            None => run(client, &format!("CREATE DATABASE {name} OWNER {role}")).await?,
        }
    }
    Ok(())
}

async fn run(client: &Client, sql: &str) -> Result<(), Failure> {
    client.batch_execute(sql).await.map_err(|e| Failure(describe(&e)))
}
