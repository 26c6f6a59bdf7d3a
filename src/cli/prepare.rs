use super::{
    context::{self, Context},
    drive::Drive,
    global::Which,
};
use crate::{
    error::{Error, Kind, Result},
    journal::{Journal, Phase},
    runner::Runner,
    term::Page,
};
use serde_json::json;

#[derive(clap::Args)]
pub struct Prepare {
    #[command(flatten)]
    which: Which,
}

impl Prepare {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let state = Journal::read(&kube, &name).await?.state();
        // Behind the window its steps would make the target again what it was before.
        if let Some(beyond) = context::beyond(&kube, &name, &state).await {
            if !state.has_ended(Phase::Cutover) {
                kube.refuse_if_locked(&name).await?;
                return Err(begun(&name));
            }
            return over(context, &name, &beyond.advice);
        }
        let drive = Drive { context, migration, kube, what: "prepare", again: "resume" };
        let work = async |runner: &mut Runner| {
            // Again, under the lock: somebody may have begun it since.
            if runner.world.journal.state().has_begun(Phase::Cutover) {
                return Err(begun(&name));
            }
            runner.forward(Phase::Prepare).await
        };
        drive.run(work).await?;
        context.ui.say(format!("next: kubectl pgmigrate cutover {name}"));
        Ok(())
    }
}

fn begun(name: &str) -> Error {
    let what = format!("{name} is prepared, and its cutover has begun");
    Error::new(Kind::Stopped, what).hint(format!("what was begun is finished by: kubectl pgmigrate resume {name}"))
}

/// Nothing is left to prepare: that is no failure, however often it is asked for.
fn over(context: &Context, name: &str, advice: &str) -> Result<()> {
    let document = json!({
        "migration": name, "phase": "prepare", "result": "done", "outageSeconds": null, "steps": [], "warnings": [],
    });
    let text = format!("prepare {name}: done before, and the cutover after it\n");
    context.ui.print(Page { document, names: vec![format!("migration/{name}")], text })?;
    context.ui.say(advice);
    Ok(())
}
