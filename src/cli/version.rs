use super::context::Context;
use crate::{error::Result, term::Page};
use serde_json::json;

pub fn run(context: &Context) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let text = format!("kubectl-pgmigrate {version} ({platform})\n");
    let document = json!({ "name": "kubectl-pgmigrate", "version": version, "platform": platform });
    context.ui.print(Page { document, names: vec![version.into()], text })
}
