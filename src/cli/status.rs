use super::{
    context::{self, Context},
    global::Which,
};
use crate::{
    error::{Error, Result},
    facts::cnpg,
    journal::{Journal, Phase, State},
    kube::{Kube, lease::Holder},
    spec::{Migration, Strategy},
    term::{self, Page, status::Target},
};
use serde_json::Value;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    which: Which,
    /// Show it again whenever it changes, until nothing is running any more
    #[arg(short, long)]
    watch: bool,
}

/// How often the journal is read again: it is small, and a step is longer.
const PACE: Duration = Duration::from_secs(1);

impl Status {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        if !self.watch {
            return context.ui.print(page(&migration, &kube).await?);
        }
        let stop = super::signals::listen(None);
        tokio::select! {
            watched = watch(context, &migration, &kube) => watched,
            // Ending to watch is not an interruption of anything.
            _ = stop.cancelled() => Ok(()),
        }
    }
}

async fn watch(context: &Context, migration: &Migration, kube: &Kube) -> Result<()> {
    let mut shown = (Value::Null, 0);
    let mut troubles = 0;
    loop {
        match page(migration, kube).await {
            Ok(page) => {
                troubles = 0;
                let running = page.document["lock"]["expired"] == false;
                draw(context, page, &mut shown)?;
                if !running {
                    return Ok(());
                }
            }
            // The API server may be away for a moment, just when it matters; for longer, it is an error.
            Err(error) if troubles == 30 => return Err(error),
            Err(error) => {
                troubles += 1;
                tracing::info!("status: {}", error.chain());
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

/// On a terminal a table takes the place of the one before; elsewhere each change is written below.
fn draw(context: &Context, page: Page, shown: &mut (Value, usize)) -> Result<()> {
    let over = context.is_table() && term::stdout_is_terminal();
    let mut seen = page.document.clone();
    // What changes with every look says nothing new.
    seen["outageSeconds"] = Value::Null;
    seen["lock"]["renewed"] = Value::Null;
    if !over && seen == shown.0 {
        return Ok(());
    }
    if over {
        term::erase(shown.1);
    }
    *shown = (seen, page.text.lines().count());
    context.ui.print(page)
}

async fn page(migration: &Migration, kube: &Kube) -> Result<Page> {
    let journal = Journal::read(kube, &migration.name).await?;
    let plan = context::plan_before(migration, &journal);
    let holder = kube.lock_holder(&migration.name).await;
    let holder = holder.map_err(|e| Error { what: format!("look at the lock: {}", e.what), ..e })?;
    let state = journal.state();
    let target = target(migration, kube, &state, holder.as_ref()).await;
    let status = term::status::Status {
        name: &migration.name,
        namespace: kube.namespace(),
        state: &state,
        plan: plan.as_ref(),
        holder: holder.as_ref(),
        target: target.as_ref(),
    };
    Ok(status.page())
}

const STANDBY: &str = "SELECT pg_is_in_recovery() AS recovery, \
    EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS receives";

/// How long the look at the target may take: a status is wanted at once.
const LOOK: Duration = Duration::from_secs(5);

/// Whether a target that is a replica by the journal still is one. None where it isn't said to be, as in the window, whose
/// steps stop the source and promote it; and while somebody is at work.
async fn target(migration: &Migration, kube: &Kube, state: &State, holder: Option<&Holder>) -> Option<Target> {
    let at_work = holder.is_some_and(|holder| !holder.expired);
    let a_replica =
        migration.strategy == Strategy::Replica && state.has_ended(Phase::Prepare) && !state.has_begun(Phase::Cutover);
    if at_work || !a_replica {
        return None;
    }
    let look = async {
        let cluster = &migration.target.cluster;
        match cnpg::target(kube, cluster).await? {
            None => return Ok(Target::Unknown(format!("there is no cluster {cluster}"))),
            Some(seen) if !seen.in_replica_mode => {
                return Ok(Target::Promoted(format!("spec.replica.enabled of cluster {cluster} is not true")));
            }
            Some(_) => {}
        }
        let mut db = cnpg::open_target(kube, cluster, "postgres").await?;
        let row: Value = db.one(STANDBY, &[]).await?;
        Ok::<_, Error>(match (row["recovery"].as_bool(), row["receives"].as_bool()) {
            (Some(true), Some(true)) => Target::Follows,
            (Some(true), _) => Target::Idle,
            _ => Target::Promoted(format!("the server of cluster {cluster} is not in recovery")),
        })
    };
    Some(match tokio::time::timeout(LOOK, look).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => Target::Unknown(error.chain()),
        Err(_) => Target::Unknown(format!("no answer in {} s", LOOK.as_secs())),
    })
}
