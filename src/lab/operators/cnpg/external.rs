//! `externalClusters`: how a server outside the Cluster is reached.
use super::{Operator, cluster::Cluster, place::Place, secrets};

/// Writes the password and certificate files of an external cluster into the pod and gives the libpq connection string,
/// without `dbname`. Names are resolved here: this machine's resolver knows no cluster names, so `hostaddr` is added.
pub fn conninfo(
    operator: &Operator,
    cluster: &Cluster,
    place: &Place,
    name: &str,
) -> Result<Vec<(String, String)>, String> {
    let external = cluster.external(name).ok_or_else(|| format!("no external cluster {name} is in the spec"))?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (key, value) in external["connectionParameters"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if key != "dbname" {
            pairs.push((key.clone(), value));
        }
    }
    let host = pairs.iter().find(|(key, _)| key == "host").map(|(_, host)| host.clone()).unwrap_or_default();
    let address = operator.node.resolve(&host, &cluster.namespace);
    let address = address.ok_or_else(|| format!("lookup {host}: no such host"))?;
    if address.to_string() != host {
        pairs.push(("hostaddr".into(), address.to_string()));
    }
    let dir = place.dir.join("external").join(name);
    let selectors =
        [("password", "passfile"), ("sslRootCert", "sslrootcert"), ("sslCert", "sslcert"), ("sslKey", "sslkey")];
    for (selector, parameter) in selectors {
        let selector = &external[selector];
        let (Some(secret), Some(key)) = (selector["name"].as_str(), selector["key"].as_str()) else { continue };
        let missing = || format!("missing key {key} in secret {secret}");
        let mut text = secrets::value(operator, &cluster.namespace, secret, key).ok_or_else(missing)?;
        if parameter == "passfile" {
            text = format!("*:*:*:*:{}\n", text.replace('\\', "\\\\").replace(':', "\\:"));
        }
        let path = dir.join(if parameter == "passfile" { "pgpass".into() } else { format!("{secret}_{key}") });
        place.write_if_changed(&path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        pairs.push((parameter.into(), path.display().to_string()));
    }
    Ok(pairs)
}

/// libpq's `key='value' ...`
pub fn join(pairs: &[(String, String)]) -> String {
    let quote = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    pairs.iter().map(|(key, value)| format!("{key}={}", quote(value))).collect::<Vec<_>>().join(" ")
}

/// The connection string with one database in it.
pub fn with_database(pairs: &[(String, String)], database: &str) -> String {
    let mut pairs = pairs.to_vec();
    pairs.push(("dbname".into(), database.into()));
    join(&pairs)
}
