use super::{
    context::{self, Beyond, Context},
    cost::Cost,
    drive::Drive,
    global::Which,
};
use crate::{
    checks::{self, Choice, Finding, Status},
    error::{Error, Kind, Result},
    kube, runner,
    step::{Step, World},
    term::{
        Format,
        checks::{catalogue, count, junit, page},
        prompt,
    },
};
use serde_json::Value;
use std::sync::Arc;

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
    /// Do what is safe about the findings, after asking; then look again
    #[arg(long, conflicts_with = "list")]
    fix: bool,
    /// Ask the target's image itself what it holds, in a pod that is removed again
    #[arg(long, conflicts_with = "list")]
    image_pod: bool,
    /// With -o json or yaml: everything that was seen as well, without secrets, to attach to a ticket
    #[arg(long, conflicts_with = "list")]
    facts: bool,
}

/// One look: the migration's name, what was found, and what could be done about it.
struct Looked {
    name: String,
    findings: Vec<Finding>,
    fixes: Vec<Arc<dyn Step>>,
    /// All that was seen.
    facts: Value,
    /// Once a cutover has begun, which these checks are for: where the migration stands.
    beyond: Option<Beyond>,
}

impl Check {
    pub async fn run(self, context: &Context) -> Result<()> {
        if self.list {
            return context.ui.print(catalogue());
        }
        let which = Which { name: self.name };
        let choice = Choice { only: self.only, skip: self.skip };
        choice.valid()?;
        if self.facts && !matches!(context.ui.format, Format::Json | Format::Yaml) {
            return Err(
                Error::usage("--facts is for -o json and -o yaml").hint("kubectl pgmigrate check NAME --facts -o json")
            );
        }
        let mut looked = look(context, &which, &choice, self.image_pod).await?;
        if self.fix {
            match looked.fixes.as_slice() {
                [] => context.ui.say("there is nothing that --fix could do"),
                fixes => {
                    fix(context, &which, &looked.name, fixes).await?;
                    looked = look(context, &which, &choice, self.image_pod).await?;
                }
            }
        }
        let Looked { name, findings, fixes, facts, beyond } = looked;
        let (failed, unknown) = (count(&findings, Status::Fail), count(&findings, Status::Unknown));
        let made = findings.iter().any(|f| f.status != Status::Skipped);
        let result = if failed + unknown == 0 && made {
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
        if self.facts {
            page.document["facts"] = facts;
        }
        context.ui.print_with(page, &result)?;
        if !self.fix && beyond.is_none() && !fixes.is_empty() {
            context.ui.say(format!("for some of it: kubectl pgmigrate check {name} --fix"));
        }
        match beyond {
            Some(beyond) => context.ui.say(format!("{}; {}", beyond.standing, beyond.advice)),
            None if result.is_ok() => context.ui.say(format!("next: kubectl pgmigrate plan {name}")),
            None => {}
        }
        result
    }
}

async fn look(context: &Context, which: &Which, choice: &Choice, image_pod: bool) -> Result<Looked> {
    let look = async |world: &World| {
        let (cost, looks) = (Cost::begin(&world.kube), checks::gather(world, choice).await?);
        let beyond = context::beyond(&world.kube, &world.migration.name, &world.journal.state()).await;
        Ok((cost, looks, beyond))
    };
    let (cost, mut looks, beyond) = match context.look(which, look).await {
        Err(error) if kube::is_forbidden(&error) => return Err(missing(context, which, error).await),
        looked => looked?,
    };
    if image_pod {
        looks.contents = match context.ask(which, async |world| checks::ask(world, &looks).await).await {
            Err(error) if error.kind == Kind::Interrupted => return Err(error),
            said => Some(said),
        };
    }
    if context.global.verbose > 0 {
        cost.say(&context.ui);
    }
    let findings = checks::judge(&looks, choice);
    let fixes = checks::fixes(&looks, &findings);
    Ok(Looked { name: looks.migration.name.clone(), findings, fixes, facts: looks.told(), beyond })
}

/// Not even the journal may be read: all that is missing is named at once.
async fn missing(context: &Context, which: &Which, error: Error) -> Error {
    let asked = async {
        let (migration, kube) = context.open(which).await?;
        Ok::<_, Error>((checks::missing(&kube).await?, migration.namespace))
    };
    match asked.await {
        Ok((missing, namespace)) if !missing.is_empty() => {
            Error::check(checks::refused(&missing, &namespace)).cause(error).hint(checks::wanted(&missing))
        }
        _ => error,
    }
}

/// Asks, then does it under the lock and with the journal.
async fn fix(context: &Context, which: &Which, name: &str, fixes: &[Arc<dyn Step>]) -> Result<()> {
    for step in fixes {
        let words = step.describe();
        context.ui.say(format!("fix: {}: {} ({})", words.title, words.details, words.objects.join(", ")));
    }
    let all = format!("kubectl pgmigrate check {name} --fix --yes");
    prompt::confirm("Change this?", context.global.yes).map_err(|error| match error.hint {
        Some(_) => error.hint(all),
        None => error,
    })?;
    let (migration, kube) = context.open(which).await?;
    let drive = Drive { context, migration, kube, what: "check --fix", again: "check --fix" };
    let steps = fixes.to_vec();
    let open = async |m, k, e, s| runner::for_fixes(m, k, e, s, steps).await;
    drive.driven(open, async |runner| runner.fix().await).await.1
}
