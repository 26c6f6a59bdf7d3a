use super::{context::Context, demo};
use crate::{
    error::Result,
    lab::{daemon, world::mastodon::Mastodon},
    term::{Page, Table},
};
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Lab {
    /// Start it: a Kubernetes API, both operators' stand-ins, real PostgreSQL servers, an app that writes
    Up(Size),
    /// Stop it and remove everything that it left, also after it was killed
    Down,
    /// Show its pods, and what the app counted
    Status,
    /// A whole migration, every command as it would be typed; the last line is the app's own measure
    Demo(demo::Demo),
    /// The lab's own process
    #[command(hide = true)]
    Serve(Size),
}

#[derive(clap::Args, Clone, Copy)]
pub struct Size {
    /// Rows of the biggest table
    #[arg(long, default_value_t = Mastodon::default().statuses)]
    statuses: u32,
    /// Members of the Zalando cluster
    #[arg(long, default_value_t = Mastodon::default().members, value_parser = clap::value_parser!(u32).range(1..=2))]
    members: u32,
    /// PostgreSQL's major version [default: the newest that is installed]
    #[arg(long = "version", id = "postgresql", value_name = "MAJOR")]
    version: Option<u32>,
}

impl From<Size> for Mastodon {
    fn from(size: Size) -> Mastodon {
        let newest = || crate::lab::servers::installs().first().map(|install| install.major);
        let version = size.version.or_else(newest).unwrap_or(Mastodon::default().version);
        Mastodon { statuses: size.statuses, members: size.members, version }
    }
}

impl Lab {
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Lab::Up(size) => up(context, size.into()).await,
            Lab::Down => down(context).await,
            Lab::Status => status(context).await,
            Lab::Demo(demo) => demo.run(context).await,
            Lab::Serve(size) => daemon::serve(size.into()).await,
        }
    }
}

async fn up(context: &Context, size: Mastodon) -> Result<()> {
    context.ui.say("starting the lab: PostgreSQL servers, operators, an app");
    let state = daemon::up(size).await?;
    let kubeconfig = state.kubeconfig.display();
    let text = format!("the lab is up in {}\nexport KUBECONFIG={kubeconfig}\n", state.directory.display());
    let document = json!({ "directory": state.directory, "kubeconfig": state.kubeconfig, "pid": state.pid });
    context.ui.print(Page { document, names: vec![kubeconfig.to_string()], text })
}

async fn down(context: &Context) -> Result<()> {
    let was = daemon::down().await?;
    let text = if was { "the lab is down\n" } else { "no lab was up\n" };
    context.ui.print(Page { document: json!({ "down": was }), names: vec![], text: text.into() })
}

async fn status(context: &Context) -> Result<()> {
    let document = daemon::ask("status").await?;
    let mut table = Table::new(&["NAMESPACE", "POD", "PHASE", "READY", "ADDRESS"]);
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let pods = document["pods"].as_array().cloned().unwrap_or_default();
    for pod in &pods {
        table.row(["namespace", "name", "phase", "ready", "ip"].map(|key| cell(&pod[key])));
    }
    let mut text = format!("{}\nexport KUBECONFIG={}\n", table.render(0), cell(&document["kubeconfig"]));
    for (namespace, app) in document["apps"].as_object().into_iter().flatten() {
        text.push_str(&format!(
            "app in {namespace}: {} rows acknowledged, longest gap between two {:.2} s\n",
            app["acked"],
            app["longestGapSeconds"].as_f64().unwrap_or_default()
        ));
    }
    let names = pods.iter().map(|pod| format!("pod/{}", cell(&pod["name"]))).collect();
    context.ui.print(Page { document, names, text })
}
