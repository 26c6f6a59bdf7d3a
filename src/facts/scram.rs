//! SCRAM-SHA-256 verifiers made here, so that a clear-text password never reaches a server's log
//! (RFC 5802, RFC 7677; the format is PostgreSQL's, `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`).

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ITERATIONS: u32 = 4096;

/// What pg_authid.rolpassword holds for a password. Two calls differ: the salt is fresh. Passwords outside ASCII are
/// not normalised (SASLprep), which libpq does not need either when they are not changed by it.
pub fn verifier(password: &SecretString) -> SecretString {
    SecretString::from(salted(password, uuid::Uuid::new_v4().as_bytes()))
}

/// 32 characters of 122 + 6 random bits in hex: fit for a password in a connection string.
pub fn password() -> SecretString {
    SecretString::from(uuid::Uuid::new_v4().simple().to_string())
}

fn salted(password: &SecretString, salt: &[u8]) -> String {
    let key = password.expose_secret().as_bytes();
    let mut block = hmac(key, &[salt, &1u32.to_be_bytes()].concat());
    let mut derived = block;
    for _ in 1..ITERATIONS {
        block = hmac(key, &block);
        derived.iter_mut().zip(block).for_each(|(d, b)| *d ^= b);
    }
    let stored = Sha256::digest(hmac(&derived, b"Client Key"));
    let server = hmac(&derived, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

/// RFC 2104 over SHA-256, whose block is 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3: user "user", password "pencil".
    #[test]
    fn as_in_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let made = salted(&SecretString::from("pencil"), &salt);
        assert_eq!(
            made,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
