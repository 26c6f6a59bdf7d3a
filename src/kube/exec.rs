//! pods/exec over WebSocket.
use super::{Kube, ask::Trouble};
use crate::error::{Error, Result};
use ::kube::api::{Api, AttachParams, AttachedProcess};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use std::{
    io,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context as Task, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, ReadHalf, SimplexStream};

#[derive(Debug, Clone)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A process in a pod with its streams kept open; killed (its stdin closed) on drop.
pub struct Process {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) _attached: Box<dyn std::any::Any + Send>,
}

/// kube's default of 1 KiB stops the stream at every kilobyte.
const BUFFER: usize = 256 * 1024;
/// What is kept of each stream; a command that says more is not one of ours.
const LONGEST: u64 = 64 << 20;
/// How long the WebSocket may take to open.
const OPEN: Duration = Duration::from_secs(20);

impl Kube {
    /// Runs argv to its end. An unknown end (the stream was cut) is an error: the process may still run.
    pub async fn exec(&self, pod: &str, container: &str, argv: &[&str], deadline: Duration) -> Result<Output> {
        match tokio::time::timeout(deadline, self.run(pod, container, argv)).await {
            Ok(done) => done,
            Err(_) => Err(Error::failed(format!(
                "{} in pod {pod} did not end in {} s and may still run",
                program(argv),
                deadline.as_secs_f32()
            ))
            .cause(super::ask::TimedOut)),
        }
    }

    async fn run(&self, pod: &str, container: &str, argv: &[&str]) -> Result<Output> {
        let mut attached = self.attach(pod, container, argv, false).await?;
        // Status first and both streams at once: whoever is read late stops the others.
        let end = end(&mut attached);
        let (stdout, stderr) = (Reader::of(attached.stdout(), &end), Reader::of(attached.stderr(), &end));
        let (stdout, stderr, status) = tokio::join!(whole(stdout), whole(stderr), end);
        let closed = attached.join().await;
        let Some(status) = status else {
            let why = closed.err().map(|e| e.to_string()).unwrap_or_else(|| "the stream was closed".to_string());
            return Err(Error::failed(format!(
                "the end of {} in pod {pod} is not known, it may still run: {why}",
                program(argv)
            )));
        };
        let code = exit_code(&status)
            .map_err(|why| Error::failed(format!("cannot run {} in pod {pod}: {why}", program(argv))))?;
        Ok(Output { code, stdout, stderr })
    }

    /// As exec, and an exit code other than 0 is an error that shows stderr's last lines.
    pub async fn exec_ok(&self, pod: &str, container: &str, argv: &[&str], deadline: Duration) -> Result<String> {
        let output = self.exec(pod, container, argv, deadline).await?;
        if output.code == 0 {
            return Ok(output.stdout);
        }
        let said = last_lines(if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr }, 5);
        Err(Error::failed(format!("{} in pod {pod} ended with exit code {}: {said}", program(argv), output.code)))
    }

    /// Starts argv and leaves its streams open.
    pub async fn spawn(&self, pod: &str, container: &str, argv: &[&str]) -> Result<Process> {
        let mut attached = self.attach(pod, container, argv, true).await?;
        let end = end(&mut attached);
        let stdin = attached.stdin().ok_or_else(|| Error::bug("exec was opened without stdin"))?;
        Ok(Process {
            stdin: Box::new(stdin),
            stdout: Box::new(Reader::of(attached.stdout(), &end)),
            stderr: Box::new(Reader::of(attached.stderr(), &end)),
            _attached: Box::new(attached),
        })
    }

    async fn attach(&self, pod: &str, container: &str, argv: &[&str], stdin: bool) -> Result<AttachedProcess> {
        let params = AttachParams {
            container: Some(container.to_string()),
            stdin,
            stdout: true,
            stderr: true,
            tty: false,
            max_stdin_buf_size: Some(BUFFER),
            max_stdout_buf_size: Some(BUFFER),
            max_stderr_buf_size: Some(BUFFER),
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let argv: Vec<String> = argv.iter().map(|a| a.to_string()).collect();
        self.open("create", format!("pods/exec of {pod}"), || pods.exec(pod, argv.clone(), &params).boxed()).await
    }

    /// Opens a WebSocket, again as long as the server did not begin. RBAC's verb is `get` before Kubernetes 1.35 and `create` from then on.
    pub(crate) async fn open<'a, T>(
        &self,
        verb: &str,
        resource: String,
        mut dial: impl FnMut() -> BoxFuture<'a, Result<T, ::kube::Error>> + Send,
    ) -> Result<T> {
        let limit = OPEN.min(self.deadline);
        let tries = async {
            let mut attempt = 0;
            loop {
                self.calls.fetch_add(1, Ordering::Relaxed);
                let trouble = match dial().await {
                    Ok(opened) => return Ok(opened),
                    Err(error) => Trouble::from(error),
                };
                attempt += 1;
                if attempt == 5 || !trouble.again(false) {
                    return Err(self.explain(trouble, verb, &resource));
                }
                tokio::time::sleep(trouble.pause(attempt)).await;
            }
        };
        match tokio::time::timeout(limit, tries).await {
            Ok(done) => done,
            Err(_) => Err(self.late(verb, &resource, limit)),
        }
    }
}

/// Never the whole argv: it may be long, and an error text is kept.
fn program<'a>(argv: &[&'a str]) -> &'a str {
    argv.first().copied().unwrap_or("a command")
}

/// The process's status; None when the stream ended without one.
type End = Shared<BoxFuture<'static, Option<Status>>>;

fn end(attached: &mut AttachedProcess) -> End {
    match attached.take_status() {
        Some(status) => status.boxed().shared(),
        None => futures::future::ready(None).boxed().shared(),
    }
}

/// One output of a process. When the WebSocket breaks, kube drops the writing half without closing it, and a reader would
/// wait for ever: nothing to read after the end is the end. (All output is in the buffer before the status comes.)
struct Reader {
    stream: Option<ReadHalf<SimplexStream>>,
    end: End,
    ended: bool,
}

impl Reader {
    fn of(stream: Option<ReadHalf<SimplexStream>>, end: &End) -> Reader {
        Reader { stream, end: end.clone(), ended: false }
    }
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.ended = self.ended || self.end.poll_unpin(task).is_ready();
        let ended = self.ended;
        match &mut self.stream {
            None => Poll::Ready(Ok(())),
            Some(stream) => match Pin::new(stream).poll_read(task, buffer) {
                Poll::Pending if ended => {
                    self.stream = None;
                    Poll::Ready(Ok(()))
                }
                other => other,
            },
        }
    }
}

async fn whole(mut stream: Reader) -> String {
    let mut bytes = Vec::new();
    // A cut stream shows in the status, which then never comes.
    (&mut stream).take(LONGEST).read_to_end(&mut bytes).await.ok();
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// remotecommand's Status: Success, or NonZeroExitCode with the code among its causes; anything else did not run.
fn exit_code(status: &Status) -> Result<i32, String> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.as_ref().and_then(|d| d.causes.as_deref()).unwrap_or_default();
    let code = causes
        .iter()
        .find(|c| c.reason.as_deref() == Some("ExitCode"))
        .and_then(|c| c.message.as_deref()?.parse().ok());
    match (status.reason.as_deref(), code) {
        (Some("NonZeroExitCode"), Some(code)) => Ok(code),
        _ => Err(status.message.clone().unwrap_or_else(|| "no reason given".to_string())),
    }
}

pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}
