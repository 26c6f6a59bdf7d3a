//! Which file a NAME on the command line means.

use super::{
    Migration, builtin, builtin_names,
    parse::{Files, parse},
    words::suggest,
};
use crate::error::{Context, Error, Kind, Result};
use std::path::{Path, PathBuf};

/// `file` outright; else `./NAME.yaml`, `./NAME/migration.yaml`, `./NAME/NAME.yaml`, `./migrations/NAME.yaml`, then
/// the built-in ones. `namespace` is the flag's: it fills a file that names none, and must agree with one that does.
/// The field stays "" when neither names one; the caller puts the kubeconfig's there.
pub fn find(name: Option<&str>, file: Option<&Path>, namespace: Option<&str>) -> Result<Migration> {
    find_in(Path::new("."), name, file, namespace)
}

/// `here` stands for the working directory, which tests share and cannot change.
pub(super) fn find_in(here: &Path, name: Option<&str>, file: Option<&Path>, flag: Option<&str>) -> Result<Migration> {
    let mut migration = match (name, file) {
        (_, Some(file)) => read(here, file)?,
        (Some(name), None) => look_up(here, name)?,
        (None, None) => {
            let hint = "kubectl pgmigrate check NAME, or -f FILE";
            return Err(Error::usage(format!("which migration? {}", known_text(here))).hint(hint));
        }
    };
    if let Some(name) = name.filter(|n| *n != migration.name) {
        let place = migration.path.as_deref().map(shown).unwrap_or_default();
        return Err(Error::usage(format!("{place} is the migration {:?}, not {name:?}", migration.name)));
    }
    if let Some(flag) = flag {
        if !migration.namespace.is_empty() && migration.namespace != flag {
            let theirs = &migration.namespace;
            return Err(Error::usage(format!(
                "the migration {:?} is in namespace {theirs:?}, and --namespace says {flag:?}",
                migration.name
            ))
            .hint("leave --namespace out, or change metadata.namespace"));
        }
        migration.namespace = flag.into();
    }
    Ok(migration)
}

/// Every NAME that would be found here.
pub fn names() -> Vec<String> {
    known(Path::new("."))
}

fn candidates(name: &str) -> [PathBuf; 4] {
    [
        format!("{name}.yaml"),
        format!("{name}/migration.yaml"),
        format!("{name}/{name}.yaml"),
        format!("migrations/{name}.yaml"),
    ]
    .map(PathBuf::from)
}

fn look_up(here: &Path, name: &str) -> Result<Migration> {
    if name.contains(['/', '\\']) || name.ends_with(".yaml") {
        return Err(Error::usage(format!("{name:?} is a path, not a migration's name"))
            .hint(format!("kubectl pgmigrate check -f {name}")));
    }
    let places = candidates(name);
    if let Some(place) = places.iter().find(|p| here.join(p).is_file()) {
        return read(here, place);
    }
    if let Some(files) = builtin(name) {
        let (file, text) = files[0];
        return parse(&format!("<built-in {name}>/{file}"), text, &Embedded(files))
            .map_err(|e| e.kind(Kind::Bug).hint("this is a bug: a built-in migration must be valid"));
    }
    let looked: Vec<String> = places.iter().map(|p| format!("./{}", p.display())).collect();
    let known = known(here);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = suggest(name, &known);
    Err(Error::usage(format!("no migration {name:?}: looked for {} and a built-in one{near}", looked.join(", ")))
        .hint(format!("kubectl pgmigrate init {name}")))
}

fn read(here: &Path, file: &Path) -> Result<Migration> {
    let path = here.join(file);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the migration file {}", shown(file)))
        .map_err(|e| e.kind(Kind::Usage))?;
    let folder = path.parent().unwrap_or(here).to_path_buf();
    let mut migration = parse(&shown(file), &text, &Folder(folder))?;
    migration.path = Some(path);
    Ok(migration)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// Every NAME that would be found, for a suggestion: sorted, each once.
fn known(here: &Path) -> Vec<String> {
    let mut names: Vec<String> = builtin_names().into_iter().map(String::from).collect();
    for folder in [here.to_path_buf(), here.join("migrations")] {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let Some(stem) = path.file_stem().and_then(|s| s.to_str()) else { continue };
            if candidates(stem).iter().any(|p| here.join(p).is_file()) && is_migration(&path) {
                names.push(stem.into());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// A folder that holds one, or a file that says it is one: other YAML of the user's is not suggested.
fn is_migration(path: &Path) -> bool {
    path.is_dir() || std::fs::read_to_string(path).is_ok_and(|text| text.contains(super::parse::API_VERSION))
}

fn known_text(here: &Path) -> String {
    format!("known: {}", known(here).join(", "))
}

struct Folder(PathBuf);
impl Files for Folder {
    fn read(&self, name: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(name)).map_err(|e| format!("{name:?} cannot be read: {e}"))
    }
}

struct Embedded(&'static [(&'static str, &'static str)]);
impl Files for Embedded {
    fn read(&self, name: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(file, _)| *file == name);
        found.map(|(_, text)| (*text).into()).ok_or_else(|| format!("{name:?} is not built in"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_wins_and_the_built_in_one_comes_last() {
        let dir = tempfile::tempdir().expect("a directory");
        let here = dir.path();
        let found = || find_in(here, Some("mastodon"), None, None).expect("one is built in").path;
        assert_eq!(found(), None);
        // From the last looked at to the first: each new one is found instead.
        for place in candidates("mastodon").iter().rev() {
            let file = here.join(place);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            for (name, text) in builtin("mastodon").expect("built in") {
                let at = if *name == "migration.yaml" { file.clone() } else { file.with_file_name(name) };
                std::fs::write(at, text).expect("written");
            }
            assert_eq!(found(), Some(file));
        }
        let none = find_in(here, None, None, None).expect_err("which?").to_string();
        assert_eq!(none, "which migration? known: mastodon, miniflux");
        let path = find_in(here, Some("./mastodon.yaml"), None, None).expect_err("a path");
        assert_eq!(path.hint.as_deref(), Some("kubectl pgmigrate check -f ./mastodon.yaml"));
    }
}
