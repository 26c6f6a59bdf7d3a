use super::context::Context;
use crate::{
    error::{Context as _, Error, Result},
    spec,
    term::Page,
};
use serde_json::json;
use std::{io::Write, path::PathBuf};

#[derive(clap::Args)]
pub struct Init {
    /// The migration's name [default: the app's]
    name: Option<String>,
    /// The app whose migration file and script are copied
    #[arg(long, value_name = "APP")]
    from: Option<String>,
    /// Where to write
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub fn run(self, context: &Context) -> Result<()> {
        let known = spec::builtin_names().join(", ");
        let Some(app) = self.from.clone().or(self.name.clone().filter(|name| spec::builtin(name).is_some())) else {
            return Err(Error::usage(format!("which app to start from? known: {known}"))
                .hint("kubectl pgmigrate init NAME --from APP"));
        };
        let Some(files) = spec::builtin(&app) else {
            let near = spec::nearest(&app, spec::builtin_names());
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Error::usage(format!("no app {app:?} is built in: known: {known}{near}"))
                .hint(format!("kubectl pgmigrate init --from {}", spec::builtin_names()[0])));
        };
        let name = self.name.clone().unwrap_or_else(|| app.clone());
        let mut written = Vec::new();
        for (file, text) in files {
            let (place, text) = match *file {
                "migration.yaml" => (format!("{name}.yaml"), mine(text, &app, &name, context)),
                file => (file.to_string(), text.to_string()),
            };
            let path = self.dir.join(place);
            // Never over a file that somebody edited.
            let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
            let mut made = made.with_context(|| format!("create {}", path.display()))?;
            made.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
            written.push(path.display().to_string());
        }
        let text = written.iter().map(|path| format!("wrote {path}\n")).collect();
        let document = json!({ "migration": name, "files": written });
        context.ui.print(Page { document, names: written, text })?;
        context.ui.say(format!("next: read and edit them, then: kubectl pgmigrate check {name}"));
        Ok(())
    }
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
