//! The cluster's own certificate authority: CloudNativePG makes one per Cluster and signs the server and the replication
//! client with it (cnpg.md 4).
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// PEM certificate and key.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

type Made<T> = Result<T, rcgen::Error>;

fn authority_params(cluster: &str, namespace: &str) -> Made<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cluster);
    params.distinguished_name.push(DnType::OrganizationalUnitName, namespace);
    Ok(params)
}

/// A new authority.
pub fn authority(cluster: &str, namespace: &str) -> Made<Pair> {
    let key = KeyPair::generate()?;
    let certificate = authority_params(cluster, namespace)?.self_signed(&key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Host names of the server certificate: `-rw`, `-r`, `-ro`, each in three forms, and the spec's own.
pub fn server_names(cluster: &str, namespace: &str, more: &[String]) -> Vec<String> {
    let forms = |service: &str| {
        let short = format!("{cluster}-{service}");
        [short.clone(), format!("{short}.{namespace}"), format!("{short}.{namespace}.svc")]
    };
    ["rw", "r", "ro"].into_iter().flat_map(forms).chain(more.iter().cloned()).collect()
}

/// A certificate by the authority whose key is given. `names` empty: a client certificate of the user `common_name`.
pub fn signed(cluster: &str, namespace: &str, authority_key: &str, common_name: &str, names: &[String]) -> Made<Pair> {
    let issuer = Issuer::new(authority_params(cluster, namespace)?, KeyPair::from_pem(authority_key)?);
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    let usage =
        if names.is_empty() { ExtendedKeyUsagePurpose::ClientAuth } else { ExtendedKeyUsagePurpose::ServerAuth };
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}
