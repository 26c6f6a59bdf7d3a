use super::context::Context;
use crate::{
    error::Result,
    journal::{Journal, LABEL},
    kube::{
        Kind, Kube,
        kind::{CLUSTER, CONFIG_MAP, POSTGRESQL},
    },
    term::{Page, Table, status::Status},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(clap::Args)]
pub struct List {
    /// In every namespace
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl List {
    pub async fn run(self, context: &Context) -> Result<()> {
        let kube = context.kube().await?;
        let (zalando, cnpg) = tokio::join!(self.objects(&kube, &POSTGRESQL, ""), self.objects(&kube, &CLUSTER, ""));
        if let (Err(_), Err(_)) = (&zalando, &cnpg) {
            zalando?;
            return Ok(());
        }
        let mut found = Vec::new();
        found.extend(self.seen(context, "Zalando", &POSTGRESQL, zalando));
        found.extend(self.seen(context, "CloudNativePG", &CLUSTER, cnpg));
        match self.objects(&kube, &CONFIG_MAP, LABEL).await {
            Ok(maps) => found.extend(migrations(&kube, &maps).await),
            Err(error) => context.ui.warn(format!("migrations under way could not be listed: {}", error.chain())),
        }
        context.ui.print(page(&found))
    }

    async fn objects(&self, kube: &Kube, kind: &Kind, labels: &str) -> Result<Vec<Value>> {
        if self.all_namespaces { kube.list_all(kind, labels).await } else { kube.list(kind, labels).await }
    }

    /// One operator that is not installed, or may not be looked at, does not hide the other.
    fn seen(&self, context: &Context, what: &str, kind: &Kind, objects: Result<Vec<Value>>) -> Vec<Value> {
        match objects {
            Ok(objects) => objects.iter().map(|object| row(kind, object)).collect(),
            Err(error) => {
                context.ui.warn(format!("{what} clusters could not be listed: {}", error.chain()));
                Vec::new()
            }
        }
    }
}

fn row(kind: &Kind, object: &Value) -> Value {
    let (state, members, version) = if *kind == POSTGRESQL {
        let state = object["status"]["PostgresClusterStatus"].as_str();
        let version = object["spec"]["postgresql"]["version"].as_str().map(String::from);
        (state, object["spec"]["numberOfInstances"].clone(), version)
    } else {
        let image = object["status"]["image"].as_str().or(object["spec"]["imageName"].as_str());
        let version = image.and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag.to_string());
        (object["status"]["phase"].as_str(), object["spec"]["instances"].clone(), version)
    };
    json!({
        "kind": format!("{}.{}", kind.kind.to_lowercase(), kind.group),
        "namespace": object["metadata"]["namespace"], "name": object["metadata"]["name"],
        "state": state.unwrap_or("unknown"), "instances": members, "version": version,
    })
}

/// A row a journal, from the ConfigMaps that carry our label.
async fn migrations(kube: &Kube, maps: &[Value]) -> Vec<Value> {
    let places: BTreeSet<(String, String)> = maps
        .iter()
        .filter(|map| map["data"]["entries"].is_string())
        .filter_map(|map| {
            let meta = &map["metadata"];
            Some((meta["namespace"].as_str()?.to_string(), meta["labels"][LABEL].as_str()?.to_string()))
        })
        .collect();
    let mut rows = Vec::new();
    for (namespace, name) in places {
        let kube = kube.in_namespace(&namespace);
        let state = match Journal::read(&kube, &name).await {
            Ok(journal) => {
                let holder = kube.lock_holder(&name).await.ok().flatten();
                let state = journal.state();
                let status =
                    Status { name: &name, namespace: &namespace, state: &state, plan: None, holder: holder.as_ref() };
                status.standing()
            }
            Err(error) => format!("unknown: {}", error.chain()),
        };
        rows.push(json!({ "kind": "migration", "namespace": namespace, "name": name, "state": state }));
    }
    rows
}

fn page(found: &[Value]) -> Page {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    };
    let mut table = Table::new(&["NAMESPACE", "NAME", "INSTANCES", "VERSION", "STATE"]);
    for row in found {
        let name = format!("{}/{}", text(&row["kind"]), text(&row["name"]));
        let cells =
            [text(&row["namespace"]), name, text(&row["instances"]), text(&row["version"]), text(&row["state"])];
        table.row(cells);
    }
    let names = found.iter().map(|row| format!("{}/{}", text(&row["kind"]), text(&row["name"]))).collect();
    let text = if found.is_empty() { "nothing found; other namespaces: -A\n".into() } else { table.render(0) };
    Page { document: json!({ "items": found }), names, text }
}
