use super::{
    accept::{self, Accept},
    context::{self, Context},
    drive::Drive,
    global::Which,
};
use crate::{
    error::{Error, Result},
    journal::{Entry, Journal, Phase, What},
    runner::{Runner, Why, tells},
};

#[derive(clap::Args)]
pub struct Resume {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    accept: Accept,
}

impl Resume {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let journal = Journal::read(&kube, &name).await?;
        let state = journal.state();
        let under_way = [Phase::Finalize, Phase::Cutover, Phase::Prepare]
            .into_iter()
            .find(|phase| state.has_begun(*phase) && !state.has_ended(*phase));
        let Some(phase) = under_way else {
            // A runner in its first moments has written nothing yet.
            kube.refuse_if_locked(&name).await?;
            return Err(Error::usage(format!("nothing of {name} has begun and not ended"))
                .hint(format!("kubectl pgmigrate status {name}")));
        };
        if phase == Phase::Cutover && going_back(&journal.entries()) {
            self.accept.none("the way back had begun")?;
            context.ui.say("the way back had begun: finishing it");
            let drive = Drive { context, migration, kube, what: "rollback", again: "resume" };
            let failed = failure(&journal.entries());
            let why = failed.as_deref().map_or(Why::Asked, Why::Failed);
            return drive.run(async |runner| runner.restore(why, "resumed").await).await;
        }
        let accepted = match (context::facts_before(&journal)?, context::plan_before(&migration, &journal)) {
            (Some(facts), Some(plan)) => self.accept.entries(&kube, &migration, &plan, &facts).await?,
            _ => self.accept.none("nothing of the migration has begun")?,
        };
        let what = phase.to_string();
        let drive = Drive { context, migration, kube, what: &what, again: "resume" };
        let work = async |runner: &mut Runner| {
            accept::journal(runner, accepted).await?;
            runner.forward(phase).await
        };
        drive.run(work).await
    }
}

/// A restore began after the cutover and has not come to its end: the app is on its way to the source, and
/// going forwards from there would stop it a second time.
fn going_back(entries: &[Entry]) -> bool {
    let last = |wanted: fn(&What) -> bool| entries.iter().rev().find(|e| wanted(&e.what)).map(|e| e.seq);
    let undone = last(|what| matches!(what, What::RevertStarted { .. }));
    let forwards = last(|what| match what {
        What::Started { step, .. } => !tells(step),
        what => matches!(what, What::PhaseBegan { .. } | What::Restored { .. }),
    });
    undone > forwards
}

/// The error that began the way back; None: it was asked for.
fn failure(entries: &[Entry]) -> Option<String> {
    let this = entries.iter().rev().take_while(|e| !matches!(e.what, What::PhaseBegan { .. }));
    this.filter_map(|e| match &e.what {
        What::Failed { step, error } if !tells(step) => Some(error.clone()),
        _ => None,
    })
    .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::Value;

    #[test]
    fn a_restore_that_was_cut_is_finished() {
        let began = What::PhaseBegan { phase: Phase::Cutover };
        let started = What::Started { step: "stop-apps".into(), receipt: Value::Null };
        let undoing = What::RevertStarted { step: "stop-apps".into() };
        let told = What::Started { step: "script-on-failure".into(), receipt: Value::Null };
        let restored = What::Restored { reason: "asked for".into() };
        let back = |whats: &[&What]| {
            let entry = |(n, what): (usize, &&What)| Entry {
                seq: n as u64 + 1,
                at: Timestamp::UNIX_EPOCH,
                by: "me".into(),
                what: (*what).clone(),
            };
            going_back(&whats.iter().enumerate().map(entry).collect::<Vec<_>>())
        };
        assert!(!back(&[]));
        assert!(!back(&[&began, &started]));
        assert!(back(&[&began, &started, &undoing]));
        assert!(back(&[&began, &started, &undoing, &told]));
        assert!(!back(&[&began, &started, &undoing, &told, &restored]));
        assert!(!back(&[&began, &started, &undoing, &restored, &began]));
    }
}
