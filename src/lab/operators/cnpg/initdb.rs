//! The bootstrap job `initdb`, and what it shares with an import.
use super::{
    Operator,
    cluster::{Cluster, texts},
    conf,
    place::Place,
    podlog, secrets, sql,
};
use std::path::Path;

/// A new data directory with the application's database and owner in it.
pub async fn bootstrap(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    create(operator, cluster, place).await?;
    configure(cluster, place).await?;
    stop(place).await
}

/// initdb, configuration, and the server started with nothing that makes a bulk load slow.
pub async fn create(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    place.log.info("Creating new data directory");
    clear(place)?;
    let args = initdb_args(cluster);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    place
        .server
        .initdb(&args)
        .await
        .map_err(|failure| format!("error while creating the PostgreSQL instance: {}", failure.0))?;
    secrets::install(operator, place).map_err(|error| error.to_string())?;
    conf::refresh(operator, cluster, place, conf::Role::Primary)?;
    place.log.info("Starting up instance");
    let options =
        [("archive_mode", "off"), ("wal_level", "minimal"), ("full_page_writes", "off"), ("max_wal_senders", "0")];
    let follow = tokio::spawn(podlog::follow(place.server.log.clone(), place.log.clone()));
    place.follower.replace(follow.abort_handle());
    place.server.start(&options).await.map_err(|failure| format!("error starting PostgreSQL instance: {}", failure.0))
}

fn initdb_args(cluster: &Cluster) -> Vec<String> {
    let initdb = cluster.initdb();
    let mut args = Vec::new();
    let text = |field: &str, default: &str| initdb[field].as_str().unwrap_or(default).to_owned();
    args.push(format!("--encoding={}", text("encoding", "UTF8")));
    match initdb["locale"].as_str() {
        Some(locale) => args.push(format!("--locale={locale}")),
        None => {
            // The defaults that silently change the collation of an imported database (cnpg.md 2.3).
            args.push(format!("--lc-collate={}", text("localeCollate", "C")));
            args.push(format!("--lc-ctype={}", text("localeCType", "C")));
        }
    }
    if initdb["dataChecksums"] == true {
        args.push("--data-checksums".into());
    }
    if let Some(size) = initdb["walSegmentSize"].as_u64() {
        args.push(format!("--wal-segsize={size}"));
    }
    args
}

/// What an earlier attempt left is kept as `pgdata_<time>` when it is a data directory, else removed: every retry of a
/// failed import keeps a whole copy (cnpg.md 2.5).
pub fn clear(place: &Place) -> Result<(), String> {
    let data = place.data();
    if !data.exists() {
        return Ok(());
    }
    let cannot = |error: std::io::Error| format!("cannot clear {}: {error}", data.display());
    if data.join("global/pg_control").exists() {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        place.log.info("PGData already exists, renaming it");
        return std::fs::rename(data, free_name(&place.dir, &format!("pgdata_{stamp}"))).map_err(cannot);
    }
    std::fs::remove_dir_all(data).map_err(cannot)
}

fn free_name(dir: &Path, wanted: &str) -> std::path::PathBuf {
    let numbered = (1..).map(|n| if n == 1 { wanted.to_owned() } else { format!("{wanted}_{n}") });
    numbered.map(|name| dir.join(name)).find(|path| !path.exists()).unwrap_or_else(|| dir.join(wanted))
}

/// Owner, database and the user's SQL, in the operator's order: all of it comes before an import.
pub async fn configure(cluster: &Cluster, place: &Place) -> Result<(), String> {
    place.log.info("Configuring primary instance");
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: String| format!("while {what}: {error}")
    };
    if let Some(owner) = cluster.owner() {
        let sql = format!("CREATE ROLE {} LOGIN", sql::ident(owner));
        sql::run(place, "postgres", &sql).await.map_err(failed("creating the owner role"))?;
    }
    for sql in texts(&cluster.initdb()["postInitSQL"]) {
        sql::run(place, "postgres", &sql).await.map_err(failed("executing post-init SQL"))?;
    }
    for sql in texts(&cluster.initdb()["postInitTemplateSQL"]) {
        sql::run(place, "template1", &sql).await.map_err(failed("executing post-init template SQL"))?;
    }
    let (Some(owner), Some(database)) = (cluster.owner(), cluster.database()) else { return Ok(()) };
    let sql = format!("CREATE DATABASE {} OWNER {}", sql::ident(database), sql::ident(owner));
    sql::run(place, "postgres", &sql).await.map_err(failed("creating the application database"))?;
    for sql in texts(&cluster.initdb()["postInitApplicationSQL"]) {
        sql::run(place, database, &sql).await.map_err(failed("executing post-init application SQL"))?;
    }
    Ok(())
}

pub async fn stop(place: &Place) -> Result<(), String> {
    place.log.info("Shutting down instance");
    place.server.stop("fast").await.map_err(|failure| failure.0)
}
