use super::{context::Context, global::Which};
use crate::{
    checks::{self, Status},
    error::{Error, Result},
    term::checks::{count, page},
};

#[derive(clap::Args)]
pub struct Check {
    #[command(flatten)]
    which: Which,
}

impl Check {
    pub async fn run(self, context: &Context) -> Result<()> {
        let look = async |world: &crate::step::World| Ok((world.migration.name.clone(), checks::run(world).await?));
        let (name, findings) = context.look(&self.which, look).await?;
        let (failed, unknown) = (count(&findings, Status::Fail), count(&findings, Status::Unknown));
        let result = if failed + unknown == 0 && !findings.is_empty() {
            Ok(())
        } else {
            let what = format!("{failed} checks failed, {unknown} could not be looked at");
            Err(Error::check(what).hint(format!("follow the remedies above, then: kubectl pgmigrate check {name}")))
        };
        context.ui.print_with(page(&name, &findings), &result)?;
        if result.is_ok() {
            context.ui.say(format!("next: kubectl pgmigrate plan {name}"));
        }
        result
    }
}
