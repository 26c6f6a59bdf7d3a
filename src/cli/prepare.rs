use super::{context::Context, drive::Drive, global::Which};
use crate::{error::Result, journal::Phase};

#[derive(clap::Args)]
pub struct Prepare {
    #[command(flatten)]
    which: Which,
}

impl Prepare {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let drive = Drive { context, migration, kube, what: "prepare", again: "resume" };
        drive.run(async |runner| runner.forward(Phase::Prepare).await).await?;
        context.ui.say(format!("next: kubectl pgmigrate cutover {name}"));
        Ok(())
    }
}
