//! PostgreSQL's client programs as children whose lines go to a pod's log while they run.
use super::place::Place;
use std::{collections::BTreeMap, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

/// A finished program: its exit status (None: killed) and what it wrote.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Ended {
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// "exit status 1", as Go says it.
    pub fn status(&self) -> String {
        self.code.map_or("signal: killed".into(), |code| format!("exit status {code}"))
    }
}

/// Runs a program of the installation as the pod's user; its lines go to the pod's log under its name.
pub async fn logged(
    place: &Place,
    program: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
) -> std::io::Result<Ended> {
    run(place, program, args, env, true).await
}

/// As [`logged`], silently.
pub async fn quiet(
    place: &Place,
    program: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
) -> std::io::Result<Ended> {
    run(place, program, args, env, false).await
}

async fn run(
    place: &Place,
    program: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
    log: bool,
) -> std::io::Result<Ended> {
    let mut command = Command::new(place.server.install.bin.join(program));
    // Not the lab's own environment: its HOME is closed to the pod's user, and libpq would look for certificates there.
    command
        .args(args)
        .env_clear()
        .envs(place.server.environment())
        .envs(env)
        .current_dir(&place.dir)
        .kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some((uid, gid)) = place.server.user {
        command.uid(uid).gid(gid);
    }
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::join!(lines(place, program, stdout, log), lines(place, program, stderr, log));
    let status = child.wait().await?;
    Ok(Ended { code: status.code(), stdout, stderr })
}

async fn lines(place: &Place, program: &str, from: Option<impl AsyncRead + Unpin>, log: bool) -> Vec<String> {
    let mut all = Vec::new();
    let Some(from) = from else { return all };
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if log {
            place.log.tool(program, &line);
        }
        all.push(line);
    }
    all
}
