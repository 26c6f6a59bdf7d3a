use super::{context::Context, global::Which};
use crate::{
    error::Result,
    term::{Page, prompt},
};
use serde_json::json;

#[derive(clap::Args)]
pub struct Unlock {
    #[command(flatten)]
    which: Which,
}

impl Unlock {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = &migration.name;
        let holder = kube.lock_holder(name).await?;
        if let Some(holder) = holder.as_ref().filter(|h| !h.expired) {
            let question = format!(
                "{name} is held by {} since {}, renewed {}. If it still runs, two runners will work at once. Take the lock away?",
                holder.identity, holder.since, holder.renewed
            );
            prompt::confirm(&question, context.global.yes)?;
        }
        let was = kube.unlock(name).await?;
        let text = match &was {
            Some(was) => format!("unlocked {name}; it was held by {}\n", was.identity),
            None => format!("{name} was not locked\n"),
        };
        let document = json!({ "migration": name, "unlocked": was.is_some(), "holder": was });
        context.ui.print(Page { document, names: vec![format!("migration/{name}")], text })
    }
}
