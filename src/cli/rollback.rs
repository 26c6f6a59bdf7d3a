use super::{context::Context, drive::Drive, export, global::Which};
use crate::{
    error::{Context as _, Error, Kind, Result},
    facts::{Facts, cnpg},
    journal::{Journal, Phase, Standing},
    kube::Kube,
    runner::{self, Runner, Why},
    spec::{Migration, Strategy},
    step::World,
    steps::replica::promote,
    term::prompt,
};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Rollback {
    #[command(flatten)]
    which: Which,
    /// Remove the target and all that prepare made, too
    #[arg(long)]
    remove_target: bool,
    /// Go back although the migration file or script was changed since it began
    #[arg(long)]
    accept_changes: bool,
    /// Past the point of no return: dump what the target holds to this file
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

impl Rollback {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (mut migration, kube) = context.open(&self.which).await?;
        let name = migration.name.clone();
        let journal = Journal::read(&kube, &name).await?;
        if journal.is_empty() {
            // A runner in its first moments has written nothing yet.
            kube.refuse_if_locked(&name).await?;
            context.ui.say(format!("nothing of {name} has begun: there is nothing to take back"));
            return Ok(());
        }
        if self.accept_changes {
            as_begun(&mut migration, &journal);
        }
        if self.remove_target {
            confirm_removal(context, &migration, &kube, &journal).await?;
        }
        let fixed_only = journal.state().fingerprint.is_none();
        let again = if self.remove_target { "rollback --remove-target" } else { "rollback" };
        let drive = Drive { context, migration, kube, what: "rollback", again };
        let work = async |runner: &mut Runner| {
            if runner.may_be_past_one_way().await {
                return Err(self.refuse(runner).await);
            }
            runner.restore(Why::Asked, "asked for").await?;
            if self.remove_target { runner.remove().await } else { Ok(()) }
        };
        if fixed_only {
            // It was never begun: there is no plan, and its file may be another one by now.
            let open = async |m, k, e, s| runner::for_fixes(m, k, e, s, Vec::new()).await;
            let (page, result) = drive.driven(open, async |runner| runner.remove().await).await;
            context.ui.print_with(page, &result)?;
            result?;
        } else {
            drive.run(work).await?;
        }
        context.ui.say(match self.remove_target || fixed_only {
            true => format!("{name} is as it was before prepare"),
            false => format!("the app is on the source, the target is kept; next: kubectl pgmigrate status {name}"),
        });
        Ok(())
    }

    /// Past the point of no return: what would be lost, and how to keep it.
    async fn refuse(&self, runner: &Runner) -> Error {
        let (world, name) = (&runner.world, &runner.world.migration.name);
        let lost = match losses(world).await {
            Ok(lost) if lost.is_empty() => "what was written on the target since its promotion".to_string(),
            Ok(lost) => lost.join("; "),
            Err(error) => format!("what was written on the target, which could not be looked at ({})", error.chain()),
        };
        let what = format!("{name} is past the point of no return: going back to the source would lose {lost}");
        let refused = Error::new(Kind::Human, what);
        match &self.export {
            None => {
                let keep = format!("to keep it: kubectl pgmigrate rollback {name} --export {name}.sql");
                let ended = world.journal.state().has_ended(Phase::Cutover);
                let forwards = if ended { String::new() } else { format!("go forwards with `resume {name}`; ") };
                refused.hint(format!("{forwards}{keep}"))
            }
            Some(file) => match self.save(runner, file).await {
                Ok(bytes) => refused.hint(format!(
                    "the target's databases are in {} ({bytes} bytes), nothing else was changed; see: kubectl pgmigrate status {name}",
                    file.display()
                )),
                Err(error) => error.kind(Kind::Human).hint(format!("kubectl pgmigrate status {name}")),
            },
        }
    }

    async fn save(&self, runner: &Runner, file: &Path) -> Result<u64> {
        export::save(&runner.world, file).await.with_context(|| format!("export the target to {}", file.display()))
    }
}

/// A target that somebody else has promoted may hold what is nowhere else.
async fn confirm_removal(context: &Context, migration: &Migration, kube: &Kube, journal: &Journal) -> Result<()> {
    let ours = !matches!(journal.state().step(promote::ID).standing, Standing::Never | Standing::Reverted);
    if migration.strategy != Strategy::Replica || ours {
        return Ok(());
    }
    let cluster = &migration.target.cluster;
    match cnpg::target(kube, cluster).await? {
        Some(target) if target.ours && !target.in_replica_mode => {}
        _ => return Ok(()),
    }
    context.ui.warn(format!(
        "cluster {cluster} was promoted by somebody else: what was written there since is deleted with it"
    ));
    let name = &migration.name;
    let again = format!("kubectl pgmigrate rollback {name} --remove-target");
    prompt::one_way(name, context.global.accept_one_way.as_deref(), &again)
}

/// The file and script count as those it began with: taking back needs the journal's receipts, not the file.
fn as_begun(migration: &mut Migration, journal: &Journal) {
    let Some(before) = journal.state().fingerprint else { return };
    migration.digest = before.file;
    match (&mut migration.script, before.script) {
        (Some(script), Some(digest)) => script.digest = digest,
        (script, None) => *script = None,
        (None, Some(_)) => {}
    }
}

/// What the source does not have: rows and objects written on the target since its promotion.
async fn losses(world: &World) -> Result<Vec<String>> {
    let facts: Facts = serde_json::from_value(world.journal.state().facts).context("read the facts in the journal")?;
    let mut lost = Vec::new();
    for database in &facts.databases {
        let mut target = cnpg::open_target(&world.kube, &world.migration.target.cluster, &database.name).await?;
        // A standby counts no row changes: after a physical promotion these are the target's own. An import's rows are in
        // them too, which says too much rather than too little.
        for row in target.rows(include_str!("../postgres/sql/written_since.sql"), &[]).await? {
            let count = |field: &str| row[field].as_i64().unwrap_or(0);
            let table = row["name"].as_str().unwrap_or_default();
            lost.push(format!(
                "{}.{table}: {} rows inserted, {} updated, {} deleted",
                database.name,
                count("ins"),
                count("upd"),
                count("del")
            ));
        }
    }
    Ok(lost)
}
