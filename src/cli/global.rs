//! Flags that every verb takes: kubectl's own, the output, and what answers a question beforehand.

use crate::{
    kube::flags::Flags,
    term::{Color, Format},
};
use clap::{ArgAction, Args, ValueEnum};
use std::{ffi::OsString, path::PathBuf, sync::OnceLock};

#[derive(Args, Debug)]
pub struct Global {
    #[command(flatten)]
    pub flags: Flags,

    /// How the answer is written
    #[arg(short, long, global = true, value_enum, default_value = "table", help_heading = GLOBAL)]
    pub output: Format,
    /// Say more on stderr; again for more
    #[arg(short, long = "verbose", global = true, action = ArgAction::Count, help_heading = GLOBAL)]
    pub verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = GLOBAL)]
    pub color: Color,
    /// Answer yes to what can be taken back
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub yes: bool,
    /// Confirm a step that cannot be taken back, by the migration's name
    #[arg(long, global = true, value_name = "NAME", help_heading = GLOBAL)]
    pub accept_one_way: Option<String>,
    /// The migration file, instead of looking NAME up
    #[arg(short, long = "filename", global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub file: Option<PathBuf>,

    /// Set by the verb once it knows: where to look when all else fails.
    #[arg(skip)]
    pub name: OnceLock<String>,
}

const GLOBAL: &str = "Global flags";

impl Global {
    /// ` -n mastodon -f m.yaml`: what a shown command needs to mean the same migration in the same cluster.
    pub fn shown(&self) -> String {
        let flags = &self.flags;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let given = [
            ("-n", flags.namespace.clone()),
            ("--context", flags.context.clone()),
            ("--kubeconfig", path(&flags.kubeconfig)),
            ("--cluster", flags.cluster.clone()),
            ("--user", flags.user.clone()),
            ("--as", flags.as_user.clone()),
            ("--as-uid", flags.as_uid.clone()),
            ("-f", path(&self.file)),
        ];
        let groups = flags.as_group.iter().map(|group| ("--as-group", Some(group.clone())));
        given
            .into_iter()
            .chain(groups)
            .filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(&value?))))
            .collect()
    }

    pub fn next(&self) -> Option<String> {
        let file = self.file.as_ref().map(|_| String::new());
        let name = self.name.get().cloned().or(file)?;
        Some(format!("kubectl pgmigrate status {name}").trim_end().to_string())
    }
}

/// As the shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The format asked for on a command line that could not be parsed.
pub fn format_in(args: &[OsString]) -> Format {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let value = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-o" | "--output" => words.get(at + 1).copied(),
        word => word.strip_prefix("--output=").or(word.strip_prefix("-o=")).or(word.strip_prefix("-o")),
    });
    value.and_then(|value| Format::from_str(value, true).ok()).unwrap_or(Format::Table)
}

/// The migration that a verb is about.
#[derive(Args, Debug, Clone)]
pub struct Which {
    /// The migration: NAME.yaml, NAME/, migrations/NAME.yaml, or one that is built in
    #[arg(value_name = "NAME", required_unless_present = "file")]
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("mastodon"), "mastodon");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_format_is_found_in_a_broken_line() {
        let find = |line: &str| format_in(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(find("x nonsense -o json"), Format::Json);
        assert_eq!(find("x nonsense -ojson"), Format::Json);
        assert_eq!(find("x --output=yaml"), Format::Yaml);
        assert_eq!(find("x -o nonsense"), Format::Table);
    }
}
