//! Exec: a local process with the sandbox's environment, directory and user, behind the channels of
//! `v5.channel.k8s.io` and `v4.channel.k8s.io` (k8s.io/apimachinery/pkg/util/remotecommand).
use super::{Body, Lost, Query, Refusal, Target, channel, refuse, tty, upgrade};
use crate::lab::node::Sandbox;
use http::{Request, Response};
use serde_json::{Value, json};
use std::{os::unix::process::ExitStatusExt, process::ExitStatus, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// Version 5: its one byte of data names the channel that has ended.
const CLOSE: u8 = 255;

struct Wish {
    argv: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

pub fn answer<B>(target: Target, query: &Query, request: Request<B>, lost: Lost) -> Result<Response<Body>, Refusal> {
    let wish = Wish {
        argv: query.all("command"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr") && !query.flag("tty"),
        tty: query.flag("tty"),
    };
    if wish.argv.is_empty() {
        return Err(super::bad_request("you must specify at least one command for the container".into()));
    }
    if !(wish.stdin || wish.stdout || wish.stderr) {
        return Err(super::bad_request("you must specify at least one of stdin, stdout, stderr".into()));
    }
    let container = target.container(query.get("container"))?;
    let Some(sandbox) = target.running(&container) else {
        let message = format!("unable to upgrade connection: container not found (\"{container}\")");
        return Err(refuse(500, "InternalError", message));
    };
    let (response, socket, _) = upgrade(request, &["v5.channel.k8s.io", "v4.channel.k8s.io"])?;
    let cut = target.node.cut_signal(&target.namespace, &target.pod);
    tokio::spawn(async move {
        let Some((sender, receiver)) = channel::open(socket).await else { return };
        match start(&wish, &sandbox) {
            Ok(process) => talk(process, wish, sender, receiver, cut, lost).await,
            Err(error) => {
                sender.send(STATUS, not_started(&wish.argv, &error).to_string()).await;
                sender.close().await;
            }
        }
    });
    Ok(response)
}

/// A process and our ends of its streams.
struct Process {
    child: Child,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    terminal: Option<tty::Terminal>,
}

impl Drop for Process {
    /// The whole process group: `sh -c` has children. A process that is done is not signalled (its id may be another's by now).
    fn drop(&mut self) {
        if let Some(id) = self.child.id() {
            // SAFETY: a plain system call; the child has not been waited for, so the id is still its own.
            unsafe { libc::kill(-(id as i32), libc::SIGKILL) };
        }
    }
}

fn start(wish: &Wish, sandbox: &Sandbox) -> std::io::Result<Process> {
    let mut command = Command::new(&wish.argv[0]);
    command.args(&wish.argv[1..]).current_dir(&sandbox.dir).env_clear();
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").envs(&sandbox.env);
    if let Some((uid, gid)) = sandbox.user {
        command.uid(uid).gid(gid);
    }
    if wish.tty {
        let (child, terminal) = tty::spawn(command)?;
        let (stdin, stdout) = (terminal.stream()?, terminal.stream()?);
        return Ok(Process {
            child,
            stdin: Some(Box::new(stdin)),
            stdout: Some(Box::new(stdout)),
            stderr: None,
            terminal: Some(terminal),
        });
    }
    let pipe = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
    command.stdin(pipe(wish.stdin)).stdout(pipe(wish.stdout)).stderr(pipe(wish.stderr));
    crate::lab::workloads::process::own_group_with_us(&mut command);
    let mut child = command.spawn()?;
    Ok(Process {
        stdin: child.stdin.take().map(|s| Box::new(s) as _),
        stdout: child.stdout.take().map(|s| Box::new(s) as _),
        stderr: child.stderr.take().map(|s| Box::new(s) as _),
        terminal: None,
        child,
    })
}

async fn talk(
    mut process: Process,
    wish: Wish,
    sender: channel::Sender,
    receiver: channel::Receiver,
    cut: impl Future<Output = ()>,
    lost: Lost,
) {
    let (exit, exited) = watch::channel(false);
    let mut pumps = tokio::task::JoinSet::new();
    for (stream, number) in [(process.stdout.take(), STDOUT), (process.stderr.take(), STDERR)] {
        if let Some(stream) = stream {
            pumps.spawn(channel::pump(stream, number, sender.frames.clone(), exited.clone()));
        }
    }
    let mut input = listen(receiver, process.stdin.take(), process.terminal.take());
    let status = tokio::select! {
        status = process.child.wait() => status,
        // The client has gone or the stream was cut: the process must not go on unseen (it is killed on drop).
        _ = &mut input => return sender.abort(),
        () = cut => { input.abort(); return sender.abort() }
    };
    exit.send_replace(true);
    if lost(&[]) {
        input.abort();
        return sender.abort();
    }
    while pumps.join_next().await.is_some() {}
    let status = match status {
        Ok(status) => outcome(&wish.argv, status),
        Err(error) => not_started(&wish.argv, &error),
    };
    sender.send(STATUS, status.to_string()).await;
    sender.close().await;
    // Data that arrives for a closed socket would reset it, and take the status with it: let the client close first.
    let _ = tokio::time::timeout(Duration::from_secs(1), &mut input).await;
    input.abort();
}

/// Passes input on; ends when the client goes away.
fn listen(
    mut receiver: channel::Receiver,
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    terminal: Option<tty::Terminal>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some((number, data)) = receiver.next().await {
            match number {
                STDIN => {
                    let Some(pipe) = &mut stdin else { continue };
                    if pipe.write_all(&data).await.is_err() || pipe.flush().await.is_err() {
                        stdin = None;
                    }
                }
                CLOSE if data.first() == Some(&STDIN) => stdin = None,
                RESIZE => {
                    if let (Some(terminal), Ok(size)) = (&terminal, serde_json::from_slice::<Value>(&data)) {
                        terminal.resize(&size);
                    }
                }
                _ => {}
            }
        }
    })
}

/// metav1.Status of a process that has ended.
fn outcome(argv: &[String], status: ExitStatus) -> Value {
    if status.success() {
        return json!({"metadata": {}, "status": "Success"});
    }
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    let command = argv.join(" ");
    let message =
        format!("command terminated with non-zero exit code: error executing command [{command}], exit code {code}");
    let causes = json!([{"reason": "ExitCode", "message": code.to_string()}]);
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": {"causes": causes}})
}

fn not_started(argv: &[String], error: &std::io::Error) -> Value {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
        _ => error.to_string(),
    };
    let program = &argv[0];
    let message = format!("Internal error occurred: error executing command in container: exec: \"{program}\": {why}");
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500})
}
