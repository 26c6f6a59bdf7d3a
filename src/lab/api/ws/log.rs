//! Logs: a container's log file, whole, its end, or as it grows.
use super::{Body, Query, Refusal, Target, bad_request};
use futures::StreamExt;
use http::{Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use std::{convert::Infallible, io::SeekFrom, path::PathBuf, time::Duration};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::mpsc,
};

/// How often a followed file is looked at.
const LOOK: Duration = Duration::from_millis(100);

struct Wish {
    follow: bool,
    tail: Option<u64>,
    since: Option<Timestamp>,
    timestamps: bool,
    limit: Option<u64>,
}

pub fn answer(target: Target, query: &Query) -> Result<Response<Body>, Refusal> {
    let container = target.container(query.get("container"))?;
    let pod = &target.pod;
    if query.flag("previous") {
        let message = format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
        return Err(bad_request(message));
    }
    let since = match (query.number("sinceSeconds")?, query.get("sinceTime")) {
        (Some(seconds), _) => Some(Timestamp::now() - SignedDuration::from_secs(seconds as i64)),
        (None, Some(time)) => {
            Some(time.parse().map_err(|_| bad_request(format!("unable to parse sinceTime {time:?}")))?)
        }
        (None, None) => None,
    };
    let wish = Wish {
        follow: query.flag("follow"),
        tail: query.number("tailLines")?,
        since,
        timestamps: query.flag("timestamps"),
        limit: query.number("limitBytes")?,
    };
    let Some(sandbox) = target.node.sandbox(&target.namespace, pod) else {
        return Err(bad_request(waiting(&target, &container)));
    };
    let path = sandbox.logs.get(&container).cloned();
    let (lines, queue) = mpsc::channel::<Bytes>(16);
    tokio::spawn(send(target, path, wish, lines));
    let frames = futures::stream::unfold(queue, |mut queue| async { queue.recv().await.map(|bytes| (bytes, queue)) })
        .map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/plain")
        .body(BodyExt::boxed(StreamBody::new(frames)))
        .map_err(|error| super::refuse(500, "InternalError", error.to_string()))?;
    Ok(response)
}

fn waiting(target: &Target, container: &str) -> String {
    let statuses = target.object["status"]["containerStatuses"].as_array();
    let status = statuses.and_then(|all| all.iter().find(|status| status["name"] == container));
    let reason = status.and_then(|status| status["state"]["waiting"]["reason"].as_str()).unwrap_or("ContainerCreating");
    format!("container \"{container}\" in pod \"{}\" is waiting to start: {reason}", target.pod)
}

/// Ends with the file, or when followed with the pod or the client.
async fn send(target: Target, path: Option<PathBuf>, wish: Wish, to: mpsc::Sender<Bytes>) {
    let Some(path) = path else { return };
    let mut cutter = Cutter { since: wish.since, seen: None, timestamps: wish.timestamps, left: wish.limit };
    let text = tokio::fs::read(&path).await.unwrap_or_default();
    let mut position = text.len() as u64;
    let begin = tail_begin(&text, wish.tail);
    let mut rest = text[begin..].to_vec();
    loop {
        let gone = target.node.sandbox(&target.namespace, &target.pod).is_none();
        let last = !wish.follow || gone;
        let whole = if last { rest.len() } else { rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
        let out = cutter.cut(&rest[..whole]);
        rest.drain(..whole);
        if !out.is_empty() && to.send(out.into()).await.is_err() {
            return;
        }
        if last || cutter.left == Some(0) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = to.closed() => return,
        }
        position = read_on(&path, position, &mut rest).await;
    }
}

/// Appends what the file has beyond `position`; a file that shrank was started anew.
async fn read_on(path: &PathBuf, position: u64, into: &mut Vec<u8>) -> u64 {
    let Ok(mut file) = File::open(path).await else { return position };
    let length = file.metadata().await.map_or(position, |metadata| metadata.len());
    let from = if length < position { 0 } else { position };
    if length == from || file.seek(SeekFrom::Start(from)).await.is_err() {
        return from;
    }
    from + file.take(length - from).read_to_end(into).await.unwrap_or(0) as u64
}

/// Where the last `lines` lines begin.
fn tail_begin(text: &[u8], lines: Option<u64>) -> usize {
    let Some(lines) = lines else { return 0 };
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if lines == 0 {
        return text.len();
    }
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    breaks.map(|(at, _)| at + 1).nth(lines as usize - 1).unwrap_or(0)
}

/// Leaves out lines that are too old, adds times, stops at the limit.
struct Cutter {
    since: Option<Timestamp>,
    /// Time of the last line that had one: lines without belong to it.
    seen: Option<Timestamp>,
    timestamps: bool,
    /// bytes
    left: Option<u64>,
}

impl Cutter {
    fn cut(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            self.seen = time_of(line).or(self.seen);
            if self.since.is_some_and(|since| self.seen.is_some_and(|seen| seen < since)) {
                continue;
            }
            if self.timestamps {
                let time = self.seen.unwrap_or_else(Timestamp::now);
                out.extend_from_slice(format!("{time} ").as_bytes());
            }
            out.extend_from_slice(line);
        }
        if let Some(left) = &mut self.left {
            out.truncate(*left as usize);
            *left -= out.len() as u64;
        }
        out
    }
}

/// The kubelet keeps a time for every line; here it is the one that the line itself begins with (PostgreSQL's `%m`,
/// RFC 3339) or its JSON field `ts` (CloudNativePG).
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let line = std::str::from_utf8(line).ok()?;
    if line.starts_with('{') {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        return line["ts"].as_str()?.parse().ok();
    }
    let mut words = line.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let local = || format!("{first} {second}").parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    first.parse().ok().or_else(|| Some(local()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_lines() {
        let expected: Timestamp = "2026-11-21T05:22:33.5Z".parse().unwrap();
        for line in [
            "2026-11-21 05:22:33.500 UTC [7] LOG:  ready",
            "2026-11-21T05:22:33.5Z ready",
            r#"{"ts":"2026-11-21T05:22:33.5Z"}"#,
        ] {
            assert_eq!(time_of(line.as_bytes()), Some(expected), "{line}");
        }
        assert_eq!(time_of(b"  at something"), None);
    }

    #[test]
    fn the_tail_begins_at_a_line() {
        assert_eq!(tail_begin(b"a\nb\nc\n", Some(2)), 2);
        assert_eq!(tail_begin(b"a\nb\nc", Some(1)), 4);
        assert_eq!(tail_begin(b"a\n", Some(5)), 0);
        assert_eq!(tail_begin(b"a\n", Some(0)), 2);
    }
}
