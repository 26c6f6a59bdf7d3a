use super::{
    context::{self, Context},
    global::Which,
};
use crate::{
    error::{Context as _, Error, Result},
    journal::{Entry, Journal},
    report::{self, Certificate},
    spec::Migration,
    term::{Page, Table},
};
use jiff::Timestamp;
use serde_json::Value;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Report {
    #[command(flatten)]
    which: Which,
    /// Write the certificate as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    pub async fn run(self, context: &Context) -> Result<()> {
        let (migration, kube) = context.open(&self.which).await?;
        let journal = Journal::read(&kube, &migration.name).await?;
        let plan = context::plan_before(&migration, &journal);
        let (entries, from) = if journal.is_empty() {
            let (entries, path) = local_copy(&migration, kube.namespace())?;
            (entries, Some(path.display().to_string()))
        } else {
            (journal.entries(), None)
        };
        let mut certificate = report::certificate(&migration, plan.as_ref(), &entries);
        certificate.from = from;
        if let Some(file) = &self.html {
            std::fs::write(file, report::html(&certificate)).with_context(|| format!("write {}", file.display()))?;
            context.ui.say(format!("wrote {}", file.display()));
        }
        let document = serde_json::to_value(&certificate).context("write the certificate")?;
        let names = vec![format!("migration/{}", migration.name)];
        context.ui.print(Page { document, names, text: text(&certificate) })
    }
}

/// After finalize the journal is gone from the cluster; who ran the migration has a copy.
fn local_copy(migration: &Migration, namespace: &str) -> Result<(Vec<Entry>, PathBuf)> {
    let none = || {
        Error::usage(format!("{} has no journal: nothing has begun", migration.name))
            .hint(format!("kubectl pgmigrate status {}", migration.name))
    };
    let home = std::env::var_os("HOME").ok_or_else(none)?;
    let file = format!(".local/state/pgmigrate/{namespace}.{}.jsonl", migration.name);
    let path = PathBuf::from(home).join(file);
    let text = std::fs::read_to_string(&path).map_err(|_| none())?;
    let entries = report::entries(&text).with_context(|| format!("read the journal's copy {}", path.display()))?;
    Ok((entries, path))
}

fn text(c: &Certificate) -> String {
    let mut text = format!("{}: {} -> {}, strategy {}: {}\n", c.migration, c.source, c.target, c.strategy, c.result);
    if let Some(from) = &c.from {
        text.push_str(&format!("read from {from}, for the journal is not in the cluster\n"));
    }
    if let Some(outage) = &c.outage {
        let mut table = Table::new(&["SECONDS", "SHARE", "OUTAGE"]);
        for part in &outage.split {
            let share = if outage.seconds > 0.0 { 100.0 * part.seconds / outage.seconds } else { 0.0 };
            table.row([format!("{:.2}", part.seconds), format!("{share:.0} %"), part.title.clone()]);
        }
        table.row([
            format!("{:.2}", outage.seconds),
            "100 %".into(),
            "from the first app stopped to the last app ready".into(),
        ]);
        text.push_str(&format!("\n{}", table.render(0)));
    }
    if !c.proofs.is_empty() {
        let mut table = Table::new(&["PROOF", "SAYS"]);
        for (step, proof) in &c.proofs {
            table.row([step.clone(), proof["note"].as_str().map_or_else(|| proof.to_string(), String::from)]);
        }
        text.push_str(&format!("\n{}", table.render(0)));
    }
    for a in &c.accepted {
        text.push_str(&format!(
            "\n{} of database {} passed unproved: accepted by {} at {:.0}\n",
            a.table, a.database, a.by, a.at
        ));
    }
    if !c.verifications.is_empty() {
        text.push_str(&format!("\n{}", verifications(c)));
    }
    text.push_str(&format!("\nrun by {}\n", c.by.join(", ")));
    text
}

/// A line for each database of each, and for each table that passed unproved.
fn verifications(c: &Certificate) -> String {
    let mut table = Table::new(&["VERIFIED", "AGE", "SAYS", "SOURCE AT", "TARGET AT", "OPTIONS", "BY"]);
    let mut accepted = String::new();
    for v in &c.verifications {
        let words = v.found["options"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let options = words.collect::<Vec<_>>().join(" ");
        for found in v.found["databases"].as_array().into_iter().flatten() {
            let said = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            let at: Option<Timestamp> = said("at").parse().ok();
            table.row([
                at.map_or_else(|| "?".into(), |at| format!("{at:.0}")),
                report::age(at.map(|at| c.written.duration_since(at).as_secs())),
                said("summary"),
                said("sourceLsn"),
                said("targetLsn"),
                options.clone(),
                v.by.clone(),
            ]);
            for a in found["accepted"].as_array().into_iter().flatten() {
                let told = |key: &str| a[key].as_str().unwrap_or_default();
                let database = said("database");
                let line = format!("{} of database {database} unproved: accepted by {}\n", told("table"), told("by"));
                accepted.push_str(&line);
            }
        }
    }
    format!("{}{accepted}", table.render(0))
}
