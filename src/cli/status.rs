use super::{
    context::{self, Context},
    global::Which,
};
use crate::{
    error::{Error, Result},
    journal::Journal,
    kube::Kube,
    spec::Migration,
    term::{self, Page},
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
    let status = term::status::Status {
        name: &migration.name,
        namespace: kube.namespace(),
        state: &journal.state(),
        plan: plan.as_ref(),
        holder: holder.as_ref(),
    };
    Ok(status.page())
}
