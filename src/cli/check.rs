use super::{context::Context, cost::Cost, global::Which};
use crate::{
    checks::{self, Choice, Status},
    error::{Error, Result},
    term::{
        Format,
        checks::{catalogue, count, junit, page},
    },
};

#[derive(clap::Args)]
pub struct Check {
    /// The migration: NAME.yaml, NAME/, migrations/NAME.yaml, or one that is built in
    #[arg(value_name = "NAME", required_unless_present_any = ["file", "list"])]
    name: Option<String>,
    /// Only these checks, or groups of them
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these checks, or groups of them
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
    /// Name every check there is, and look at nothing
    #[arg(long)]
    list: bool,
}

impl Check {
    pub async fn run(self, context: &Context) -> Result<()> {
        if self.list {
            return context.ui.print(catalogue());
        }
        let choice = Choice { only: self.only, skip: self.skip };
        choice.valid()?;
        let look = async |world: &crate::step::World| {
            let cost = Cost::begin(&world.kube);
            let looks = checks::gather(world).await?;
            Ok((world.migration.name.clone(), checks::judge(&looks, &choice), cost))
        };
        let (name, findings, cost) = context.look(&Which { name: self.name }, look).await?;
        if context.global.verbose > 0 {
            cost.say(&context.ui);
        }
        let (failed, unknown) = (count(&findings, Status::Fail), count(&findings, Status::Unknown));
        let looked = findings.iter().any(|f| f.status != Status::Skipped);
        let result = if failed + unknown == 0 && looked {
            Ok(())
        } else {
            let s = if failed == 1 { "" } else { "s" };
            let what = format!("{failed} check{s} failed, {unknown} could not be looked at");
            Err(Error::check(what).hint(format!("follow the remedies above, then: kubectl pgmigrate check {name}")))
        };
        let mut page = page(&name, &findings);
        if context.ui.format == Format::Junit {
            page.text = junit(&name, &findings);
        }
        context.ui.print_with(page, &result)?;
        if result.is_ok() {
            context.ui.say(format!("next: kubectl pgmigrate plan {name}"));
        }
        result
    }
}
