//! What runs in a container, by the name of its image:
//!
//! | image | what it does |
//! |---|---|
//! | `lab/app` | the practice app ([`crate::lab::app`]) |
//! | `lab/idle` | ready at once, does nothing, stops when asked |
//! | `lab/stuck` | ready at once, does not stop when asked: stays until the grace period is over |
//! | `lab/crash` | ends with exit code 1, again and again: never ready |
//! | `lab/command` | really runs `command` and `args`, with the sandbox's environment, directory and user |
//!
//! CloudNativePG's image in a pod that the operator has not made, with a command, is the PostgreSQL that is installed here.
//! A pod's annotation [`INSTEAD`] names the image that runs in place of a foreign one, which the pod goes on showing.
//! A tag (`lab/idle:2`) changes nothing but the template.
use super::{
    environment::Variables,
    object::{array, text},
    process,
};
use crate::lab::node::{Node, Sandbox};
use serde_json::Value;
use std::{fs::OpenOptions, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio};
use tokio::{process::Command, sync::watch};
use tokio_util::sync::CancellationToken;

/// A container that is being run.
pub struct Container {
    pub node: Node,
    pub namespace: String,
    pub pod: String,
    pub image: String,
    /// `command` and `args`.
    pub argv: Vec<String>,
    pub variables: Variables,
    pub sandbox: Sandbox,
    pub log: PathBuf,
    pub ready: watch::Sender<bool>,
    /// Cancelled when the pod is to stop: SIGTERM. After the grace period the future is dropped: SIGKILL.
    pub stop: CancellationToken,
}

/// `lab/idle:2` -> `idle`; None: not one of the lab's images.
pub fn kind(image: &str) -> Option<&str> {
    let kind = image.split_once("lab/").filter(|(registry, _)| registry.is_empty() || registry.ends_with('/'))?.1;
    let kind = kind.split([':', '@']).next().unwrap_or(kind);
    ["app", "idle", "stuck", "crash", "command"].contains(&kind).then_some(kind)
}

/// Annotation of a pod.
pub const INSTEAD: &str = "lab.pgmigrate.dev/run";

/// What runs in a container of this pod (or pod template).
pub fn of<'a>(pod: &'a Value, container: &'a Value) -> &'a str {
    let image = text(&container["image"]);
    let own = image.starts_with(SERVER)
        && container["command"].is_array()
        && pod["metadata"]["labels"]["cnpg.io/cluster"].is_null();
    pod["metadata"]["annotations"][INSTEAD].as_str().unwrap_or(if own { "lab/command" } else { image })
}

const SERVER: &str = "ghcr.io/cloudnative-pg/postgresql:";

/// Whether all containers of a pod (or pod template) have images of the lab.
pub fn all_known(pod: &Value) -> bool {
    let containers = array(&pod["spec"]["containers"]);
    !containers.is_empty() && containers.iter().all(|container| kind(of(pod, container)).is_some())
}

/// Runs the container to its end and returns its exit code.
pub async fn run(container: Container) -> i32 {
    match kind(&container.image) {
        Some("app") => crate::lab::app::run(container).await,
        Some("stuck") => {
            container.ready.send_replace(true);
            std::future::pending().await
        }
        Some("crash") => 1,
        Some("command") => command(container).await,
        _ => {
            container.ready.send_replace(true);
            container.stop.cancelled().await;
            0
        }
    }
}

impl Container {
    /// Adds a line to the container's log, with the time in front.
    pub fn say(&self, line: &str) {
        use std::io::Write;
        let text = format!("{} {line}\n", jiff::Timestamp::now());
        let file = OpenOptions::new().append(true).create(true).open(&self.log);
        if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::debug!("cannot write the log of {}/{}: {error}", self.namespace, self.pod);
        }
    }
}

async fn command(container: Container) -> i32 {
    let Some((program, args)) = container.argv.split_first() else {
        container.say("no command");
        return 128;
    };
    let log = || OpenOptions::new().append(true).create(true).open(&container.log).map(Stdio::from);
    let mut command = Command::new(program);
    command.args(args).current_dir(&container.sandbox.dir).env_clear().envs(&container.sandbox.env);
    command.envs(&container.variables).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(log().unwrap_or_else(|_| Stdio::null())).stderr(log().unwrap_or_else(|_| Stdio::null()));
    if let Some((uid, gid)) = container.sandbox.user {
        command.uid(uid).gid(gid);
    }
    process::own_group_with_us(&mut command);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            container.say(&format!("exec: \"{program}\": {error}"));
            return 127;
        }
    };
    container.ready.send_replace(true);
    let mut group = Group(child);
    let ended = tokio::select! {
        ended = group.0.wait() => ended,
        () = container.stop.cancelled() => {
            process::signal_group(&group.0, libc::SIGTERM);
            group.0.wait().await
        }
    };
    ended.map_or(1, |status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// Kills the process with its children when dropped.
struct Group(tokio::process::Child);

impl Drop for Group {
    fn drop(&mut self) {
        process::signal_group(&self.0, libc::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn images_are_known_by_name() {
        use super::kind;
        assert_eq!(kind("lab/idle"), Some("idle"));
        assert_eq!(kind("example.org/lab/app:3"), Some("app"));
        assert_eq!(kind("collab/app"), None);
        assert_eq!(kind("ghcr.io/cloudnative-pg/postgresql:15"), None);
    }
}
