//! Completion: for shells that call the binary, and the shim that kubectl (1.26 and later) looks for. Both ask the
//! binary at every Tab, so that names of migrations, clusters and namespaces are those of now.

use super::Cli;
use crate::{
    error::{Error, Result},
    journal::LABEL,
    kube::{
        Kind, Kube,
        flags::Flags,
        kind::{CONFIG_MAP, NAMESPACE, POSTGRESQL},
    },
    spec, term,
};
use clap::{CommandFactory, FromArgMatches};
use clap_complete::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter,
    engine::ValueCompleter,
    env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh},
};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    time::Duration,
};

#[derive(clap::Args)]
pub struct Completion {
    /// kubectl: the program kubectl_complete-pgmigrate, to be put into PATH
    #[arg(value_enum)]
    shell: For,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
    Kubectl,
}

/// kubectl runs `kubectl_complete-pgmigrate WORD..` with the words typed so far.
const SHIM: &str = "#!/bin/sh\nexec kubectl-pgmigrate __complete -- \"$@\"\n";
/// zsh reads a script of its fpath at the first Tab, as the function of that name: which has to answer that one, too.
const FIRST_TAB: &str =
    "[[ $funcstack[1] == _kubectl-pgmigrate ]] && _clap_dynamic_completer_kubectl_pgmigrate \"$@\"\n";
const BINARY: &str = "kubectl-pgmigrate";
/// Set by the shells' scripts.
const VARIABLE: &str = "PGMIGRATE_COMPLETE";
/// Somebody waits with a finger on Tab.
const PATIENCE: Duration = Duration::from_secs(1);

impl Completion {
    pub fn run(self) -> Result<()> {
        let shell: &dyn EnvCompleter = match self.shell {
            For::Kubectl => {
                term::out(SHIM);
                return Ok(());
            }
            For::Bash => &Bash,
            For::Zsh => &Zsh,
            For::Fish => &Fish,
        };
        let mut script = Vec::new();
        shell
            .write_registration(VARIABLE, BINARY, BINARY, BINARY, &mut script)
            .map_err(|e| Error::bug("write the completion script").cause(e))?;
        if matches!(self.shell, For::Zsh) {
            script.extend_from_slice(FIRST_TAB.as_bytes());
        }
        term::out(&String::from_utf8_lossy(&script));
        Ok(())
    }
}

/// Answers a shell's script; true: that was all that was asked of the process.
pub fn answer(args: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    // kubectl-pgmigrate -- WORD..
    let words: Vec<OsString> = args.iter().skip(2).cloned().collect();
    let factory = move || command(&words).bin_name(BINARY);
    CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(args.iter().cloned(), None).unwrap_or(true)
}

#[derive(clap::Args)]
pub struct Complete {
    #[arg(last = true)]
    words: Vec<OsString>,
}

impl Complete {
    /// A candidate a line with its help after a tab, then cobra's directive: 0 lets the shell complete files as
    /// well, 4 does not. Never an error: there is a prompt being typed on.
    pub fn run(self) -> Result<()> {
        let mut args = vec![OsString::from(BINARY)];
        args.extend(self.words);
        if args.len() == 1 {
            args.push(OsString::new());
        }
        let last = args.len() - 1;
        let mut command = command(&args);
        let found = clap_complete::engine::complete(&mut command, args, last, None).unwrap_or_default();
        let mut text = String::new();
        for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
            let help = candidate.get_help().map(|help| format!("\t{help}")).unwrap_or_default();
            text.push_str(&format!("{}{help}\n", candidate.get_value().to_string_lossy()));
        }
        text.push_str(if found.is_empty() { ":0\n" } else { ":4\n" });
        term::out(&text);
        Ok(())
    }
}

/// The command line whose names are completed from the cluster that its own flags speak of.
fn command(words: &[OsString]) -> clap::Command {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(words).ok();
    let flags = matches.and_then(|matches| Flags::from_arg_matches(&matches).ok()).unwrap_or_default();
    let live = |find: fn(&Flags) -> Vec<String>| {
        let flags = flags.clone();
        ArgValueCandidates::new(move || find(&flags).into_iter().map(CompletionCandidate::new).collect())
    };
    let named = |arg: clap::Arg| match arg.get_id().as_str() {
        "namespace" => arg.add(live(|flags| ask(flags, &NAMESPACE, "", |object| &object["metadata"]["name"]))),
        _ => arg,
    };
    let here = flags.clone();
    let or_files = ArgValueCompleter::new(move |typed: &OsStr| {
        let mut names = migrations(&here);
        names.retain(|name| typed.to_str().is_some_and(|typed| name.starts_with(typed)));
        let names = names.into_iter().map(CompletionCandidate::new);
        names.chain(PathCompleter::file().complete(typed)).collect()
    });
    let named_in_a_verb = |arg: clap::Arg| match arg.get_id().as_str() {
        "name" => arg.add(live(migrations)),
        "what" => arg.add(or_files.clone()),
        "source" => arg.add(live(|flags| ask(flags, &POSTGRESQL, "", |object| &object["metadata"]["name"]))),
        _ => arg,
    };
    Cli::command().mut_args(named).mut_subcommands(|verb| match verb.get_name() {
        // A name that is to be new.
        "init" => verb.mut_args(|arg| if arg.get_id() == "name" { arg } else { named_in_a_verb(arg) }),
        // `script run NAME`
        _ => verb.mut_args(named_in_a_verb).mut_subcommands(|below| below.mut_args(named_in_a_verb)),
    })
}

/// Those with a file, and those with a journal in the cluster.
fn migrations(flags: &Flags) -> Vec<String> {
    let mut names = ask(flags, &CONFIG_MAP, LABEL, |object| &object["metadata"]["labels"][LABEL]);
    names.extend(spec::names());
    names.sort();
    names.dedup();
    names
}

/// Names in the cluster; none when it does not answer at once.
fn ask(flags: &Flags, kind: &Kind, labels: &str, name: fn(&Value) -> &Value) -> Vec<String> {
    let asked = async {
        let kube = Kube::connect(flags).await.ok()?;
        let list = if kind.namespaced() { kube.list(kind, labels).await } else { kube.list_all(kind, labels).await };
        let names = list.ok()?.iter().filter_map(|object| Some(name(object).as_str()?.to_string())).collect();
        Some(names)
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await.ok().flatten() });
    // A name look-up that hangs must not hold the prompt.
    runtime.shutdown_background();
    names.unwrap_or_default()
}
