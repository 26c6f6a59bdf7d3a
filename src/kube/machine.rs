//! Who and where this process is (the lease names it, and tells from it that a runner is dead), and what it uses.
use std::{env, fs};

/// `user@host`; what cannot be learnt is `unknown`.
pub(crate) fn user_at_host() -> String {
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| uid());
    format!("{}@{}", plain(&user), plain(&host()))
}

#[cfg(unix)]
fn uid() -> String {
    // SAFETY: takes nothing and cannot fail.
    format!("uid{}", unsafe { libc::getuid() })
}
#[cfg(not(unix))]
fn uid() -> String {
    "unknown".to_string()
}

#[cfg(unix)]
fn host() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the buffer and its length belong together; gethostname writes inside them.
    let failed = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } != 0;
    let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    match std::str::from_utf8(&name[..end]) {
        Ok(text) if !failed && !text.is_empty() => text.to_string(),
        _ => "unknown".to_string(),
    }
}
#[cfg(not(unix))]
fn host() -> String {
    env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_string())
}

/// What this process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// The most it ever had resident, in bytes; 0 where it cannot be known.
    pub memory: u64,
    /// Processor seconds, user and system.
    pub processor: f64,
}

pub fn used() -> Used {
    // SAFETY: rusage is plain numbers, for which all zeroes is a value; getrusage writes only into it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    // Kilobytes everywhere but on macOS (getrusage(2) of each).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Used {
        memory: peak().unwrap_or(u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit),
        processor: seconds(usage.ru_utime) + seconds(usage.ru_stime),
    }
}

/// Bytes, from proc(5)'s VmHWM. getrusage's figure outlives exec: it may be that of whoever started us.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The identity is split at these.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c == '/' || c == '@' { '-' } else { c }).collect()
}

/// Where a process id means something: this boot of this machine and this PID namespace (two containers of one host share the
/// boot, and a pid of one says nothing in the other). None where the system does not tell.
pub(crate) fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// True only when it is certain: no such process here, or a zombie that nobody has collected.
#[cfg(unix)]
pub(crate) fn dead(pid: i32) -> bool {
    // SAFETY: signal 0 only asks whether the process exists.
    if unsafe { libc::kill(pid, 0) } != 0 {
        return std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // proc(5): the state follows the command's closing parenthesis.
    stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}
#[cfg(not(unix))]
pub(crate) fn dead(_pid: i32) -> bool {
    false
}
