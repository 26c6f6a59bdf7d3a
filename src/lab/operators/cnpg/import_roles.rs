//! Roles of a monolith import, with the real one's losses: SUPERUSER, REPLICATION, NOINHERIT, comments, ALTER ROLE SET and
//! memberships in predefined roles (observed-import-logical.md 2).
use super::{
    cluster::texts,
    import::Import,
    sql::{self, ident, literal},
};
use serde_json::{Value, json};

/// Never imported, besides the owner that initdb made.
const OWN: [&str; 4] = ["postgres", "streaming_replica", "cnpg_pooler_pgbouncer", "cnpg_metrics_exporter"];

/// Roles first, then who is a member of what. A role that cannot be made is logged and skipped.
pub async fn roles(import: &Import<'_>) -> Result<(), String> {
    let wanted = texts(&import.cluster.import()["roles"]);
    if wanted.is_empty() {
        return Ok(());
    }
    // Needs a superuser on the source: `standby` cannot read it (cnpg.md 2.5).
    const ROLES: &str = "SELECT rolname, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolpassword, \
        rolvaliduntil::text AS rolvaliduntil, rolbypassrls FROM pg_catalog.pg_authid \
        WHERE oid >= 16384 ORDER BY oid";
    for role in import.ask("postgres", ROLES).await? {
        let name = role["rolname"].as_str().unwrap_or_default();
        let skipped = OWN.contains(&name) || import.cluster.owner() == Some(name);
        if skipped || (wanted != ["*"] && !wanted.iter().any(|one| one == name)) {
            continue;
        }
        let query = create(name, &role);
        // With the verifier in it: the real log has it too, and whoever keeps the log must redact it.
        import.place.log.info_with("executing import role query", json!({"query": query}));
        if let Err(error) = sql::run(import.place, "postgres", &query).await {
            import.place.log.error("error while importing the role", &error);
        }
    }
    inheritances(import).await
}

fn create(name: &str, role: &Value) -> String {
    let mut query = format!("CREATE ROLE {} WITH", ident(name));
    let flags =
        [("rolcreatedb", " CREATEDB", ""), ("rolcanlogin", " LOGIN", " NOLOGIN"), ("rolinherit", " INHERIT", "")];
    for (field, yes, no) in flags {
        query += if role[field] == true { yes } else { no };
    }
    for (field, yes) in [("rolcreaterole", " CREATEROLE"), ("rolbypassrls", " BYPASSRLS")] {
        query += if role[field] == true { yes } else { "" };
    }
    if let Some(until) = role["rolvaliduntil"].as_str() {
        query += &format!(" VALID UNTIL {}", literal(until));
    }
    if let Some(password) = role["rolpassword"].as_str() {
        query += &format!(" PASSWORD {}", literal(password));
    }
    query.push_str(&format!(" CONNECTION LIMIT {}", role["rolconnlimit"]));
    query
}

async fn inheritances(import: &Import<'_>) -> Result<(), String> {
    import.place.log.info("importing role inheritances");
    const MEMBERS: &str = "SELECT roleid::regrole::text AS role, member::regrole::text AS member, admin_option \
        FROM pg_catalog.pg_auth_members WHERE roleid >= 16384 AND member >= 16384";
    for member in import.ask("postgres", MEMBERS).await? {
        let text = |field: &str| member[field].as_str().unwrap_or_default();
        let admin = if member["admin_option"] == true { " WITH ADMIN OPTION" } else { "" };
        // regrole's text is quoted where it must be.
        let query = format!("GRANT {} TO {}{admin}", text("role"), text("member"));
        if let Err(error) = sql::run(import.place, "postgres", &query).await {
            import.place.log.error("while importing role inheritance", &error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_role_keeps_its_verifier_and_loses_noinherit() {
        let role = serde_json::json!({"rolcanlogin": true, "rolinherit": false, "rolcreatedb": true, "rolconnlimit": 3,
            "rolpassword": "md5x", "rolvaliduntil": null, "rolcreaterole": false, "rolbypassrls": false});
        assert_eq!(
            super::create("a b", &role),
            "CREATE ROLE \"a b\" WITH CREATEDB LOGIN PASSWORD 'md5x' CONNECTION LIMIT 3"
        );
    }
}
