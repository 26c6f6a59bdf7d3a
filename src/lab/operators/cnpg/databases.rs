//! Extensions the instance manager makes and drops in every database (cnpg.md 2.2).
use super::{cluster::Cluster, place::Place, sql};
use std::collections::BTreeMap;

/// Preloaded when a parameter of theirs is set.
const PRELOADED: [&str; 4] = ["auto_explain", "pg_failover_slots", "pg_stat_statements", "pgaudit"];
/// Created when a parameter of theirs is set, dropped when none is.
const CREATED: [&str; 2] = ["pgaudit", "pg_stat_statements"];

pub fn managed(parameters: &BTreeMap<String, String>) -> impl Iterator<Item = &'static str> {
    PRELOADED.into_iter().filter(|library| wanted(parameters, library))
}

fn wanted(parameters: &BTreeMap<String, String>, extension: &str) -> bool {
    parameters.keys().any(|name| name.split_once('.').is_some_and(|(prefix, _)| prefix == extension))
}

/// In every database that can be connected to. A database that fails does not keep the others from being done.
pub async fn reconcile(cluster: &Cluster, place: &Place) -> Result<(), String> {
    let parameters = cluster.parameters();
    let mut failed = None;
    for row in sql::rows(place, "postgres", "SELECT datname FROM pg_database WHERE datallowconn ORDER BY oid").await? {
        let Some(database) = row.into_iter().next().flatten() else { continue };
        for extension in CREATED {
            let verb = if wanted(&parameters, extension) {
                "CREATE EXTENSION IF NOT EXISTS"
            } else {
                "DROP EXTENSION IF EXISTS"
            };
            if let Err(error) = sql::run(place, &database, &format!("{verb} {extension}")).await {
                place.log.error("Error while reconciling extensions", &error);
                failed = Some(format!("cannot reconcile database configurations: {error}"));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
