//! The migrations that ship with the program: `scripts/<app>/`, embedded (by build.rs), to be copied and edited.

type File = (&'static str, &'static str);

const ALL: &[(&str, &[File])] = &include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// The files of a built-in migration: name and text; `migration.yaml` first.
pub fn builtin(name: &str) -> Option<&'static [File]> {
    ALL.iter().find(|(app, _)| *app == name).map(|(_, files)| *files)
}

/// Every app, by name.
pub fn builtin_names() -> Vec<&'static str> {
    ALL.iter().map(|(app, _)| *app).collect()
}
