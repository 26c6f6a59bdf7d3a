//! The migrations that ship with the program: `scripts/<app>/`, embedded, to be copied and edited.

type File = (&'static str, &'static str);

const ALL: [(&str, &[File]); 1] = [(
    "mastodon",
    &[
        ("migration.yaml", include_str!("../../scripts/mastodon/migration.yaml")),
        ("mastodon.rhai", include_str!("../../scripts/mastodon/mastodon.rhai")),
    ],
)];

/// The files of a built-in migration: name and text; `migration.yaml` first.
pub fn builtin(name: &str) -> Option<&'static [File]> {
    ALL.iter().find(|(app, _)| *app == name).map(|(_, files)| *files)
}

pub fn builtin_names() -> Vec<&'static str> {
    ALL.iter().map(|(app, _)| *app).collect()
}
