//! The source's server stopped and looked at from inside its pod, in a shell that is open before the window.
//!
//! Spilo's exec is root, who may not run PostgreSQL's programs; a hardened Spilo's exec is `postgres` already.

use crate::{
    error::{Context, Error, Result},
    kube::exec::last_lines,
    postgres::controldata::ControlData,
    step::World,
};
use std::time::Duration;

/// Programs of the data directory's own major version, run as the server's user.
const AS_SERVER: &str = r#"v=$(cat "$PGDATA/PG_VERSION") || exit 1
bin=/usr/lib/postgresql/$v/bin; [ -x "$bin/pg_ctl" ] || bin=$(dirname "$(command -v pg_ctl)")
run() { if [ "$(id -u)" = 0 ]; then su postgres -c "$*"; else sh -c "$*"; fi; }
export LC_ALL=C
"#;
const READ: &str = r#""$bin/pg_controldata" "$PGDATA""#;
const STOPPING: &str =
    r#"if run "$bin/pg_ctl -D '$PGDATA' status" >/dev/null; then sed -n 8p "$PGDATA/postmaster.pid"; fi"#;
/// A server that is stopped already is left as it is.
const STOP: &str = r#"run "if $bin/pg_ctl -D '$PGDATA' status >/dev/null; then
  $bin/pg_ctl -D '$PGDATA' stop -m fast -w -t 90 >&2; fi" || exit 1
"#;

pub async fn read(world: &World, pod: &str) -> Result<ControlData> {
    let read = run(world, pod, READ, Duration::from_secs(20)).await;
    read.with_context(|| format!("read the control file of pod {pod}"))
}

/// Fast shutdown (disconnects clients, writes the shutdown checkpoint, waits for standbys to have it), then the control
/// file.
pub async fn stop(world: &World, pod: &str) -> Result<ControlData> {
    let stopped = run(world, pod, &format!("{STOP}{READ}"), Duration::from_secs(100)).await;
    stopped.with_context(|| format!("stop PostgreSQL in pod {pod}"))
}

/// Whether a shutdown is under way: the postmaster's own word, in the eighth line of its pid file, while it lives.
pub async fn is_stopping(world: &World, pod: &str) -> Result<bool> {
    let script = format!("{AS_SERVER}{STOPPING}");
    let said = world.sessions.shell(&world.kube, pod, &script, Duration::from_secs(20)).await;
    let said = said.with_context(|| format!("look whether PostgreSQL in pod {pod} is shutting down"))?;
    Ok(said.stdout.trim() == "stopping")
}

async fn run(world: &World, pod: &str, script: &str, deadline: Duration) -> Result<ControlData> {
    let said = world.sessions.shell(&world.kube, pod, &format!("{AS_SERVER}{script}"), deadline).await?;
    if said.code != 0 {
        return Err(Error::failed(format!("exit code {}: {}", said.code, last_lines(&said.stderr, 5))));
    }
    ControlData::parse(&said.stdout)
}
