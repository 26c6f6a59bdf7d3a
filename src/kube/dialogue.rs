//! A conversation with a process kept open in a pod: input goes in, and what comes back up to a token is its answer.
//!
//! An exec costs 0.1 to 0.3 s to open, a second on a busy node; a question to a process that is there, a round trip.
use super::{
    Kube,
    exec::{Output, Process, last_lines},
};
use crate::error::{Error, Result};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};

type Lines = BufReader<Box<dyn AsyncRead + Send + Unpin>>;

pub struct Dialogue {
    process: Process,
    stdout: Lines,
    stderr: Lines,
    /// A question is under way; found set, its asker went away and the streams are out of step.
    busy: bool,
}

/// What was said up to the token on each stream; `end` is the rest of stdout's last line.
pub struct Answer {
    pub stdout: String,
    pub end: String,
    pub stderr: String,
}

/// What no process says by itself.
pub fn token() -> String {
    format!("pgm-{}", uuid::Uuid::new_v4().simple())
}

impl Dialogue {
    pub fn new(mut process: Process) -> Dialogue {
        let stdout = BufReader::new(std::mem::replace(&mut process.stdout, Box::new(tokio::io::empty())));
        let stderr = BufReader::new(std::mem::replace(&mut process.stderr, Box::new(tokio::io::empty())));
        Dialogue { process, stdout, stderr, busy: false }
    }

    /// `input` makes the process begin a line of each stream with the token. Err: why the process ended, in its own words.
    pub async fn ask(&mut self, input: &str, token: &str) -> Result<Answer, String> {
        if self.busy {
            return Err("it was left in the middle of an answer".into());
        }
        self.busy = true;
        let (said, errors) = self.exchange(input, token).await;
        self.busy = false;
        match (said, errors) {
            (Ok((stdout, end)), Ok((stderr, _))) => Ok(Answer { stdout, end, stderr }),
            (_, errors) => Err(last_words(&errors.map_or_else(|cut| cut, |(errors, _)| errors))),
        }
    }

    async fn exchange(&mut self, input: &str, token: &str) -> (Until, Until) {
        let writing = async {
            self.process.stdin.write_all(input.as_bytes()).await?;
            self.process.stdin.flush().await
        };
        let reading = async { tokio::join!(until(&mut self.stdout, token), until(&mut self.stderr, token)) };
        let mut reading = std::pin::pin!(reading);
        // At once: it may talk before it has read all. A process that has ended takes no more input, and never says so;
        // its outputs do.
        tokio::select! {
            said = &mut reading => said,
            _ = writing => reading.await,
        }
    }
}

/// Why a process ended, from all that came on stderr since.
fn last_words(text: &str) -> String {
    match text.lines().find_map(|line| line.split_once("FATAL:  ")) {
        Some((_, why)) => why.to_string(),
        None if text.trim().is_empty() => "the stream was cut".to_string(),
        None => last_lines(text, 3),
    }
}

type Until = Result<(String, String), String>;

/// What came before the line that begins with the token, and that line's rest; Err: all that came before the stream ended.
async fn until(lines: &mut Lines, token: &str) -> Until {
    let mut text = Vec::new();
    loop {
        let start = text.len();
        match lines.read_until(b'\n', &mut text).await {
            Ok(read) if read > 0 => {}
            _ => return Err(String::from_utf8_lossy(&text).into_owned()),
        }
        if let Some(rest) = text[start..].strip_prefix(token.as_bytes()) {
            let rest = String::from_utf8_lossy(rest).trim().to_string();
            text.truncate(start);
            return Ok((String::from_utf8_lossy(&text).trim_end_matches('\n').to_string(), rest));
        }
    }
}

/// `sh` kept open in a container. It ends with its stdin: a runner that is killed leaves none behind.
pub struct Shell {
    dialogue: Dialogue,
    pod: String,
}

impl Shell {
    pub async fn open(kube: &Kube, pod: &str, container: &str) -> Result<Shell> {
        Ok(Shell { dialogue: Dialogue::new(kube.spawn(pod, container, &["sh"]).await?), pod: pod.into() })
    }

    /// `sh -c script` with nothing on stdin. An error: it did not end in time or the stream was cut, and it may still run.
    pub async fn run(&mut self, script: &str, deadline: Duration) -> Result<Output> {
        let (token, script) = (token(), script.replace('\'', r"'\''"));
        // The token begins a line whatever the script said last.
        let input = format!(
            "sh -c '{script}' </dev/null; code=$?; printf '\\n{token} %s\\n' $code; printf '\\n{token}\\n' >&2\n"
        );
        let unknown =
            |why: String| Error::failed(format!("the end of a command in pod {} is not known: {why}", self.pod));
        match tokio::time::timeout(deadline, self.dialogue.ask(&input, &token)).await {
            Ok(Ok(Answer { stdout, end, stderr })) => {
                let code = end.parse().map_err(|_| unknown(format!("its exit code is '{end}'")))?;
                Ok(Output { code, stdout, stderr })
            }
            Ok(Err(why)) => Err(unknown(why)),
            Err(_) => Err(unknown(format!("no answer within {} s", deadline.as_secs_f32()))),
        }
    }
}
