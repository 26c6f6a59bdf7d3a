//! The configuration the instance manager writes: custom.conf, override.conf, pg_hba.conf, pg_ident.conf (cnpg.md 2.2).
use super::{
    Operator,
    cluster::{Cluster, texts},
    databases, external,
    place::Place,
    podlog::LINE_PREFIX,
};
use std::{collections::BTreeMap, path::Path};

/// What the server is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Read-write.
    Primary,
    /// The first instance of a replica cluster: follows the external cluster.
    Designated,
    /// Follows the cluster's own primary.
    Standby,
}

pub fn role(cluster: &Cluster, pod: &str) -> Role {
    if cluster.current_primary().is_some_and(|primary| primary != pod) {
        Role::Standby
    } else if cluster.replica() {
        Role::Designated
    } else {
        Role::Primary
    }
}

/// Writes what differs; true if anything did.
pub fn refresh(operator: &Operator, cluster: &Cluster, place: &Place, role: Role) -> Result<bool, String> {
    let files = [
        ("custom.conf", custom(cluster, place)),
        ("override.conf", overriding(operator, cluster, place, role)?),
        ("pg_hba.conf", hba(cluster)),
        ("pg_ident.conf", ident(cluster)),
    ];
    let mut changed = include_them(place)?;
    for (name, text) in files {
        let path = place.data().join(name);
        changed |= place.write_if_changed(&path, &text).map_err(|error| format!("cannot write {name}: {error}"))?;
    }
    Ok(changed)
}

/// `include 'custom.conf'`, `include 'override.conf'` at the end of postgresql.conf, whoever wrote that.
fn include_them(place: &Place) -> Result<bool, String> {
    let path = place.data().join("postgresql.conf");
    let mut text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read postgresql.conf: {error}"))?;
    let lines = ["include 'custom.conf'", "include 'override.conf'"];
    let missing: Vec<&str> =
        lines.into_iter().filter(|line| !text.lines().any(|there| there.trim() == *line)).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    text.push_str("\n# load CloudNativePG configuration\n");
    missing.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    place.write(&path, &text).map_err(|error| format!("cannot write postgresql.conf: {error}"))?;
    Ok(true)
}

fn setting(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\'', "''"))
}

fn custom(cluster: &Cluster, place: &Place) -> String {
    let mut all: BTreeMap<String, String> = DEFAULTS.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let parameters = cluster.parameters();
    let mut libraries = texts(&cluster.spec()["postgresql"]["shared_preload_libraries"]);
    libraries.extend(databases::managed(&parameters).map(str::to_owned));
    all.extend(parameters);
    let certificates = place.dir.join("certificates");
    let certificate = |name: &str| certificates.join(name).display().to_string();
    let archive_mode = if cluster.annotation("cnpg.io/skipWalArchiving") == Some("enabled") {
        "off"
    } else if cluster.replica() {
        // Off `always` needs a restart: the one that follows every promotion (cnpg.md 6.4).
        "always"
    } else {
        "on"
    };
    let fixed = [
        ("archive_mode", archive_mode.to_owned()),
        ("cluster_name", cluster.name.clone()),
        ("shared_preload_libraries", libraries.join(",")),
        ("ssl_cert_file", certificate("server.crt")),
        ("ssl_key_file", certificate("server.key")),
        ("ssl_ca_file", certificate("client-ca.crt")),
        ("unix_socket_directories", place.server.socket.display().to_string()),
        ("log_line_prefix", LINE_PREFIX.to_owned()),
    ];
    all.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    all.extend(MANDATORY.iter().map(|(k, v)| ((*k).into(), (*v).into())));
    all.iter().map(|(name, value)| setting(name, value)).collect()
}

const DEFAULTS: &[(&str, &str)] = &[
    ("archive_timeout", "5min"),
    ("dynamic_shared_memory_type", "posix"),
    ("full_page_writes", "on"),
    ("max_parallel_workers", "32"),
    ("max_replication_slots", "32"),
    ("max_worker_processes", "32"),
    ("shared_memory_type", "mmap"),
    ("ssl_max_protocol_version", "TLSv1.3"),
    ("ssl_min_protocol_version", "TLSv1.3"),
    ("wal_keep_size", "512MB"),
    ("wal_level", "logical"),
    ("wal_log_hints", "on"),
    ("wal_receiver_timeout", "5s"),
    ("wal_sender_timeout", "5s"),
];

/// Not the user's to set. Without a WAL archiver the real archive_command does nothing and succeeds.
const MANDATORY: &[(&str, &str)] = &[
    ("archive_command", "true"),
    ("hot_standby", "on"),
    ("listen_addresses", "*"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("port", "5432"),
    ("restart_after_crash", "false"),
    ("ssl", "on"),
];

/// Replication's own file. It does not mention primary_slot_name for a designated primary, so that what a copied
/// postgresql.conf says stays in force (observed-physical.md 1.3).
fn overriding(operator: &Operator, cluster: &Cluster, place: &Place, role: Role) -> Result<String, String> {
    let conninfo = match role {
        Role::Primary => return Ok(String::new()),
        Role::Designated => {
            let mut pairs = external::conninfo(operator, cluster, place, cluster.replica_source())?;
            pairs.push(("dbname".into(), "replication".into()));
            if !pairs.iter().any(|(key, _)| key == "application_name") {
                pairs.push(("fallback_application_name".into(), cluster.name.clone()));
            }
            external::join(&pairs)
        }
        Role::Standby => external::join(&to_primary(operator, cluster, place)?),
    };
    let mut text = setting("restore_command", "false") + setting("recovery_target_timeline", "latest").as_str();
    text += setting("primary_conninfo", &conninfo).as_str();
    if role == Role::Standby {
        text += setting("primary_slot_name", &slot(&place.instance)).as_str();
    }
    Ok(text)
}

/// How a standby reaches the cluster's primary: with the replication certificate.
pub fn to_primary(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<Vec<(String, String)>, String> {
    let host = format!("{}-rw", cluster.name);
    let address =
        operator.node.resolve(&host, &cluster.namespace).ok_or_else(|| format!("lookup {host}: no such host"))?;
    let file = |name: &str| place.dir.join("certificates").join(name).display().to_string();
    let pairs = [
        ("host", host),
        ("hostaddr", address.to_string()),
        ("user", "streaming_replica".into()),
        ("port", "5432".into()),
        ("sslkey", file("streaming_replica.key")),
        ("sslcert", file("streaming_replica.crt")),
        ("sslrootcert", file("server-ca.crt")),
        ("application_name", place.instance.clone()),
        ("sslmode", "verify-ca".into()),
        ("dbname", "postgres".into()),
    ];
    Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The slot of a standby on its primary.
pub fn slot(pod: &str) -> String {
    format!("_cnpg_{}", pod.replace('-', "_").to_lowercase())
}

/// The real first line is `local all all peer map=local`: here the socket directory belongs to the pod alone.
fn hba(cluster: &Cluster) -> String {
    let mut lines = vec![
        "local all all trust".to_owned(),
        "hostssl postgres streaming_replica all cert map=cnpg_streaming_replica".into(),
        "hostssl replication streaming_replica all cert map=cnpg_streaming_replica".into(),
        "hostssl all cnpg_pooler_pgbouncer all cert map=cnpg_pooler_pgbouncer".into(),
    ];
    lines.extend(texts(&cluster.spec()["postgresql"]["pg_hba"]));
    lines.push("host all all all scram-sha-256\n".into());
    lines.join("\n")
}

fn ident(cluster: &Cluster) -> String {
    let mut lines = vec![
        "cnpg_streaming_replica streaming_replica streaming_replica".to_owned(),
        "cnpg_pooler_pgbouncer cnpg_pooler_pgbouncer cnpg_pooler_pgbouncer".into(),
    ];
    lines.extend(texts(&cluster.spec()["postgresql"]["pg_ident"]));
    lines.join("\n") + "\n"
}

/// Names a file of another place that the copied configuration insists on: (parameter, path). On a real cluster such a
/// path does not exist in the new pod; on this machine the source's file does, so the refusal is spoken here.
pub fn foreign_file(data: &Path) -> Option<(String, String)> {
    let mut found = BTreeMap::new();
    for file in ["postgresql.conf", "postgresql.auto.conf"] {
        let text = std::fs::read_to_string(data.join(file)).unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for name in ["hba_file", "data_directory"] {
                if let Some(value) =
                    line.trim_start().strip_prefix(name).filter(|rest| rest.starts_with([' ', '=', '\t']))
                {
                    let value = value.trim_start_matches([' ', '=', '\t']);
                    let value = value.trim_start_matches('\'').split(['\'', '#']).next().unwrap_or_default().trim();
                    found.insert(name, value.to_owned());
                }
            }
        }
    }
    let foreign = |path: &String| Path::new(path).is_absolute() && !Path::new(path).starts_with(data);
    found.into_iter().find(|(_, path)| foreign(path)).map(|(name, path)| (name.to_owned(), path))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_copied_absolute_path_is_foreign_and_a_comment_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(dir.path().join("postgresql.conf"), text).unwrap();
        write("hba_file = '/home/postgres/pgdata/pg_hba.conf'\n");
        assert_eq!(super::foreign_file(dir.path()).unwrap().1, "/home/postgres/pgdata/pg_hba.conf");
        write(&format!("#hba_file = '/x'\nhba_file_x = '/y'\nhba_file = '{}/pg_hba.conf'\n", dir.path().display()));
        assert_eq!(super::foreign_file(dir.path()), None);
    }
}
