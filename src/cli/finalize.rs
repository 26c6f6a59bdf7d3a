use super::{context::Context, drive::Drive, global::Which};
use crate::{
    error::{Error, Result},
    journal::{Journal, Phase},
    term::prompt,
};

#[derive(clap::Args)]
pub struct Finalize {
    #[command(flatten)]
    which: Which,
}

impl Finalize {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let state = Journal::read(&kube, &name).await?.state();
        if !state.has_ended(Phase::Cutover) {
            return Err(Error::usage(format!("{name} is not cut over: the source is in use"))
                .hint(format!("kubectl pgmigrate status {name}")));
        }
        if !state.has_begun(Phase::Finalize) {
            context.ui.say(format!(
                "finalize {name}: the source {} is retired and what the migration left is removed; there is no way back after it",
                migration.source
            ));
            let command = format!("kubectl pgmigrate finalize {name}");
            prompt::one_way(&name, context.global.accept_one_way.as_deref(), &command)?;
        }
        let drive = Drive { context, migration, kube, what: "finalize", again: "resume" };
        drive.run(async |runner| runner.forward(Phase::Finalize).await).await
    }
}
