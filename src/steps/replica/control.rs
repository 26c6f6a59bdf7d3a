//! The source's server stopped and looked at from inside its pod.
//!
//! Spilo's exec is root, who may not run PostgreSQL's programs; a hardened Spilo's exec is `postgres` already.

use crate::{
    error::{Context, Result},
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

pub async fn read(world: &World, pod: &str) -> Result<ControlData> {
    let script = format!("{AS_SERVER}\"$bin/pg_controldata\" \"$PGDATA\"");
    let text = world.kube.exec_ok(pod, "postgres", &["sh", "-c", &script], Duration::from_secs(20)).await;
    ControlData::parse(&text.with_context(|| format!("read the control file of pod {pod}"))?)
}

/// Fast shutdown (disconnects clients, writes the shutdown checkpoint, waits for standbys to have it), then the control
/// file. A server that is stopped already is left as it is.
pub async fn stop(world: &World, pod: &str) -> Result<ControlData> {
    let script = format!(
        "{AS_SERVER}if run \"$bin/pg_ctl -D '$PGDATA' status\" >/dev/null; then run \"$bin/pg_ctl -D '$PGDATA' stop -m fast -w -t 90\" >&2 || exit 1; fi\n\
         \"$bin/pg_controldata\" \"$PGDATA\""
    );
    let text = world.kube.exec_ok(pod, "postgres", &["sh", "-c", &script], Duration::from_secs(100)).await;
    ControlData::parse(&text.with_context(|| format!("stop PostgreSQL in pod {pod}"))?)
}
