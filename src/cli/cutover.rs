use super::{
    accept::{self, Accept},
    context::{self, Context},
    drive::Drive,
    global::Which,
};
use crate::{
    error::{Error, Result},
    journal::{Journal, Phase, Standing},
    plan::Plan,
    spec::Migration,
    step::Outage,
    term::{prompt, seconds},
};

#[derive(clap::Args)]
pub struct Cutover {
    #[command(flatten)]
    which: Which,
    /// Run only if the plan still is the reviewed one (see `plan`)
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    #[command(flatten)]
    accept: Accept,
}

impl Cutover {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let journal = Journal::read(&kube, &name).await?;
        let state = journal.state();
        if !state.has_ended(Phase::Prepare) {
            return Err(
                Error::usage(format!("{name} is not prepared")).hint(format!("kubectl pgmigrate prepare {name}"))
            );
        }
        let accepted;
        let mut next = format!(
            "next: kubectl pgmigrate verify {name}, and when the way back is not needed any more: \
             kubectl pgmigrate finalize {name}"
        );
        if state.has_ended(Phase::Cutover) {
            accepted = self.accept.none(&format!("{name} is cut over"))?;
            if let Some(beyond) = context::beyond(&kube, &name, &state).await {
                next = format!("{}\n{}", beyond.standing, beyond.advice);
            }
        } else {
            let facts = context::facts_before(&journal)?.ok_or_else(|| Error::bug("prepared, and no facts"))?;
            let plan = crate::strategy::plan(&migration, &facts)?;
            reviewed(self.plan.as_deref(), &plan, &name)?;
            accepted = self.accept.entries(&kube, &migration, &plan, &facts).await?;
            let begun = !matches!(state.step(&plan.one_way().id()).standing, Standing::Never | Standing::Reverted);
            if !begun {
                ask(context, &migration, &plan)?;
            }
        }
        let drive = Drive { context, migration, kube, what: "cutover", again: "resume" };
        let work = async |runner: &mut crate::runner::Runner| {
            reviewed(self.plan.as_deref(), &runner.plan, &runner.world.migration.name)?;
            accept::journal(runner, accepted).await?;
            runner.forward(Phase::Cutover).await
        };
        drive.run(work).await?;
        context.ui.say(next);
        Ok(())
    }
}

/// What was reviewed is what runs.
fn reviewed(wanted: Option<&str>, plan: &Plan, name: &str) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != plan.digest() => {
            Err(Error::check(format!("the plan is {}, not the reviewed {wanted}", plan.digest()))
                .hint(format!("kubectl pgmigrate plan {name}")))
        }
        _ => Ok(()),
    }
}

/// Says what is at stake, and asks for the migration's name.
fn ask(context: &Context, migration: &Migration, plan: &Plan) -> Result<()> {
    let titles =
        |outage| plan.cutover.iter().find(move |step| step.outage() == outage).map(|step| step.describe().title);
    let apps: Vec<String> = migration.apps.iter().map(|app| app.workload.to_string()).collect();
    let apps = if apps.is_empty() { "the apps".into() } else { apps.join(", ") };
    let budget = seconds(migration.guardrails.downtime_budget);
    context.ui.say(format!(
        "cutover of {}: {} -> {}, {} steps\n  down from '{}' to '{}': {apps}\n  after {budget} s without success the app goes back to the source by itself,\n  until '{}': from there on there is no way back without loss",
        migration.name,
        migration.source,
        migration.target.cluster,
        plan.cutover.len(),
        titles(Outage::Begins).unwrap_or_else(|| "the first step".into()),
        titles(Outage::Ends).unwrap_or_else(|| "the last step".into()),
        plan.one_way().describe().title,
    ));
    let command = format!("kubectl pgmigrate cutover {}", migration.name);
    prompt::one_way(&migration.name, context.global.accept_one_way.as_deref(), &command)
}
