use super::{context::Context, global::Which};
use crate::{
    error::{Context as _, Error, Kind, Result},
    script::{
        self, HookOutcome, ScriptVerdict, Verdict,
        dry::Dry,
        hooks::{HOOKS, Hook},
        live::Live,
    },
    spec,
    step::World,
    steps::{
        self,
        hook::{Ends, NoCalls, counting},
    },
    term::{Page, Table, verify::table},
    verify::{self, Code, Item},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};

#[derive(clap::Subcommand)]
pub enum Script {
    /// Compile the script; find misspelt hooks, unknown functions, wrong numbers of arguments
    Check {
        /// The migration, or a .rhai file
        #[arg(value_name = "NAME|FILE")]
        what: Option<String>,
    },
    /// Run one hook: for real where it only reads, dry (says what it would do) where it changes things
    Run {
        #[arg(value_name = "NAME")]
        name: String,
        /// preflight, verify, health ... (see `script api`)
        hook: String,
        /// How long it may take
        #[arg(long, default_value = "5m", value_parser = spec::units::duration)]
        timeout: Duration,
    },
    /// Print every hook and host function, with an example
    Api,
}

impl Script {
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Script::Check { what } => check(context, what),
            Script::Run { name, hook, timeout } => run(context, name, &hook, timeout).await,
            Script::Api => api(context),
        }
    }
}

fn check(context: &Context, what: Option<String>) -> Result<()> {
    let script = match what.as_deref() {
        Some(file) if file.ends_with(".rhai") => read(Path::new(file))?,
        _ => of(context, Which { name: what })?.1,
    };
    let problems = script::check(&script);
    let rows: Vec<Value> =
        problems.iter().map(|p| json!({ "line": p.line, "column": p.column, "what": p.what })).collect();
    let result = match problems.len() {
        0 => Ok(()),
        1 => Err(Error::usage(format!("{}: 1 problem", script.name)).hint("kubectl pgmigrate script api")),
        n => Err(Error::usage(format!("{}: {n} problems", script.name)).hint("kubectl pgmigrate script api")),
    };
    let mut text: String = problems.iter().map(|p| format!("{}\n\n", p.text.trim_end())).collect();
    if problems.is_empty() {
        text = format!("{}: no problems\n", script.name);
    }
    let names = problems.iter().map(|p| format!("{}:{}:{}", script.name, p.line, p.column)).collect();
    context
        .ui
        .print_with(Page { document: json!({ "script": script.name, "problems": rows }), names, text }, &result)?;
    result
}

fn read(file: &Path) -> Result<spec::Script> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the script {}", file.display()));
    let text = text.map_err(|e| e.kind(Kind::Usage))?;
    Ok(spec::Script { name: file.display().to_string(), text, digest: String::new() })
}

fn of(context: &Context, which: Which) -> Result<(spec::Migration, spec::Script)> {
    let migration = context.migration(&which)?;
    let none = || {
        Error::usage(format!("the migration {} has no script", migration.name))
            .hint("name one in the file: spec.script: NAME.rhai")
    };
    let script = migration.script.clone().ok_or_else(none)?;
    Ok((migration, script))
}

async fn run(context: &Context, name: String, hook: &str, timeout: Duration) -> Result<()> {
    let which = Which { name: Some(name) };
    let (_, script) = of(context, which.clone())?;
    let Some(known) = Hook::named(hook) else {
        let all: Vec<&str> = HOOKS.iter().map(|h| h.name).collect();
        let near = spec::nearest(hook, all.iter().copied());
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Error::usage(format!("{hook:?} is not a hook: {}{near}", all.join(", ")))
            .hint("kubectl pgmigrate script api"));
    };
    let look = async |world: &World| once(world, &script, known, timeout).await;
    let Some(outcome) = context.look(&which, look).await? else {
        return Err(Error::usage(format!("{} does not define {}", script.name, known.signature())));
    };
    let result = match outcome.verdict() {
        Verdict::Pass => Ok(()),
        verdict => Err(Error::check(format!("{hook}: {}", verdict.name()))),
    };
    context.ui.print_with(outcome_page(known, &outcome), &result)?;
    result
}

/// One hook against the cluster. A changing hook reads for real and only says what it would change.
pub async fn once(
    world: &World,
    script: &spec::Script,
    hook: &Hook,
    deadline: Duration,
) -> Result<Option<HookOutcome>> {
    if !hook.changes {
        return steps::hook::run(world, script, hook.name, None, Arc::new(NoCalls), deadline).await;
    }
    let ends = Arc::new(Ends { world: world.clone() });
    let (events, cancel) = (world.events.clone(), world.cancel.clone());
    let (kube, migration) = (world.kube.clone(), world.migration.clone());
    let reader = Live::new(kube, migration, ends, Arc::new(NoCalls), events.clone(), cancel.clone());
    let host = Arc::new(Dry::new(Arc::new(reader.counting(counting(world))), events));
    script::run_hook(script, hook.name, script::facts(&world.migration), host, cancel, deadline).await
}

/// Each of a script's checks as an item of a comparison.
pub fn items(outcome: &HookOutcome) -> Vec<Item> {
    let item = |v: &ScriptVerdict| {
        let (verdict, code) = match v.verdict {
            Verdict::Pass => (verify::Verdict::Pass, Code::Equal),
            Verdict::Inconclusive => (verify::Verdict::Inconclusive, Code::ScriptUnknown),
            Verdict::Fail => (verify::Verdict::Fail, Code::ScriptDiffers),
        };
        let note = Some(v.detail.clone()).filter(|detail| !detail.is_empty());
        Item { note, ..Item::new("-", "script", &v.name, verdict, code) }
    };
    outcome.verdicts.iter().map(item).collect()
}

fn outcome_page(hook: &Hook, outcome: &HookOutcome) -> Page {
    let items = items(outcome);
    let dry = if hook.changes { "dry: nothing was changed\n" } else { "" };
    let warnings: String = outcome.warnings.iter().map(|w| format!("warning: {w}\n")).collect();
    let value = if outcome.value.is_null() { String::new() } else { format!("returned {}\n", outcome.value) };
    let verdicts = if items.is_empty() { String::new() } else { table(items.iter()) };
    Page {
        document: json!({ "hook": hook.name, "dry": hook.changes, "outcome": outcome, "script": items }),
        names: outcome.verdicts.iter().map(|v| v.name.clone()).collect(),
        text: format!("{verdicts}{warnings}{value}{dry}{}: {}\n", hook.name, outcome.verdict().name()),
    }
}

fn api(context: &Context) -> Result<()> {
    let functions = script::api();
    let mut text = String::from("HOOKS (each optional)\n");
    let mut table = Table::new(&[]);
    for hook in &HOOKS {
        let may = if hook.changes { "may change" } else { "reads" };
        table.row([hook.signature(), may.into(), hook.when.into()]);
    }
    text.push_str(&table.render(2));
    let mut subject = "";
    for function in &functions {
        if function.subject != subject {
            subject = function.subject;
            text.push_str(&format!("\n{}\n", subject.to_uppercase()));
        }
        let changes = if function.changes { "  (changes something: changing hooks only)" } else { "" };
        text.push_str(&format!("  {} -> {}{changes}\n", function.signature(), function.returns));
        text.push_str(&format!("      {}\n      {}\n", function.doc, function.example.replace('\n', "\n      ")));
    }
    let hooks: Vec<Value> = HOOKS
        .iter()
        .map(|h| json!({ "name": h.name, "params": h.params, "changes": h.changes, "mayRefuse": h.may_refuse, "when": h.when }))
        .collect();
    let names = functions.iter().map(|f| f.name.to_string()).collect();
    context.ui.print(Page { document: json!({ "hooks": hooks, "functions": functions }), names, text })
}
