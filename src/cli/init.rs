use super::context::{self, Context};
use crate::{
    discover::{
        self, Source,
        draft::{Draft, GUESSED},
    },
    error::{Context as _, Error, Result},
    facts::text,
    journal::{Journal, LABEL, Phase},
    kube::{Kube, kind},
    spec::{self, Strategy},
    term::{self, Page, prompt},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

#[derive(clap::Args)]
pub struct Init {
    /// The migration's name [default: the source's, or the app's]
    name: Option<String>,
    /// Copy a shipped app's file and script instead of looking into the cluster
    #[arg(long, value_name = "APP", conflicts_with_all = ["source", "target", "strategy", "postgres"])]
    from: Option<String>,
    /// The Zalando cluster to move [default: the only one there is]
    #[arg(long, value_name = "CLUSTER")]
    source: Option<String>,
    /// Name of the CloudNativePG cluster to be made
    #[arg(long, value_name = "CLUSTER")]
    target: Option<String>,
    /// replica or dump [default: what fits]
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    strategy: Option<Strategy>,
    /// PostgreSQL's major version on the target [default: the source's]
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<u32>,
    /// Where to write
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

/// Those that this version can run.
const STRATEGIES: [Strategy; 2] = [Strategy::Replica, Strategy::Dump];

fn strategy(text: &str) -> std::result::Result<Strategy, String> {
    let found = STRATEGIES.into_iter().find(|strategy| strategy.name() == text);
    found.ok_or_else(|| "valid: replica, dump".into())
}

impl Init {
    pub async fn run(self, context: &Context) -> Result<()> {
        match &self.from {
            Some(app) => {
                let (name, files) = self.shipped(app, context)?;
                write(context, &self.dir, &name, &files)?;
                context.ui.say(format!("next: read and edit them, then: kubectl pgmigrate check {name}"));
                Ok(())
            }
            None => self.discovered(context).await,
        }
    }

    fn shipped(&self, app: &str, context: &Context) -> Result<(String, Vec<(String, String)>)> {
        let known = spec::builtin_names();
        let Some(files) = spec::builtin(app) else {
            let near = spec::nearest(app, known.iter().copied());
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Error::usage(format!("no app {app:?} is built in: known: {}{near}", known.join(", ")))
                .hint(format!("kubectl pgmigrate init --from {}", known[0])));
        };
        let name = self.name.clone().unwrap_or_else(|| app.into());
        let file = |(file, text): &(&str, &str)| match *file {
            "migration.yaml" => (format!("{name}.yaml"), mine(text, app, &name, context)),
            file => (file.to_string(), text.to_string()),
        };
        let files = files.iter().map(file).collect();
        Ok((name, files))
    }

    async fn discovered(&self, context: &Context) -> Result<()> {
        let kube = context.kube().await?;
        let ask = term::can_ask() && !context.global.yes && context.is_table();
        let clusters = discover::clusters(&kube).await?;
        let object = self.chosen(&clusters, kube.namespace(), ask)?;
        not_moved(&kube, text(object, "/metadata/name")).await?;
        let source = discover::source(&kube, object).await?;
        tell(context, &source);
        let choice = source.choice(self.postgres);
        let name = match &self.name {
            Some(name) => name.clone(),
            None if ask => prompt::text("Name of the migration", &source.cluster)?,
            None => source.cluster.clone(),
        };
        let suggested = source.target_name();
        let target = match &self.target {
            Some(target) => target.clone(),
            None if ask => prompt::text("Name of the CloudNativePG cluster to be made", &suggested)?,
            None => suggested,
        };
        for reason in &choice.reasons {
            context.ui.say(format!("  {}: {reason}", choice.strategy));
        }
        let strategy = match self.strategy {
            Some(strategy) => strategy,
            None if ask => {
                let names = STRATEGIES.map(Strategy::name);
                let at = STRATEGIES.iter().position(|s| *s == choice.strategy).unwrap_or(0);
                STRATEGIES[prompt::choose("Strategy", &names, at)?]
            }
            None => choice.strategy,
        };
        let draft = Draft { source: &source, name: name.clone(), target, strategy, choice: &choice };
        let yaml = draft.yaml();
        let files = [(format!("{name}.yaml"), yaml.clone()), (format!("{name}.rhai"), draft.script())];
        let files = files.to_vec();
        let outage = draft.outage();
        context.ui.say(format!("  expected outage: {}", term::plan::range(outage)));
        if ask {
            prompt::confirm(&format!("Write {name}.yaml and {name}.rhai?"), false)?;
        }
        write(context, &self.dir, &name, &files)?;
        // What was written must be what every other verb takes.
        let written = self.dir.join(format!("{name}.yaml"));
        spec::find(None, Some(&written), None)?;
        let guesses = yaml.lines().filter(|line| line.contains(GUESSED)).count() - 1;
        context
            .ui
            .say(format!("{guesses} lines are marked {GUESSED}: read them; then: kubectl pgmigrate check {name}"));
        Ok(())
    }

    /// The Zalando cluster: named, the only one, the one that has the migration's name, or asked for.
    fn chosen<'a>(&self, clusters: &'a [Value], namespace: &str, ask: bool) -> Result<&'a Value> {
        let names: Vec<&str> = clusters.iter().map(|object| text(object, "/metadata/name")).collect();
        let find = |wanted: &str| names.iter().position(|name| *name == wanted);
        if let Some(wanted) = &self.source {
            let near = spec::nearest(wanted, names.iter().copied());
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let missing = || Error::check(format!("no Zalando cluster {wanted} in namespace {namespace}{near}"));
            return find(wanted).map(|at| &clusters[at]).ok_or_else(|| missing().hint("kubectl pgmigrate list -A"));
        }
        match (clusters, self.name.as_deref().and_then(find)) {
            ([], _) => Err(Error::check(format!("no Zalando cluster in namespace {namespace}")).hint(
                "kubectl pgmigrate list -A, then init with -n NAMESPACE; or init --from APP to begin without one",
            )),
            ([only], _) => Ok(only),
            (_, Some(at)) => Ok(&clusters[at]),
            _ if ask => Ok(&clusters[prompt::choose("Which Zalando cluster?", &names, 0)?]),
            _ => Err(Error::usage(format!("which Zalando cluster? there are {}", names.join(", ")))
                .hint(format!("kubectl pgmigrate init --source {}", names[0]))),
        }
    }
}

/// A source that a cutover has begun to leave, or has left, is not for a second migration to begin with.
async fn not_moved(kube: &Kube, cluster: &str) -> Result<()> {
    let maps = kube.list(&kind::CONFIG_MAP, LABEL).await.context("looking for earlier migrations")?;
    let names: BTreeSet<&str> = maps.iter().filter_map(|map| map["metadata"]["labels"][LABEL].as_str()).collect();
    for name in names {
        let state = Journal::state_in(name, &maps)?;
        // What has retired its source left the name free.
        if !state.has_ended(Phase::Finalize)
            && state.facts["source"]["cluster"] == cluster
            && let Some(beyond) = context::beyond(kube, name, &state).await
        {
            let what = format!("postgresql {cluster} has a migration already, {}", beyond.standing);
            return Err(Error::failed(what).hint(beyond.advice));
        }
    }
    Ok(())
}

/// What was found, before anything is asked.
fn tell(context: &Context, source: &Source) {
    let version = source.major.map_or("unknown".into(), |major| major.to_string());
    let databases: Vec<String> = source.databases.iter().map(|database| database.name.clone()).collect();
    context.ui.say(format!(
        "found {} in namespace {}: PostgreSQL {version}, {} instances; databases {}",
        source.cluster,
        source.namespace,
        source.instances,
        if databases.is_empty() { "none".into() } else { databases.join(", ") },
    ));
    for user in &source.users {
        context.ui.say(format!("  used by {}", user.workload));
    }
    for (object, keys) in &source.connections {
        let keys: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        context.ui.say(format!("  through {object}: {}", keys.join(", ")));
    }
    for unknown in &source.unknown {
        context.ui.warn(format!("not seen: {unknown}"));
    }
}

/// All of them or none, and never over a file that somebody edited.
fn write(context: &Context, dir: &Path, name: &str, files: &[(String, String)]) -> Result<()> {
    let paths: Vec<PathBuf> = files.iter().map(|(file, _)| dir.join(file)).collect();
    if let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(Error::failed(format!("{} is there already, and is not written over", there.display()))
            .hint(format!("move it away, or: kubectl pgmigrate init {name} --dir FOLDER")));
    }
    for (path, (_, text)) in paths.iter().zip(files) {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        let mut made = made.with_context(|| format!("create {}", path.display()))?;
        made.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let text = names.iter().map(|path| format!("wrote {path}\n")).collect();
    let document = json!({ "migration": name, "files": names });
    context.ui.print(Page { document, names, text })
}

/// The file under the migration's own name, in the namespace that was asked for.
fn mine(text: &str, app: &str, name: &str, context: &Context) -> String {
    let text = text.replacen(&format!("\n  name: {app}\n"), &format!("\n  name: {name}\n"), 1);
    match &context.global.flags.namespace {
        Some(namespace) => {
            text.replacen(&format!("\n  namespace: {app}\n"), &format!("\n  namespace: {namespace}\n"), 1)
        }
        None => text,
    }
}
