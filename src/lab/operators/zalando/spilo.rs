//! What the Spilo image does around Patroni: the pod's layout, its certificate, bootstrap, and post_init.
use super::{
    conf::{self, Parameters},
    member::Member,
    objects,
};
use crate::lab::servers::{self, Failure, Server, certificate, make_dir, write_file};
use serde_json::Value;
use std::collections::BTreeMap;

/// Container start: a new self-signed certificate (CN=spilo.example.org), and postgres.yml from the environment. Returns the pg_hba list.
pub fn enter(member: &Member) -> Result<Vec<String>, Failure> {
    let server = &member.server;
    let certs = server.socket.join("certs");
    let logs = server.data.parent().unwrap_or(&server.data).join("pg_log");
    for dir in [&certs, &logs] {
        make_dir(dir, server.user)?;
    }
    let (cert, key) = certificate(&["spilo.example.org".into()]);
    write_file(&certs.join("server.crt"), &cert, server.user)?;
    write_file(&certs.join("server.key"), &key, server.user)?;
    // The foreign tables over the log want all their files: LOG files of days that have not been yet.
    for day in 0..=7 {
        let path = logs.join(format!("postgresql-{day}.csv"));
        if !path.exists() {
            write_file(&path, "", server.user)?;
        }
    }
    let own = member.spilo["postgresql"]["pg_hba"].as_array().filter(|rules| !rules.is_empty());
    let rules: Vec<String> = match own {
        Some(rules) => rules.iter().map(super::manifest::text).collect(),
        None => conf::DEFAULT_HBA.map(String::from).to_vec(),
    };
    let yml = conf::postgres_yml(&member.dcs.cluster, &member.name, server, &rules);
    write_file(&member.dir.join("postgres.yml"), &yml, server.user)?;
    Ok(rules)
}

/// Environment of the container `postgres`: libpq's, and Spilo's own variables with the lab's paths.
pub fn environment(server: &Server, pod: &Value, namespace: &str) -> BTreeMap<String, String> {
    let mut env = server.environment();
    let root = server.data.parent().unwrap_or(&server.data).display().to_string();
    for variable in pod["spec"]["containers"][0]["env"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
            env.insert(name.into(), value.into());
        }
    }
    env.extend([
        ("PGROOT".into(), root),
        ("POD_IP".into(), server.ip.to_string()),
        ("POD_NAMESPACE".into(), namespace.into()),
        ("HOSTNAME".into(), pod["metadata"]["name"].as_str().unwrap_or_default().into()),
    ]);
    env
}

/// initdb, the superuser's and the standby's passwords, post_init. The server runs afterwards, as a primary.
pub async fn bootstrap(member: &Member, rules: &[String], parameters: &Parameters) -> Result<(), Failure> {
    let server = &member.server;
    let options = initdb_options(&member.spilo["bootstrap"]["initdb"]);
    server.initdb(&options.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    conf::write(server, parameters, None)?;
    conf::write_hba(server, rules)?;
    member.start(parameters).await?;
    let roles = ["postgres", "standby"].map(|user| member.password(user).map(|password| (user, password)));
    for role in roles {
        let (user, password) = role?;
        let verb = if user == "standby" { "CREATE ROLE standby LOGIN REPLICATION" } else { "ALTER ROLE postgres" };
        // log_statement is `ddl`: the statement would stand in the log. The operator of 1.15 hashes with md5.
        let sql = format!("SET log_statement = none; SET password_encryption = md5; {verb} PASSWORD '{password}'");
        server.sql("postgres", &sql).await?;
    }
    post_init(server).await
}

/// At bootstrap and at every promotion, as the superuser.
pub async fn post_init(server: &Server) -> Result<(), Failure> {
    server.sql("postgres", include_str!("sql/roles.sql")).await?;
    let databases = server.sql("postgres", "SELECT datname FROM pg_database WHERE datallowconn").await?;
    for database in databases.lines() {
        server.sql(database, include_str!("sql/every_database.sql")).await?;
    }
    server.sql("postgres", include_str!("sql/postgres_database.sql")).await.map(drop)
}

/// A replica's data from the leader, as Patroni's basebackup method.
pub async fn clone_from(member: &Member, upstream: &conf::Upstream) -> Result<(), Failure> {
    let server = &member.server;
    if let Some(parent) = server.data.parent() {
        make_dir(parent, server.user)?;
    }
    let data = server.data.display().to_string();
    let from = format!("host={} port=5432 user=standby sslmode=prefer application_name={}", upstream.ip, member.name);
    let args = ["-D", &data, "-X", "stream", "-c", "fast", "--no-sync", "-d", &from];
    server.tool_with("pg_basebackup", &args, &[("PGPASSWORD", &upstream.password)], None).await.map(drop)
}

/// spec.patroni.initdb as options. The operator's own list replaces Spilo's, so checksums are off unless the manifest says so
/// (zalando.md, 8); the locale is en_US.UTF-8 where the machine has it.
fn initdb_options(manifest: &Value) -> Vec<String> {
    let mut options = BTreeMap::from([("encoding".to_owned(), Some("UTF8".to_owned()))]);
    options.insert("locale".into(), Some(locale("en_US.UTF-8")));
    for (name, value) in super::manifest::fields(manifest) {
        let value = super::manifest::text(value);
        let value = if name.contains("locale") || name.starts_with("lc-") { locale(&value) } else { value };
        match value.as_str() {
            "false" => drop(options.remove(name)),
            "true" => drop(options.insert(name.clone(), None)),
            _ => drop(options.insert(name.clone(), Some(value))),
        }
    }
    options.into_iter().map(|(name, value)| value.map_or(format!("--{name}"), |v| format!("--{name}={v}"))).collect()
}

/// `wanted` if this machine has it, else C.UTF-8, which every libc of the last years has.
fn locale(wanted: &str) -> String {
    let plain = |name: &str| name.to_lowercase().replace("utf-8", "utf8");
    let output = std::process::Command::new("locale").arg("-a").output();
    let known = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let found = known.lines().any(|name| plain(name) == plain(wanted));
    if found { wanted.into() } else { "C.UTF-8".into() }
}

/// The installation of the wanted major, else the newest there is.
pub fn install(version: &str) -> Option<servers::Install> {
    let all = servers::installs();
    let wanted = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    all.iter().find(|i| Some(i.major) == wanted).or(all.first()).cloned()
}

/// Major of the manifest that the pod was made from.
pub fn version(pod: &Value) -> String {
    objects::env_value(pod, "PGVERSION").unwrap_or_default()
}
