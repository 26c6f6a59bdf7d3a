use super::{
    context::{self, Context},
    global::Which,
};
use crate::{error::Result, term};

#[derive(clap::Args)]
pub struct PlanVerb {
    #[command(flatten)]
    which: Which,
}

impl PlanVerb {
    pub async fn run(self, context: &Context) -> Result<()> {
        let look = async |world: &crate::step::World| {
            let plan = context::plan(world).await?;
            Ok(term::plan::page(&world.migration, &plan))
        };
        let page = context.look(&self.which, look).await?;
        context.ui.print(page)
    }
}
