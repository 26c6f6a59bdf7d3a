//! The built binary as a process.
use super::{Bench, LIMIT};
use serde_json::Value;
use std::{fmt, process::Stdio};
use tokio::process::Command;

/// What a run of the binary came to.
#[must_use]
pub struct Run {
    pub line: String,
    /// None: ended by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { line, code, stdout, stderr } = self;
        write!(f, "$ kubectl pgmigrate {line}\nexit code {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

impl Run {
    #[track_caller]
    pub fn code(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
    /// On stdout or stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Run {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "nothing says {text:?}: {self}");
        self
    }
    #[track_caller]
    pub fn never_says(self, text: &str) -> Run {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "something says {text:?}: {self}");
        self
    }
    /// Of a run with `-v`: within what is published (docs/real-cluster.md).
    #[track_caller]
    pub fn cheap(self) -> Run {
        let before = |unit: &str| -> Option<f64> { self.stderr.split_once(unit)?.0.rsplit(' ').next()?.parse().ok() };
        let (calls, memory) = (before(" API calls"), before(" MiB at most"));
        assert!(calls.is_some_and(|calls| calls < 400.0), "{calls:?} API calls: {self}");
        assert!(memory.is_some_and(|memory| memory < 60.0), "{memory:?} MiB: {self}");
        self
    }
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

/// A run under way; ended when dropped.
pub struct Child {
    line: String,
    pub pid: u32,
    output: tokio::task::JoinHandle<std::io::Result<std::process::Output>>,
}

impl Child {
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill has no preconditions; the child is not waited for before its output has ended.
        unsafe { libc::kill(self.pid as i32, signal) };
    }
    pub fn ended(&self) -> bool {
        self.output.is_finished()
    }
    pub async fn wait(mut self) -> Run {
        let line = std::mem::take(&mut self.line);
        let in_time = tokio::time::timeout(LIMIT, &mut self.output).await.ok();
        let ended = in_time.is_some();
        let output = match in_time {
            Some(output) => output,
            None => {
                self.signal(libc::SIGKILL);
                (&mut self.output).await
            }
        };
        let output = output.expect("not aborted").expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let run = Run { line, code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert!(ended, "does not end: {run}");
        run
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.output.abort();
    }
}

impl Bench {
    /// Runs `kubectl pgmigrate` with the words of the line, in the migration's folder.
    pub async fn run(&self, line: &str) -> Run {
        self.spawn(line).wait().await
    }

    pub fn spawn(&self, line: &str) -> Child {
        self.spawn_into(line, Stdio::piped())
    }

    /// To read its answers before it has ended.
    pub fn spawn_into(&self, line: &str, stdout: Stdio) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-pgmigrate"));
        command.args(line.split_whitespace()).current_dir(self.path()).env_clear().env("HOME", self.path());
        command.env("KUBECONFIG", self.kubeconfig()).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().expect("the binary starts");
        let pid = child.id().expect("it runs");
        Child { line: line.into(), pid, output: tokio::spawn(child.wait_with_output()) }
    }

    pub async fn prepare(&self) -> Run {
        self.run("prepare mastodon").await.code(0)
    }

    pub async fn cutover(&self) -> Run {
        self.run("cutover mastodon --accept-one-way mastodon").await
    }
}
