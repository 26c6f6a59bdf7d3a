//! initdb takes seconds, a copy of its result tenths: one template per (version, options, user), each copy with an identity of its own.
use super::{Failure, Server, make_dir};
use sha2::{Digest, Sha256};
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) async fn initdb(server: &Server, data: &Path, args: &[&str]) -> Result<(), Failure> {
    let data = data.display().to_string();
    let first = ["--pgdata", data.as_str(), "--username=postgres", "--auth=trust", "--no-sync"];
    server.tool("initdb", &[&first[..], args].concat()).await.map(drop)
}

/// The template for these options, made if it is not there yet; None where no safe place for it exists.
pub(super) async fn of(server: &Server, args: &[&str]) -> Result<Option<PathBuf>, Failure> {
    let Some(cache) = place(server.user) else { return Ok(None) };
    let version = server.tool("initdb", &["--version"]).await?;
    let digest = Sha256::digest(format!("1\n{version}\n{}", args.join("\n")));
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let template = cache.join(format!("{}-{name}", server.install.major));
    if template.is_dir() {
        return Ok(Some(template));
    }
    let draft = cache.join(format!(".{}", uuid::Uuid::new_v4()));
    initdb(server, &draft, args).await?;
    // pg_resetwal writes the first segment anew in every copy.
    for segment in std::fs::read_dir(draft.join("pg_wal"))?.flatten().filter(|e| e.path().is_file()) {
        std::fs::remove_file(segment.path())?;
    }
    // Somebody else may have been faster; theirs is as good.
    if std::fs::rename(&draft, &template).is_err() {
        std::fs::remove_dir_all(&draft)?;
    }
    Ok(Some(template))
}

/// A private cache directory. The name under /var/tmp can be guessed, so a directory there that is not ours alone is not used.
fn place(user: Option<(u32, u32)>) -> Option<PathBuf> {
    // SAFETY: geteuid cannot fail.
    let uid = user.map_or_else(|| unsafe { libc::geteuid() }, |(uid, _)| uid);
    let own_cache = || {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
    };
    // Under another user than the lab's, the lab's own cache is out of reach.
    let base = if user.is_none() { own_cache() } else { None };
    let base = base.unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let cache = base.join(format!("pgmigrate-lab-{uid}"));
    make_dir(&cache, user).ok()?;
    let found = std::fs::symlink_metadata(&cache).ok()?;
    let ours = found.is_dir() && found.uid() == uid;
    // Only a directory that is ours is tightened.
    if ours && found.mode() & 0o077 != 0 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o700)).ok()?;
    }
    ours.then_some(cache)
}

pub(super) async fn copy(server: &Server, template: &Path) -> Result<(), Failure> {
    let (from, to) = (template.display().to_string(), server.data.display().to_string());
    server.tool("cp", &["-a", "--reflink=auto", "-T", &from, &to]).await?;
    // The system identifier is the first field of pg_control (PostgreSQL's catalog/pg_control.h). That breaks its checksum;
    // pg_resetwal -f takes the values all the same, writes the file with a good one and a first WAL segment with the new identifier.
    let control = server.data.join("global/pg_control");
    let mut bytes = std::fs::read(&control)?;
    bytes[..8].copy_from_slice(&identifier().to_ne_bytes());
    std::fs::write(&control, bytes)?;
    server.tool("pg_resetwal", &["-f", "-D", &to]).await.map(drop)
}

/// initdb's own recipe (BootStrapXLOG): seconds, microseconds, and twelve bits that are the process id there; random here, as copies are quick.
fn identifier() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs() << 32) | (u64::from(now.subsec_micros()) << 12) | (uuid::Uuid::new_v4().as_u128() as u64 & 0xfff)
}

#[cfg(test)]
mod tests {
    use super::super::*;

    /// Two copies of one template: both start, each with an identity of its own, and a stop leaves nothing running.
    #[tokio::test]
    async fn copies_are_different_systems() {
        let Some(install) = installs().into_iter().next() else { return };
        let dir = tempfile::Builder::new().prefix("pgm").tempdir().expect("temporary directory");
        // SAFETY: getpwnam is called once, here, and its result read at once.
        let user = unsafe {
            let entry = libc::getpwnam(c"postgres".as_ptr());
            (libc::geteuid() == 0 && !entry.is_null()).then(|| ((*entry).pw_uid, (*entry).pw_gid))
        };
        own(dir.path(), user).expect("chown");
        let mut seen = Vec::new();
        for (n, name) in ["a", "b"].iter().enumerate() {
            let home = dir.path().join(name);
            let server = Server {
                install: install.clone(),
                data: home.join("data"),
                ip: Ipv4Addr::new(127, 93, 1, n as u8 + 1),
                port: 5432,
                socket: home.join("run"),
                log: home.join("log"),
                user,
            };
            server.initdb(&["-E", "UTF8", "--locale=C.UTF-8", "-k"]).await.expect("initdb");
            server.start(&[("wal_level", "logical")]).await.expect("start");
            let sql = "select system_identifier, current_setting('wal_level') from pg_control_system()";
            seen.push(server.sql("postgres", sql).await.expect("sql"));
            server.stop("fast").await.expect("stop");
            assert!(!server.running());
        }
        assert!(seen.iter().all(|line| line.ends_with("|logical")));
        assert_ne!(seen[0], seen[1]);
    }
}
