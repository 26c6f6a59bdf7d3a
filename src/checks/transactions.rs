//! Nothing is open on the source that would hold the window up.

use super::{Check, Finding};
use crate::{facts::server, step::World, steps};

const PREPARED: Check = Check {
    id: "prepared-transactions",
    title: "no prepared transaction",
    why: "it can commit at any time later, and its locks hold up a restore",
};
const LONG: Check =
    Check { id: "long-transactions", title: "no long transaction", why: "it is cut when the source is stopped" };

pub async fn check(world: &World) -> Vec<Finding> {
    let open = async {
        let mut db = steps::source(world).await?;
        let open = server::transactions(&mut db).await?;
        steps::keep_source(world, db).await;
        Ok(open)
    };
    let open = match open.await {
        Ok(open) => open,
        Err(error) => return vec![LONG.because(&error)],
    };
    let limit = world.migration.guardrails.longest_transaction.as_secs_f64();
    let (prepared, running): (Vec<_>, Vec<_>) = open.into_iter().partition(|t| t.kind == "prepared");
    let prepared = match prepared.first() {
        None => PREPARED.pass("none"),
        Some(t) => PREPARED.fail(
            format!("{} in {}", t.id, t.database.as_deref().unwrap_or("?")),
            format!("ROLLBACK PREPARED '{}' or COMMIT PREPARED it", t.id),
        ),
    };
    let long = match running.iter().find(|t| t.seconds > limit) {
        None => LONG.pass(format!("none over {limit:.0} s")),
        Some(t) => LONG.warn(
            format!("process {} of {}: {:.0} s", t.id, t.user.as_deref().unwrap_or("?"), t.seconds),
            format!("SELECT pg_terminate_backend({})", t.id),
        ),
    };
    vec![prepared, long]
}
