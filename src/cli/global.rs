//! Flags that every verb takes: kubectl's own, the output, and what answers a question beforehand.

use crate::{
    kube::flags::Flags,
    spec::units,
    term::{Color, Format},
};
use clap::{ArgAction, Args, ValueEnum};
use std::{ffi::OsString, path::PathBuf, sync::OnceLock, time::Duration};

#[derive(Args, Debug)]
pub struct Global {
    /// Namespace of the migration [default: the file's, else the context's]
    #[arg(short, long, global = true, value_name = "NAME", help_heading = KUBECTL)]
    pub namespace: Option<String>,
    /// The kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME", help_heading = KUBECTL)]
    pub context: Option<String>,
    /// The kubeconfig file to use [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE", help_heading = KUBECTL)]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", help_heading = KUBECTL)]
    pub cluster: Option<String>,
    /// The kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", help_heading = KUBECTL)]
    pub user: Option<String>,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER", help_heading = KUBECTL)]
    pub as_user: Option<String>,
    /// Act as a member of this group; may be given again
    #[arg(long, global = true, value_name = "GROUP", help_heading = KUBECTL)]
    pub as_group: Vec<String>,
    /// Act with this UID
    #[arg(long, global = true, value_name = "UID", help_heading = KUBECTL)]
    pub as_uid: Option<String>,
    /// How long one request may take: 30s, 2m; 0 for kubectl's "no limit"
    #[arg(long, global = true, value_name = "TIME", value_parser = timeout, help_heading = KUBECTL)]
    pub request_timeout: Option<Duration>,

    /// How the answer is written
    #[arg(short, long, global = true, value_enum, default_value = "table", help_heading = GLOBAL)]
    pub output: Format,
    /// Say more on stderr; again for more
    #[arg(short, long = "verbose", visible_alias = "v", global = true, action = ArgAction::Count, help_heading = GLOBAL)]
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

const KUBECTL: &str = "kubectl's flags";
const GLOBAL: &str = "Global flags";

impl Global {
    pub fn flags(&self) -> Flags {
        Flags {
            namespace: self.namespace.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            as_user: self.as_user.clone(),
            as_group: self.as_group.clone(),
            as_uid: self.as_uid.clone(),
            request_timeout: self.request_timeout,
        }
    }

    /// ` -n mastodon -f m.yaml`: what a shown command needs to mean the same migration in the same cluster.
    pub fn shown(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let given = [
            ("-n", self.namespace.clone()),
            ("--context", self.context.clone()),
            ("--kubeconfig", path(&self.kubeconfig)),
            ("--cluster", self.cluster.clone()),
            ("--user", self.user.clone()),
            ("--as", self.as_user.clone()),
            ("--as-uid", self.as_uid.clone()),
            ("-f", path(&self.file)),
        ];
        let groups = self.as_group.iter().map(|group| ("--as-group", Some(group.clone())));
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

/// kubectl's rule: a bare number is seconds, 0 is no limit of the user's own.
fn timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => units::duration(text),
    }
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
