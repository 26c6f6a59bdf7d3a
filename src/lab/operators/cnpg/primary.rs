//! What a primary's instance manager keeps in order: passwords, its own roles, extensions, managed roles (cnpg.md 2.8, 6.4).
use super::{
    Operator, POOLERS,
    cluster::Cluster,
    databases,
    instance::Instance,
    place::Place,
    secrets,
    sql::{self, ident, literal},
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What was applied last, and when a failure is tried again.
#[derive(Default)]
pub struct Memory {
    applied: Option<String>,
    retry: Option<(Instant, Duration)>,
    /// Of the owner's and the superuser's Secret, as last set: the verifier is made anew only with them. A client that
    /// PgBouncer let in by the old one could not be passed on.
    passwords: Option<[Value; 2]>,
}

impl Memory {
    /// Applies again when something it depends on changed, or a back-off is over.
    pub async fn reconcile(&mut self, operator: &Operator, instance: &Instance, cluster: &Cluster) {
        let inputs = inputs(operator, cluster);
        let due = self.retry.is_some_and(|(at, _)| at <= Instant::now());
        if self.applied.as_ref() == Some(&inputs) && !due {
            return;
        }
        if self.applied.as_ref() != Some(&inputs) {
            self.retry = None;
        }
        self.applied = Some(inputs);
        let place = &instance.place;
        match self.apply(operator, cluster, place).await {
            Ok(()) => self.retry = None,
            Err(error) => {
                place.log.error("Reconciler error", &error);
                let first = operator.options.database_backoff;
                let pause = self.retry.map_or(first, |(_, pause)| (pause * 2).min(first * 16));
                self.retry = Some((Instant::now() + pause, pause));
            }
        }
    }
}

/// Everything that makes the instance manager look again. Not the status.
fn inputs(operator: &Operator, cluster: &Cluster) -> String {
    let reloaded = cluster.annotation("cnpg.io/reloadedAt").unwrap_or_default();
    let passwords = versions(operator, cluster);
    let managed: Vec<Value> = managed_roles(cluster)
        .map(|role| version(operator, cluster, role["passwordSecret"]["name"].as_str().unwrap_or_default()))
        .collect();
    format!("{} {reloaded} {passwords:?} {managed:?} {}", cluster.generation(), has_pooler(operator, cluster))
}

fn version(operator: &Operator, cluster: &Cluster, secret: &str) -> Value {
    let secret = operator.store.get("secrets", &cluster.namespace, secret);
    secret.map_or(Value::Null, |secret| secret["metadata"]["resourceVersion"].clone())
}

/// Of the owner's and of the superuser's Secret.
fn versions(operator: &Operator, cluster: &Cluster) -> [Value; 2] {
    let of = |name: &str| version(operator, cluster, name);
    [cluster.owner_secret().map_or(Value::Null, |name| of(&name)), of(&superuser_secret(cluster))]
}

fn superuser_secret(cluster: &Cluster) -> String {
    cluster.spec()["superuserSecret"]["name"]
        .as_str()
        .map_or_else(|| format!("{}-superuser", cluster.name), str::to_owned)
}

fn managed_roles(cluster: &Cluster) -> impl Iterator<Item = &Value> {
    cluster.spec()["managed"]["roles"].as_array().into_iter().flatten()
}

fn has_pooler(operator: &Operator, cluster: &Cluster) -> bool {
    let poolers = operator.store.list(POOLERS, Some(&cluster.namespace));
    poolers.iter().any(|pooler| pooler["spec"]["cluster"]["name"] == cluster.name.as_str())
}

impl Memory {
    /// In the real order: an error in the databases keeps the pooler's role from being made (observed-physical.md 4.3).
    async fn apply(&mut self, operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
        own_roles(place).await?;
        let versions = versions(operator, cluster);
        let mut set = Ok(());
        if self.passwords.as_ref() != Some(&versions) {
            set = passwords(operator, cluster, place).await;
            self.passwords = set.is_ok().then_some(versions);
        }
        databases::reconcile(cluster, place).await?;
        set?;
        for role in managed_roles(cluster) {
            managed_role(operator, cluster, place, role).await?;
        }
        if has_pooler(operator, cluster) { pooler_role(place).await } else { Ok(()) }
    }
}

async fn own_roles(place: &Place) -> Result<(), String> {
    for (role, attributes) in [("streaming_replica", "LOGIN REPLICATION"), ("cnpg_metrics_exporter", "LOGIN")] {
        if !exists(place, role).await? {
            sql::run(place, "postgres", &format!("CREATE ROLE {role} WITH {attributes}")).await?;
        }
    }
    // What pg_rewind needs, and what the exporter reads.
    const GRANTS: &str = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO streaming_replica; \
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO streaming_replica; \
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO streaming_replica; \
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO streaming_replica; \
        GRANT pg_monitor TO cnpg_metrics_exporter";
    sql::run(place, "postgres", GRANTS).await
}

async fn exists(place: &Place, role: &str) -> Result<bool, String> {
    let sql = format!("SELECT 1 FROM pg_roles WHERE rolname = {}", literal(role));
    Ok(!sql::value(place, "postgres", &sql).await?.is_empty())
}

async fn passwords(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    let superuser = if cluster.superuser_access() {
        secrets::value(operator, &cluster.namespace, &superuser_secret(cluster), "password")
    } else {
        None
    };
    set_password(place, "postgres", superuser.as_deref()).await?;
    let (Some(owner), Some(secret)) = (cluster.owner(), cluster.owner_secret()) else { return Ok(()) };
    let Some(password) = secrets::value(operator, &cluster.namespace, &secret, "password") else {
        return Err(format!("while updating database owner password: secret {secret} has no password"));
    };
    let user = secrets::value(operator, &cluster.namespace, &secret, "username").unwrap_or_default();
    if user != owner {
        return Err(format!("wrong username '{user}' in secret, expected '{owner}'"));
    }
    set_password(place, owner, Some(&password))
        .await
        .map_err(|error| format!("while updating database owner password: {error}"))
}

/// Stored as SCRAM whatever a copied configuration says (see [`sql`]); a verifier is passed on as it is.
async fn set_password(place: &Place, role: &str, password: Option<&str>) -> Result<(), String> {
    let password = password.map_or("NULL".into(), literal);
    let sql = format!("ALTER ROLE {} PASSWORD {password}", ident(role));
    sql::run(place, "postgres", &sql).await
}

/// Omitted attributes are reset to their default, as the real reconciler does.
async fn managed_role(operator: &Operator, cluster: &Cluster, place: &Place, role: &Value) -> Result<(), String> {
    let Some(name) = role["name"].as_str() else { return Ok(()) };
    let there = exists(place, name).await?;
    if role["ensure"] == "absent" {
        return if there { sql::run(place, "postgres", &format!("DROP ROLE {}", ident(name))).await } else { Ok(()) };
    }
    let flag = |field: &str, word: &str, default: bool| {
        let on = role[field].as_bool().unwrap_or(default);
        if on { word.to_owned() } else { format!("NO{word}") }
    };
    let attributes = [
        flag("superuser", "SUPERUSER", false),
        flag("createdb", "CREATEDB", false),
        flag("createrole", "CREATEROLE", false),
        flag("login", "LOGIN", false),
        flag("replication", "REPLICATION", false),
        flag("bypassrls", "BYPASSRLS", false),
        flag("inherit", "INHERIT", true),
        format!("CONNECTION LIMIT {}", role["connectionLimit"].as_i64().unwrap_or(-1)),
    ];
    let verb = if there { "ALTER" } else { "CREATE" };
    sql::run(place, "postgres", &format!("{verb} ROLE {} WITH {}", ident(name), attributes.join(" "))).await?;
    for group in super::cluster::texts(&role["inRoles"]) {
        sql::run(place, "postgres", &format!("GRANT {} TO {}", ident(&group), ident(name))).await?;
    }
    if let Some(secret) = role["passwordSecret"]["name"].as_str() {
        let password = secrets::value(operator, &cluster.namespace, secret, "password");
        set_password(place, name, password.as_deref()).await?;
    } else if role["disablePassword"] == true {
        set_password(place, name, None).await?;
    }
    Ok(())
}

/// The role and function PgBouncer looks passwords up with. The real function is in `postgres` alone, where PgBouncer
/// is sent by auth_dbname; Debian 12's PgBouncer 1.18 does not know that word and asks in the client's own database.
async fn pooler_role(place: &Place) -> Result<(), String> {
    if !exists(place, "cnpg_pooler_pgbouncer").await? {
        sql::run(place, "postgres", "CREATE ROLE cnpg_pooler_pgbouncer WITH LOGIN").await?;
    }
    const SEARCH: &str = "CREATE OR REPLACE FUNCTION public.user_search(uname TEXT) RETURNS TABLE (usename name, passwd text) \
        LANGUAGE sql SECURITY DEFINER AS 'SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1;'; \
        REVOKE ALL ON FUNCTION public.user_search(text) FROM public; \
        GRANT EXECUTE ON FUNCTION public.user_search(text) TO cnpg_pooler_pgbouncer; \
        GRANT USAGE ON SCHEMA public TO cnpg_pooler_pgbouncer";
    for row in
        sql::rows(place, "postgres", "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate").await?
    {
        if let Some(database) = row.into_iter().next().flatten() {
            let grant = format!("GRANT CONNECT ON DATABASE {} TO cnpg_pooler_pgbouncer; {SEARCH}", ident(&database));
            sql::run(place, &database, &grant).await?;
        }
    }
    Ok(())
}
