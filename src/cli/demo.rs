//! `lab demo`: a migration from its first command to its last, typed by a program. What the app measured is the end.

use super::context::Context;
use crate::{
    error::{Context as _, Error, Result},
    lab::{daemon, world::mastodon::Mastodon},
    term,
};
use std::path::Path;

#[derive(clap::Args)]
pub struct Demo {
    /// Let the lab run on after the demo
    #[arg(long)]
    keep: bool,
    /// Rows of the biggest table
    #[arg(long, default_value_t = 20_000)]
    statuses: u32,
}

const COMMANDS: [&str; 9] = [
    "list -n mastodon",
    "init --from mastodon",
    "check mastodon",
    "plan mastodon",
    "prepare mastodon",
    "status mastodon",
    "cutover mastodon --accept-one-way mastodon",
    "verify mastodon",
    "report mastodon --html mastodon.html",
];

impl Demo {
    pub async fn run(self, context: &Context) -> Result<()> {
        let size = Mastodon { statuses: self.statuses, ..Mastodon::default() };
        context.ui.say("$ kubectl pgmigrate lab up");
        let state = daemon::up(size).await?;
        let result = migrate(context, &state.kubeconfig).await;
        if self.keep {
            context.ui.say(format!("the lab runs on: export KUBECONFIG={}", state.kubeconfig.display()));
        } else {
            daemon::down().await?;
        }
        // The last line, after everything else was said: what the app saw.
        term::out(&format!("{}\n", result?));
        Ok(())
    }
}

async fn migrate(context: &Context, kubeconfig: &Path) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("pgmigrate-demo-").tempdir().context("make a folder")?;
    let program = std::env::current_exe().context("find this program's own file")?;
    for line in COMMANDS {
        if line.starts_with("cutover") {
            daemon::ask("mark mastodon").await?;
        }
        context.ui.say(format!("\n$ kubectl pgmigrate {line}"));
        let mut command = tokio::process::Command::new(&program);
        command.args(line.split(' ')).env("KUBECONFIG", kubeconfig).current_dir(folder.path()).kill_on_drop(true);
        let ended = command.status().await.with_context(|| format!("run kubectl pgmigrate {line}"))?;
        // After the cutover the source is stopped, so that a comparison can't look at it: that is no failure of the demo.
        if !ended.success() && !line.starts_with("verify") {
            return Err(Error::failed(format!("kubectl pgmigrate {line} ended with {ended}")));
        }
    }
    let audit = daemon::ask("audit mastodon").await?;
    let gap = audit["longestGapSeconds"].as_f64().unwrap_or(f64::NAN);
    let measured = format!("outage {gap:.1} s, lost {}, duplicated {}", audit["lost"], audit["duplicated"]);
    if audit["lost"] == 0 && audit["duplicated"] == 0 { Ok(measured) } else { Err(Error::check(measured)) }
}
