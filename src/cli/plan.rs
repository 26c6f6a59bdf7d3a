use super::{
    context::{self, Context},
    global::Which,
    reindex,
};
use crate::{
    error::{Context as _, Result},
    facts::Facts,
    journal::{Journal, LABEL},
    kube::{Kind, Kube, kind},
    plan::Plan,
    step::{Sent, World},
    strategy::{
        self,
        estimate::{Basis, moves_data, reached},
    },
    term::{
        self,
        plan::{Forecast, There},
    },
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

#[derive(clap::Args)]
pub struct PlanVerb {
    #[command(flatten)]
    which: Which,
    /// all: the exact objects, patches and SQL of every step, too
    #[arg(long, value_enum, default_value = "steps")]
    show: Show,
    /// Write the generated manifests into this folder
    #[arg(long, value_name = "FOLDER")]
    emit: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Show {
    Steps,
    All,
}

impl PlanVerb {
    pub async fn run(self, context: &Context) -> Result<()> {
        let look = async |world: &World| {
            let facts = context::facts(world).await?;
            let plan = strategy::plan(&world.migration, &facts)?;
            let basis = basis(world, &facts).await;
            let there = there(&world.kube, &plan).await;
            let written = match &self.emit {
                Some(folder) => emit(folder, &plan)?,
                None => Vec::new(),
            };
            let reindex = reindex::look(world, &facts).await;
            let beyond = context::beyond(&world.kube, &world.migration.name, &world.journal.state()).await;
            let (standing, advice) = beyond.map(|beyond| (beyond.standing, beyond.advice)).unzip();
            let forecast = Forecast { basis, there, reindex, standing, all: self.show == Show::All };
            Ok((term::plan::page(&world.migration, &plan, &forecast), written, advice))
        };
        let (page, written, advice) = context.look(&self.which, look).await?;
        context.ui.print(page)?;
        for path in written {
            context.ui.say(format!("wrote {}", path.display()));
        }
        if let Some(advice) = advice {
            context.ui.say(advice);
        }
        Ok(())
    }
}

/// Sizes, limits, and what the same steps took before: in this migration's journal, else in others' of the namespace.
async fn basis(world: &World, facts: &Facts) -> Basis {
    let (mut earlier, mut rates) = (BTreeMap::new(), BTreeMap::<String, f64>::new());
    let maps = world.kube.list(&kind::CONFIG_MAP, LABEL).await.unwrap_or_default();
    let names = maps.iter().filter_map(|map| map["metadata"]["labels"][LABEL].as_str());
    let names: BTreeSet<&str> = names.filter(|name| *name != world.migration.name).collect();
    let others = names.into_iter().filter_map(|name| Journal::state_in(name, &maps).ok());
    for (state, own) in others.map(|state| (state, false)).chain([(world.journal.state(), true)]) {
        let took = state.steps.iter().filter_map(|(id, record)| Some((id, record.millis?)));
        let sizes = state.facts["databases"].as_array().into_iter().flatten().filter_map(|d| d["size"].as_u64());
        let bytes = sizes.sum();
        for (id, seconds) in took.map(|(id, millis)| (id.clone(), millis as f64 / 1000.0)) {
            // How long another database took to copy says nothing about this one; how fast it went does.
            if own || !moves_data(&id) {
                earlier.insert(id, seconds);
            } else if let Some(rate) = reached(bytes, seconds) {
                rates.entry(id).and_modify(|slowest| *slowest = slowest.min(rate)).or_insert(rate);
            }
        }
    }
    let bytes = facts.databases.iter().map(|database| database.size).sum();
    Basis { bytes, guardrails: world.migration.guardrails.clone(), earlier, reached: rates }
}

const KINDS: [&Kind; 4] = [&kind::CLUSTER, &kind::POOLER, &kind::SCHEDULED_BACKUP, &kind::OBJECT_STORE];

/// The manifests that the plan applies, each with the object of that name as it is now.
async fn there(kube: &Kube, plan: &Plan) -> Vec<There> {
    let mut all = Vec::new();
    for wanted in manifests(plan) {
        let kind = KINDS.into_iter().find(|kind| wanted["kind"] == kind.kind);
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
        let now = match kind {
            Some(kind) => kube.get(kind, name).await.map_err(|error| error.chain()),
            None => Err("not looked for".into()),
        };
        all.push(There { wanted, now });
    }
    all
}

fn manifests(plan: &Plan) -> Vec<Value> {
    // A rehearsal's are gone again when it is over.
    let steps = plan.all().filter(|(_, step)| step.id() != "rehearse");
    let sent = steps.flat_map(|(_, step)| step.sends());
    // A Secret and a single Backup are nothing to keep in Git.
    let kept = |object: &Value| KINDS.iter().any(|kind| object["kind"] == kind.kind);
    let object = |sent| if let Sent::Object(object) = sent { Some(object) } else { None };
    sent.filter_map(object).filter(kept).collect()
}

/// One file a manifest: `cluster-database-cnpg.yaml`. Written over: they are generated.
fn emit(folder: &Path, plan: &Plan) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let write = |object: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let path = folder.join(format!("{}-{}.yaml", text(&object["kind"]), text(&object["metadata"]["name"])));
        std::fs::write(&path, term::yaml(object)?).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    };
    manifests(plan).iter().map(write).collect()
}
