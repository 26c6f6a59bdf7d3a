//! The lab's certificates: a CA of its own, made anew at every start.

use crate::error::{Context, Error, Result};
use std::sync::Arc;

/// (the CA as PEM, the server's configuration for 127.0.0.1 and localhost)
pub fn make() -> Result<(String, Arc<rustls::ServerConfig>)> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let make = || -> std::result::Result<_, rcgen::Error> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "pgmigrate lab CA");
        let ca = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let names = vec!["127.0.0.1".to_string(), "localhost".to_string()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok((ca.pem(), certificate.der().clone(), key.serialize_der()))
    };
    let (ca, certificate, key) = make().context("make the lab's certificates")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key).map_err(|e| Error::bug(format!("the lab's key: {e}")))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up the lab's TLS")?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .context("set up the lab's TLS")?;
    // Only 1.1: exec and port-forward take the connection over.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca, Arc::new(config)))
}
