//! Completion: scripts for shells that call the binary, and the shim that kubectl (1.26 and later) looks for.

use super::Cli;
use crate::{error::Result, term};
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use std::ffi::OsString;

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

impl Completion {
    pub fn run(self) -> Result<()> {
        let shell = match self.shell {
            For::Kubectl => {
                term::out(SHIM);
                return Ok(());
            }
            For::Bash => Shell::Bash,
            For::Zsh => Shell::Zsh,
            For::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        // The binary is what these shells complete; through kubectl it is the shim.
        let mut command = Cli::command().bin_name("kubectl-pgmigrate");
        generate(shell, &mut command, "kubectl-pgmigrate", &mut script);
        term::out(&String::from_utf8_lossy(&script));
        Ok(())
    }
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
        let mut args = vec![OsString::from("kubectl-pgmigrate")];
        args.extend(self.words);
        if args.len() == 1 {
            args.push(OsString::new());
        }
        let last = args.len() - 1;
        let found = clap_complete::engine::complete(&mut Cli::command(), args, last, None).unwrap_or_default();
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
