//! `lab up`, `lab down`, `lab status`: a lab that goes on when the command has ended.
//!
//! `up` starts this program again, in a session of its own, with the hidden arguments `lab serve`; what it is and where
//! is in `state.json` of the lab's root directory. One such lab per user; labs inside tests are not counted.
use super::world::{Lab, Options, control, ground, mastodon::Mastodon};
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Loading the data and starting the servers.
const START: Duration = Duration::from_secs(240);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub pid: i32,
    /// When the process started, in the kernel's clock ticks: an id alone may be another's by now.
    pub started_ticks: Option<u64>,
    pub directory: PathBuf,
    pub kubeconfig: PathBuf,
    /// False while the example is being made.
    pub ready: bool,
}

fn state_path() -> Result<PathBuf> {
    Ok(ground::root()?.join("state.json"))
}

pub fn log_path() -> Result<PathBuf> {
    Ok(ground::root()?.join("log"))
}

/// The lab that was started last, whether it lives or not.
fn recorded() -> Result<Option<State>> {
    let path = state_path()?;
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map(Some).with_context(|| format!("cannot read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The lab that runs.
pub fn running() -> Result<Option<State>> {
    Ok(recorded()?.filter(alive))
}

fn alive(state: &State) -> bool {
    match start_ticks(state.pid) {
        Some(ticks) => state.started_ticks.is_none_or(|then| then == ticks),
        // Not Linux: only the id is known.
        // SAFETY: signal 0 only asks.
        None => !cfg!(target_os = "linux") && unsafe { libc::kill(state.pid, 0) } == 0,
    }
}

/// Field 22 of /proc/<pid>/stat (proc(5)); None for a process that is gone or a zombie.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Starts a lab in the background with the Mastodon example; returns when it is ready. An error if one runs already.
pub async fn up(size: Mastodon) -> Result<State> {
    if let Some(state) = running()? {
        let what = format!("a lab is up already, in {}", state.directory.display());
        return Err(Error::failed(what).hint("kubectl pgmigrate lab down"));
    }
    forget()?;
    let log = File::create(log_path()?).context("cannot make the lab's log")?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.args(["lab", "serve", "--statuses", &size.statuses.to_string()]);
    command.args(["--members", &size.members.to_string(), "--version", &size.version.to_string()]);
    command.stdin(Stdio::null()).stdout(log.try_clone().context("cannot share the log")?).stderr(log);
    // SAFETY: setsid is async-signal-safe. A session of its own: Ctrl-C in this terminal is not for the lab.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    let mut child = command.spawn().context("cannot start the lab")?;
    let deadline = Instant::now() + START;
    loop {
        if let Some(state) = running()?.filter(|state| state.ready && state.pid == child.id() as i32) {
            return Ok(state);
        }
        let ended = child.try_wait().context("cannot look after the lab")?;
        if ended.is_some() || Instant::now() > deadline {
            let _ = child.kill();
            let what = if ended.is_some() { "the lab ended while starting" } else { "the lab did not become ready" };
            return Err(
                Error::failed(format!("{what}: {}", last_lines(&log_path()?))).hint("kubectl pgmigrate lab down")
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}

/// The hidden `lab serve`: runs the lab until told to stop (by the control socket, SIGTERM or SIGINT).
pub async fn serve(size: Mastodon) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let lab = Arc::new(Lab::start(Options::default()).await?);
    let work = async {
        record(&lab, false)?;
        lab.scenario_mastodon(size).await?;
        record(&lab, true)?;
        control::serve(lab.clone()).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
    };
    lab.stop().await;
    // Last: while the file is there, `down` knows where to look.
    std::fs::remove_file(state_path()?).ok();
    outcome
}

fn record(lab: &Lab, ready: bool) -> Result<()> {
    let pid = std::process::id() as i32;
    let state = State {
        pid,
        started_ticks: start_ticks(pid),
        directory: lab.dir().to_owned(),
        kubeconfig: lab.kubeconfig_path(),
        ready,
    };
    let text = serde_json::to_string_pretty(&state).context("cannot write the lab's state")?;
    let path = state_path()?;
    let new = path.with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path)).context("cannot write the lab's state")
}

/// Ends the lab and every PostgreSQL server that it left, also one that was killed before; false: there was none.
pub async fn down() -> Result<bool> {
    let state = recorded()?;
    if let Some(state) = state.as_ref().filter(|state| alive(state)) {
        ground::signal(state.pid, libc::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(30);
        while alive(state) {
            if Instant::now() > deadline {
                ground::signal(state.pid, libc::SIGKILL);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    forget()?;
    Ok(state.is_some())
}

/// Clears away what a dead lab left.
fn forget() -> Result<()> {
    if let Some(state) = recorded()? {
        ground::reclaim(&state.directory)?;
    }
    std::fs::remove_file(state_path()?).ok();
    Ok(())
}

/// `status`, `audit <namespace>` and the other commands of [`control`], asked of the running lab.
pub async fn ask(command: &str) -> Result<Value> {
    let Some(state) = running()? else {
        return Err(Error::failed("no lab is up").hint("kubectl pgmigrate lab up"));
    };
    control::ask(&state.directory, command).await
}
