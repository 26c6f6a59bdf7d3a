//! The ground that a lab stands on: a subnet of its own and a directory, and clearing up after one that was killed.
use crate::{
    error::{Context, Error, Result},
    lab::faults::disk,
};
use std::{
    fs::File,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Second octets that labs use: far from what resolvers and other tools use on loopback (127.0.0.x); above are those
/// that tests of single parts take without asking.
const SUBNETS: std::ops::RangeInclusive<u8> = 10..=190;

/// Holds the subnet for as long as it lives.
pub struct Ground {
    pub subnet: u8,
    /// Short, because a Unix socket's path has 107 bytes.
    pub dir: PathBuf,
    _lock: File,
}

/// `/tmp/pgmigrate-lab-<uid>`, made if absent; an error when it belongs to somebody else.
pub fn root() -> Result<PathBuf> {
    // SAFETY: geteuid has no preconditions.
    let uid = unsafe { libc::geteuid() };
    let root = PathBuf::from(format!("/tmp/pgmigrate-lab-{uid}"));
    std::fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    let found = std::fs::symlink_metadata(&root).with_context(|| format!("cannot look at {}", root.display()))?;
    if !found.is_dir() || found.uid() != uid {
        let what = format!("{} is not a directory of ours: somebody else made it", root.display());
        return Err(Error::failed(what).hint(format!("look at it: ls -ld {}", root.display())));
    }
    passable(&root)?;
    Ok(root)
}

/// PostgreSQL runs as another user when the lab is root: it must get through, not look around.
fn passable(dir: &Path) -> Result<()> {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711))
        .with_context(|| format!("cannot set the mode of {}", dir.display()))
}

/// The first free subnet. What a killed lab left there is ended and removed.
pub fn claim() -> Result<Ground> {
    let root = root()?;
    for subnet in SUBNETS {
        let path = root.join(format!("subnet-{subnet}"));
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("cannot open {}", path.display()))?;
        if lock.try_lock().is_err() {
            continue;
        }
        let dir = root.join(subnet.to_string());
        clear(&dir)?;
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        passable(&dir)?;
        return Ok(Ground { subnet, dir, _lock: lock });
    }
    Err(Error::failed("every subnet of the lab is in use").hint(format!("see which labs run: ls {}", root.display())))
}

/// Clears the directory of a lab that is dead. One that another lab has taken over meanwhile is left alone.
pub fn reclaim(dir: &Path) -> Result<()> {
    let subnet = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let path = root()?.join(format!("subnet-{subnet}"));
    // A directory that is not one of ours is not removed, whatever a state file says.
    if dir.parent() != Some(&root()?) || !path.exists() {
        return Ok(());
    }
    let lock = File::options().write(true).open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    if lock.try_lock().is_ok() { clear(dir) } else { Ok(()) }
}

/// Ends every PostgreSQL server whose data directory is under `dir`, then removes it.
pub fn clear(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let servers = servers(dir);
    for (pid, _) in &servers {
        signal(*pid, libc::SIGQUIT);
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    for (pid, data) in &servers {
        while is_server_of(*pid, data) {
            if Instant::now() > deadline {
                signal(*pid, libc::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    disk::unmount(dir)?;
    remove(dir)
}

/// A backend that is just ending may still write a file.
fn remove(dir: &Path) -> Result<()> {
    for _ in 0..20 {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", dir.display()));
            }
            _ => return Ok(()),
        }
    }
    Err(Error::failed(format!("cannot remove {}: files keep appearing in it", dir.display())))
}

/// Postmasters that run in data directories under `dir`: process id and data directory.
pub fn servers(dir: &Path) -> Vec<(i32, PathBuf)> {
    let mut found = vec![];
    let mut look = vec![dir.to_owned()];
    while let Some(dir) = look.pop() {
        if let Some(pid) = postmaster(&dir) {
            found.push((pid, dir));
            continue;
        }
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                look.push(entry.path());
            }
        }
    }
    found
}

/// The live postmaster of this data directory.
pub fn postmaster(data: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    is_server_of(pid, data).then_some(pid)
}

/// The number in a pid file may be anybody's by now: a postmaster's working directory is its data directory.
fn is_server_of(pid: i32, data: &Path) -> bool {
    if cfg!(target_os = "linux") {
        let real = std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
        return std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == real);
    }
    let shown = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains(&*data.to_string_lossy()))
}

pub fn signal(pid: i32, signal: i32) {
    // SAFETY: a plain system call; callers have looked whose id it is.
    unsafe { libc::kill(pid, signal) };
}
