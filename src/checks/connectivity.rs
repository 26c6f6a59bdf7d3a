//! Sessions and certificates.

use super::*;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_cert::der::Decode;

pub const CHECKS: &[Check] = &[
    check(
        "source-sql",
        "SQL reaches the source over the network",
        "over a psql in the pod alone, every look in the window costs an exec, and passwords can't be proved",
        sql,
    ),
    check(
        "source-tls",
        "the source serves TLS",
        "the target connects with sslmode=require; Spilo's pg_hba.conf rejects what comes without",
        tls,
    ),
    check(
        "source-certificate",
        "the source's certificate lasts",
        "apps that verify it stop connecting, to the source on the way back too",
        certificate,
    ),
    check(
        "old-tls-clients",
        "every client speaks TLS 1.3",
        "CloudNativePG's default is TLS 1.3 and nothing older: such a client can't connect after the move",
        old_clients,
    ),
];

/// Days before the end from which on it is told.
const SOON: i64 = 14;

fn sql(looks: &Looks) -> Judged<'_> {
    let leader = &looks.source()?.leader;
    Ok(match looks.sql()?.over_tls {
        true => pass(format!("as postgres in {leader}, through a port-forward")),
        false => warn(
            "only through a psql in the pod: the port-forward or the login of postgres is refused",
            format!("kubectl port-forward -n {} {leader} 5432, then log in as postgres", looks.namespace()),
        ),
    })
}

fn tls(looks: &Looks) -> Judged<'_> {
    Ok(match looks.server()?.setting("ssl") {
        "on" => pass("ssl = on"),
        other => fail(
            format!("ssl = {other}"),
            format!(
                "kubectl get postgresql -n {} {} -o jsonpath='{{.spec.tls}}'",
                looks.namespace(),
                looks.migration.source
            ),
        ),
    })
}

fn certificate(looks: &Looks) -> Judged<'_> {
    let Some(pem) = looks.server()?.certificate.as_deref() else {
        return Ok(warn("the server has none to show", "SHOW ssl_cert_file"));
    };
    let Some(end) = end_of(pem) else {
        return Ok(unknown("ssl_cert_file holds no readable certificate", "SHOW ssl_cert_file"));
    };
    let days = (end - Timestamp::now().as_second()) / 86400;
    let until = Timestamp::from_second(end).map(|t| t.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    let remedy = "renew the certificate in the Secret of spec.tls, or, with Spilo's own, restart the pod";
    Ok(match days {
        ..0 => fail(format!("it has ended on {until}"), remedy),
        0..SOON => warn(format!("it ends on {until}, in {days} days"), remedy),
        _ => pass(format!("until {until}")),
    })
}

/// Seconds of the epoch.
fn end_of(pem: &str) -> Option<i64> {
    let first = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let read = x509_cert::Certificate::from_der(&first).ok()?;
    i64::try_from(read.tbs_certificate.validity.not_after.to_unix_duration().as_secs()).ok()
}

fn old_clients(looks: &Looks) -> Judged<'_> {
    let old: Vec<String> = looks
        .server()?
        .tls
        .iter()
        .filter(|client| client.version.as_deref().is_some_and(|v| v != "TLSv1.3"))
        .map(|client| {
            let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
            format!("{} from {} with {}", part(&client.user), part(&client.address), part(&client.version))
        })
        .collect();
    let lowered = looks.template("/spec/postgresql/parameters/ssl_min_protocol_version").as_str();
    Ok(match (old.as_slice(), lowered) {
        ([], _) => pass("no connected client speaks an older one"),
        (old, Some(version)) => pass(format!("{} older, and the template sets {version}", old.len())),
        (old, None) => fail(
            old.join("; "),
            "in the target's template: spec.postgresql.parameters.ssl_min_protocol_version: TLSv1.2",
        ),
    })
}
