//! The Secrets of a Cluster: certificates always; `-app` and `-superuser` by the rules of cnpg.md 4 and 6.4.
use super::{
    Operator, certs,
    cluster::{Cluster, texts},
    objects::metadata,
    place::Place,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A Secret's value, decoded.
pub fn value(operator: &Operator, namespace: &str, name: &str, key: &str) -> Option<String> {
    let secret = operator.store.get("secrets", namespace, name)?;
    if let Some(clear) = secret["stringData"][key].as_str() {
        return Some(clear.to_owned());
    }
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// Creates what is missing.
pub fn ensure(operator: &Operator, cluster: &Cluster) {
    if let Err(error) = ensure_certificates(operator, cluster) {
        tracing::error!("cannot make the certificates of cluster {}: {error}", cluster.name);
    }
    ensure_app(operator, cluster);
    let name = format!("{}-superuser", cluster.name);
    if cluster.superuser_access() && cluster.spec()["superuserSecret"]["name"].is_null() {
        if operator.store.get("secrets", &cluster.namespace, &name).is_none() {
            let data = basic_auth(cluster, "postgres", &password(), "*");
            create(operator, cluster, &name, "kubernetes.io/basic-auth", &data, Some("superuser"));
        }
    } else if operator.store.get("secrets", &cluster.namespace, &name).is_some_and(|secret| owned(cluster, &secret)) {
        let _ = operator.store.delete("secrets", &cluster.namespace, &name);
    }
}

fn owned(cluster: &Cluster, object: &Value) -> bool {
    object["metadata"]["ownerReferences"]
        .as_array()
        .is_some_and(|list| list.iter().any(|o| o["uid"] == cluster.uid.as_str()))
}

fn ensure_app(operator: &Operator, cluster: &Cluster) {
    let name = format!("{}-app", cluster.name);
    let (Some(owner), Some(database), None) = (cluster.owner(), cluster.database(), cluster.given_secret()) else {
        return;
    };
    // A replica gets its own only when it is promoted (cnpg.md 6.4).
    if cluster.replica() || operator.store.get("secrets", &cluster.namespace, &name).is_some() {
        return;
    }
    let data = basic_auth(cluster, owner, &password(), database);
    create(operator, cluster, &name, "kubernetes.io/basic-auth", &data, Some("app"));
}

/// The eleven keys of a basic-auth Secret of CloudNativePG.
fn basic_auth(cluster: &Cluster, user: &str, password: &str, database: &str) -> Vec<(&'static str, String)> {
    let (host, namespace) = (format!("{}-rw", cluster.name), &cluster.namespace);
    let full = format!("{host}.{namespace}.svc.cluster.local");
    let short = format!("{host}.{namespace}");
    let uri = |host: &str| format!("postgresql://{user}:{password}@{host}:5432/{database}");
    let jdbc = |host: &str| format!("jdbc:postgresql://{host}:5432/{database}?password={password}&user={user}");
    vec![
        ("username", user.into()),
        ("user", user.into()),
        ("password", password.into()),
        ("dbname", database.into()),
        ("host", host.clone()),
        ("port", "5432".into()),
        ("pgpass", format!("{host}:5432:{database}:{user}:{password}\n")),
        ("uri", uri(&short)),
        ("jdbc-uri", jdbc(&short)),
        ("fqdn-uri", uri(&full)),
        ("fqdn-jdbc-uri", jdbc(&full)),
    ]
}

fn ensure_certificates(operator: &Operator, cluster: &Cluster) -> Result<(), rcgen::Error> {
    let (name, namespace) = (&cluster.name, &cluster.namespace);
    let ca = format!("{name}-ca");
    if operator.store.get("secrets", namespace, &ca).is_none() {
        let pair = certs::authority(name, namespace)?;
        create(operator, cluster, &ca, "Opaque", &[("ca.crt", pair.certificate), ("ca.key", pair.key)], None);
    }
    let Some(key) = value(operator, namespace, &ca, "ca.key") else { return Ok(()) };
    let more = texts(&cluster.spec()["certificates"]["serverAltDNSNames"]);
    let server = certs::server_names(name, namespace, &more);
    for (suffix, common, names) in
        [("server", format!("{name}-rw"), server), ("replication", "streaming_replica".into(), Vec::new())]
    {
        let secret = format!("{name}-{suffix}");
        if operator.store.get("secrets", namespace, &secret).is_none() {
            let pair = certs::signed(name, namespace, &key, &common, &names)?;
            let data = [("tls.crt", pair.certificate), ("tls.key", pair.key)];
            create(operator, cluster, &secret, "kubernetes.io/tls", &data, None);
        }
    }
    Ok(())
}

/// The client certificate PgBouncer comes with, in `<cluster>-pooler`.
pub fn ensure_pooler(operator: &Operator, cluster: &Cluster) -> Result<(), rcgen::Error> {
    let (name, namespace) = (&cluster.name, &cluster.namespace);
    let secret = format!("{name}-pooler");
    let Some(key) = value(operator, namespace, &format!("{name}-ca"), "ca.key") else { return Ok(()) };
    if operator.store.get("secrets", namespace, &secret).is_none() {
        let pair = certs::signed(name, namespace, &key, "cnpg_pooler_pgbouncer", &[])?;
        create(
            operator,
            cluster,
            &secret,
            "kubernetes.io/tls",
            &[("tls.crt", pair.certificate), ("tls.key", pair.key)],
            None,
        );
    }
    Ok(())
}

fn create(
    operator: &Operator,
    cluster: &Cluster,
    name: &str,
    kind: &str,
    data: &[(&str, String)],
    user_type: Option<&str>,
) {
    let mut metadata = metadata(cluster, name);
    if let Some(user_type) = user_type {
        metadata["labels"]["cnpg.io/reload"] = "true".into();
        metadata["labels"]["cnpg.io/userType"] = user_type.into();
    }
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into())).collect();
    // Lost to somebody else's Secret of the name: theirs stands, as with the real operator.
    let _ = operator.store.create("secrets", json!({"metadata": metadata, "type": kind, "data": data}));
}

/// 64 characters, as the operator's own.
fn password() -> String {
    (0..2).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect()
}

/// Writes the certificates where postgresql.conf names them.
pub fn install(operator: &Operator, place: &Place) -> std::io::Result<()> {
    let files = [
        ("server", "tls.crt", "server.crt"),
        ("server", "tls.key", "server.key"),
        ("replication", "tls.crt", "streaming_replica.crt"),
        ("replication", "tls.key", "streaming_replica.key"),
        ("ca", "ca.crt", "server-ca.crt"),
        ("ca", "ca.crt", "client-ca.crt"),
    ];
    for (secret, key, file) in files {
        let secret = format!("{}-{secret}", place.cluster);
        let missing = || std::io::Error::other(format!("Secret {secret} has no key {key}"));
        let text = value(operator, &place.namespace, &secret, key).ok_or_else(missing)?;
        let path = place.dir.join("certificates").join(file);
        place.write_if_changed(&path, &text)?;
    }
    Ok(())
}
