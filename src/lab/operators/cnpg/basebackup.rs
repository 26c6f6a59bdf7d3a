//! The bootstrap jobs `pgbasebackup` (from outside) and `join` (from the cluster's own primary), cnpg.md 6.1.
use super::{
    Operator,
    cluster::Cluster,
    conf::{self, Role},
    external, initdb,
    place::Place,
    process, secrets, sql,
};
use std::collections::BTreeMap;

/// A copy of the external cluster. Waits for it for ever; keeps its postgresql.conf when the Cluster is a replica.
pub async fn from_external(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    secrets::install(operator, place).map_err(|error| error.to_string())?;
    let source = cluster.spec()["bootstrap"]["pg_basebackup"]["source"].as_str().unwrap_or_default();
    // Inside the loop: a name or a Secret may come later, and the real job waits for them too.
    let connection = loop {
        match external::conninfo(operator, cluster, place, source) {
            Ok(pairs) => {
                let connection = external::with_database(&pairs, "replication");
                match identify(place, &connection).await {
                    Ok(()) => break connection,
                    Err(error) => place.log.error("DB not available, will retry", &error),
                }
            }
            Err(error) => place.log.error("DB not available, will retry", &error),
        }
        tokio::time::sleep(operator.options.retry).await;
    };
    copy(place, &connection).await.map_err(|error| format!("while cloning pgdata: {error}"))?;
    if cluster.replica() {
        conf::refresh(operator, cluster, place, Role::Designated)?;
        return standby_signal(place);
    }
    // A snapshot: the source's configuration is not kept, and the server opens by itself after its recovery.
    place.write(&place.data().join("postgresql.conf"), "").map_err(|error| error.to_string())?;
    conf::refresh(operator, cluster, place, Role::Primary).map(drop)
}

/// A standby's copy of the primary, with its slot there.
pub async fn from_primary(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    secrets::install(operator, place).map_err(|error| error.to_string())?;
    let connection = loop {
        match conf::to_primary(operator, cluster, place) {
            Ok(pairs) => match identify(place, &external::join(&pairs)).await {
                Ok(()) => break external::join(&pairs),
                Err(error) => place.log.error("DB not available, will retry", &error),
            },
            Err(error) => place.log.error("DB not available, will retry", &error),
        }
        tokio::time::sleep(operator.options.retry).await;
    };
    if let Some(primary) = cluster.current_primary().and_then(|pod| operator.instance(&cluster.namespace, pod)) {
        let slot = sql::literal(&conf::slot(&place.instance));
        let sql = format!(
            "SELECT pg_create_physical_replication_slot({slot}, true) WHERE NOT EXISTS \
             (SELECT FROM pg_replication_slots WHERE slot_name = {slot})"
        );
        sql::run(&primary.place, "postgres", &sql).await?;
    }
    copy(place, &connection).await?;
    conf::refresh(operator, cluster, place, Role::Standby)?;
    standby_signal(place)
}

pub fn standby_signal(place: &Place) -> Result<(), String> {
    place
        .write(&place.data().join("standby.signal"), "")
        .map_err(|error| format!("cannot write standby.signal: {error}"))
}

async fn identify(place: &Place, connection: &str) -> Result<(), String> {
    let args =
        ["-XAtq", "-w", "-d", &format!("{connection} replication='true' connect_timeout='5'"), "-c", "IDENTIFY_SYSTEM"];
    let args = args.map(str::to_owned);
    let ended = process::quiet(place, "psql", &args, &BTreeMap::new()).await.map_err(|error| error.to_string())?;
    if ended.ok() { Ok(()) } else { Err(ended.stderr.join("\n")) }
}

/// No `-c fast`: like the real one it waits for a spread checkpoint (cnpg.md 6.1). `--no-sync`: the lab does not survive
/// a power cut anyway.
async fn copy(place: &Place, connection: &str) -> Result<(), String> {
    initdb::clear(place)?;
    let connection = format!("{connection} options='-c wal_sender_timeout=0s'");
    let data = place.data().display().to_string();
    let args = ["-D", &data, "-v", "-w", "--no-sync", "-d", &connection].map(str::to_owned);
    let ended =
        process::logged(place, "pg_basebackup", &args, &BTreeMap::new()).await.map_err(|error| error.to_string())?;
    if ended.ok() { Ok(()) } else { Err(format!("error in pg_basebackup, {}", ended.status())) }
}
