//! Real PostgreSQL servers, found on this machine and run as children of the lab.
//!
//! Lab data is thrown away, so every server runs with `fsync=off`; nothing else differs from a server in a container.
mod child;
mod template;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::Ipv4Addr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, process::Command, time::sleep};

/// How long `start` waits for a postmaster that says neither ready nor goodbye; pg_ctl's own default.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The status line of postmaster.pid is a file read: looking often costs nothing and every start is on somebody's critical path.
const POLL: Duration = Duration::from_millis(10);

/// One installation: `bin` holds initdb, pg_ctl, postgres, psql, pg_basebackup ...
#[derive(Debug, Clone)]
pub struct Install {
    pub major: u32,
    pub bin: PathBuf,
}

/// PGMIGRATE_PG_BIN (a PATH-like list), /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin and PATH; newest first, one per major.
pub fn installs() -> Vec<Install> {
    let mut places: Vec<PathBuf> = Vec::new();
    if let Some(list) = std::env::var_os("PGMIGRATE_PG_BIN") {
        places.extend(std::env::split_paths(&list));
    }
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        places.extend(
            entries.filter(|e| e.file_name().to_string_lossy().starts_with(prefix)).map(|e| e.path().join("bin")),
        );
    }
    if let Some(path) = std::env::var_os("PATH") {
        places.extend(std::env::split_paths(&path));
    }
    let mut found: Vec<Install> = Vec::new();
    for bin in places {
        let Some(major) = major_of(&bin) else { continue };
        if found.iter().all(|i| i.major != major) {
            found.push(Install { major, bin });
        }
    }
    found.sort_by_key(|i| std::cmp::Reverse(i.major));
    found
}

/// `postgres (PostgreSQL) 15.14 (Debian ...)` -> 15. A directory without initdb is a client installation and no use here.
fn major_of(bin: &Path) -> Option<u32> {
    if !bin.join("initdb").is_file() {
        return None;
    }
    let output = std::process::Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A server's place and manner; nothing runs until `start`.
#[derive(Debug, Clone)]
pub struct Server {
    pub install: Install,
    /// PGDATA
    pub data: PathBuf,
    pub ip: Ipv4Addr,
    pub port: u16,
    /// Directory of the unix socket; its path and the socket's name must fit into 107 bytes (sun_path).
    pub socket: PathBuf,
    /// Standard output and error of the postmaster are appended here: the container's log.
    pub log: PathBuf,
    /// uid and gid; None: as the lab itself (PostgreSQL refuses to run as root).
    pub user: Option<(u32, u32)>,
}

/// What a program or server said when it failed: its standard error, or the last lines of its log.
#[derive(Debug, Clone)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Failure {}
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure(error.to_string())
    }
}

impl Server {
    /// Runs one of the installation's programs as the server's user to its end and returns its standard output.
    pub async fn tool(&self, program: &str, args: &[&str]) -> Result<String, Failure> {
        self.tool_with(program, args, &[], None).await
    }

    /// [`Server::tool`] with more environment and standard input: the way for passwords (PGPASSWORD) and statements, which must not stand in argv.
    pub async fn tool_with(
        &self,
        program: &str,
        args: &[&str],
        env: &[(&str, &str)],
        input: Option<&str>,
    ) -> Result<String, Failure> {
        let own = self.install.bin.join(program);
        let path = if own.is_file() { own } else { PathBuf::from(program) };
        let mut command = Command::new(path);
        // The lab's own directory and environment may be closed to the server's user, or steer libpq (PGHOST, PGSSLMODE).
        command.args(args).env_clear().envs(self.environment()).env("LC_ALL", "C").envs(env.iter().copied());
        command.current_dir("/").kill_on_drop(true);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn().map_err(|e| Failure(format!("{program}: {e}")))?;
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            // A program that ended early closes the pipe; its own message says more than EPIPE.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure(format!("{program} ({}): {}", output.status, said.trim_end())))
    }

    /// initdb with superuser `postgres` and `trust`, then `args` (which win). Copied from a cached template when the same
    /// options were used before on this machine; the system identifier is a new one every time. Do not pass `--pwfile`: it is not part of the key.
    pub async fn initdb(&self, args: &[&str]) -> Result<(), Failure> {
        if let Some(parent) = self.data.parent() {
            make_dir(parent, self.user)?;
        }
        match template::of(self, args).await? {
            Some(template) => template::copy(self, &template).await,
            None => template::initdb(self, &self.data, args).await,
        }
    }

    /// Starts the postmaster (`-c` options on the command line) and returns when it accepts connections (a standby: read-only ones)
    /// or has ended (Err: the log's last lines).
    pub async fn start(&self, options: &[(&str, &str)]) -> Result<(), Failure> {
        make_dir(&self.socket, self.user)?;
        if let Some(parent) = self.log.parent() {
            make_dir(parent, self.user)?;
        }
        let said_before = std::fs::metadata(&self.log).map_or(0, |m| m.len());
        let mut child = child::spawn(self.postmaster(options)?)?;
        let deadline = Instant::now() + START_LIMIT;
        while !self.ready(child.pid) {
            if let Some(status) = child.ended() {
                return Err(Failure(format!("postgres ended ({status}): {}", self.tail(said_before))));
            }
            if Instant::now() > deadline {
                return Err(Failure(format!("postgres still starts after 60 s: {}", self.tail(said_before))));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    fn postmaster(&self, options: &[(&str, &str)]) -> Result<std::process::Command, Failure> {
        let open = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        own(&self.log, self.user)?;
        let mut command = std::process::Command::new(self.install.bin.join("postgres"));
        command.arg("-D").arg(&self.data).env_clear().envs(self.environment()).env("LC_ALL", "C").current_dir("/");
        let (ip, port) = (self.ip.to_string(), self.port.to_string());
        let socket = self.socket.display().to_string();
        let ours = [
            ("listen_addresses", ip.as_str()),
            ("port", &port),
            ("unix_socket_directories", &socket),
            ("fsync", "off"),
        ];
        for (name, value) in ours.iter().chain(options) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(open.try_clone()?).stderr(open);
        child::as_user(&mut command, self.user);
        Ok(command)
    }

    /// The eighth line of postmaster.pid is the postmaster's own word (PostgreSQL's utils/pidfile.h: LOCK_FILE_LINE_PM_STATUS).
    fn ready(&self, pid: u32) -> bool {
        let Ok(text) = std::fs::read_to_string(self.data.join("postmaster.pid")) else { return false };
        let mut lines = text.lines();
        let same = lines.next().is_some_and(|first| first.trim() == pid.to_string());
        same && matches!(lines.nth(6).map(str::trim), Some("ready" | "standby"))
    }

    /// pg_ctl stop -m smart|fast|immediate -w, at most 60 s; Ok when it does not run.
    pub async fn stop(&self, mode: &str) -> Result<(), Failure> {
        self.stop_within(mode, Duration::from_secs(60)).await
    }

    /// [`Server::stop`] with another limit (whole seconds); the shutdown goes on when it has passed, and Err says so.
    pub async fn stop_within(&self, mode: &str, limit: Duration) -> Result<(), Failure> {
        if !self.running() {
            return Ok(());
        }
        let (data, seconds) = (self.data.display().to_string(), limit.as_secs().max(1).to_string());
        let stopped = self.tool("pg_ctl", &["stop", "-D", &data, "-m", mode, "-w", "-t", &seconds]).await;
        if self.running() { stopped.map(drop) } else { Ok(()) }
    }

    /// Whether the process that postmaster.pid names is alive (whoever started it) and works in this data directory: the
    /// number in a file that a dead lab left behind may be somebody else's by now.
    pub fn running(&self) -> bool {
        self.pid().is_some_and(|pid| child::alive(pid) && child::works_in(pid, &self.data))
    }

    /// The postmaster's process id, from postmaster.pid.
    pub fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// psql over the socket as the bootstrap superuser `postgres`: output of -XAtq, without the last newline. Stops at the first error.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<String, Failure> {
        let (socket, port) = (self.socket.display().to_string(), self.port.to_string());
        let args = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", &socket, "-p", &port, "-U", "postgres", "-d", database];
        let text = self.tool_with("psql", &[&args[..], &["-f", "-"]].concat(), &[], Some(sql)).await?;
        Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
    }

    /// Environment of the container this server runs in: PATH with `bin` first, PGDATA, and libpq pointed at the socket.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut path = vec![self.install.bin.clone()];
        path.extend(["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from));
        let path = std::env::join_paths(path).map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        let home = self.data.parent().unwrap_or(&self.data);
        BTreeMap::from([
            ("PATH".into(), path),
            ("HOME".into(), home.display().to_string()),
            ("PGDATA".into(), self.data.display().to_string()),
            ("PGHOST".into(), self.socket.display().to_string()),
            ("PGPORT".into(), self.port.to_string()),
            ("PGUSER".into(), "postgres".into()),
            ("LANG".into(), "C.UTF-8".into()),
        ])
    }

    /// The last lines the server wrote after `from` bytes of its log.
    fn tail(&self, from: u64) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.get(from as usize..).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

/// Makes a directory and its missing parents; every one it makes belongs to `user`.
pub fn make_dir(path: &Path, user: Option<(u32, u32)>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_dir(parent, user)?;
    }
    match std::fs::DirBuilder::new().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        done => done?,
    }
    own(path, user)
}

/// Writes a file that belongs to the server's user, mode 0600, in one rename: a server that reloads never sees half of it.
pub fn write_file(path: &Path, text: &str, user: Option<(u32, u32)>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4()));
    std::fs::write(&draft, text)?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
    own(&draft, user)?;
    std::fs::rename(&draft, path)
}

fn own(path: &Path, user: Option<(u32, u32)>) -> io::Result<()> {
    user.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
}

/// Self-signed server certificate and key (PEM), for `ssl = on`; the first name is the subject's CN too.
pub fn certificate(names: &[String]) -> (String, String) {
    let made = rcgen::KeyPair::generate().and_then(|key| {
        let mut params = rcgen::CertificateParams::new(names.to_vec())?;
        let name = names.first().cloned().unwrap_or_default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
    });
    made.expect("a key pair and DNS names are all a self-signed certificate needs")
}
