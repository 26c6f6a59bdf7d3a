//! Completion in the shells themselves, with the scripts that `completion SHELL` prints. A shell that is not installed is
//! left out, with a line that says so.
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// A folder to complete in: the binary in PATH, each shell's script, a migration's file.
struct Here(tempfile::TempDir);

const BINARY: &str = "kubectl-pgmigrate";

impl Here {
    fn new() -> Here {
        let here = Here(tempfile::tempdir().expect("a folder"));
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-pgmigrate"), here.path().join(BINARY)).expect("a link");
        for (shell, file) in [("bash", "bash"), ("zsh", "_kubectl-pgmigrate"), ("fish", "fish")] {
            let script = here.says(Command::new(here.path().join(BINARY)).args(["completion", shell]));
            std::fs::write(here.path().join(file), script).expect("written");
        }
        here.says(Command::new(here.path().join(BINARY)).args(["init", "shop", "--from", "mastodon"]));
        here
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// None: there is no such shell here.
    fn shell(&self, shell: &str, args: &[&str]) -> Option<String> {
        let there = Command::new(shell).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() {
            eprintln!("left out: there is no {shell} here");
            return None;
        }
        Some(self.says(Command::new("timeout").args(["600", shell]).args(args)))
    }

    fn says(&self, command: &mut Command) -> String {
        let path = format!("{}:{}", self.path().display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.path()).env_clear().env("PATH", path).env("HOME", self.path()).env("TERM", "dumb");
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }
}

#[test]
fn bash_completes() {
    let here = Here::new();
    let ask = r#"source ./bash
        complete -p kubectl-pgmigrate
        for words in 'cutov' 'status sh' 'plan --sho'; do
            COMP_WORDS=(kubectl-pgmigrate $words) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9
            _clap_complete_kubectl_pgmigrate kubectl-pgmigrate "${COMP_WORDS[COMP_CWORD]}"
            printf '<%s>\n' "${COMPREPLY[@]}"
        done"#;
    let Some(said) = here.shell("bash", &["--norc", "-c", ask]) else { return };
    for word in ["<cutover>", "<shop>", "<--show>", "-F _clap_complete_kubectl_pgmigrate"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
}

#[test]
fn fish_completes() {
    let here = Here::new();
    let ask = "source ./fish
        complete --do-complete 'kubectl-pgmigrate cutov'
        complete --do-complete 'kubectl-pgmigrate status sh'
        complete --do-complete 'kubectl-pgmigrate plan --sho'";
    let Some(said) = here.shell("fish", &["--no-config", "-c", ask]) else { return };
    let words: Vec<&str> = said.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
    assert_eq!(words, ["cutover", "shop", "--show"], "{said}");
    assert!(said.contains("cutover\tThe window"), "with its help: {said}");
}

/// zsh completes nowhere but in its line editor: one on a terminal of its own gets the keys, and runs what came of them.
/// `load`: what its user has in .zshrc.
fn typed_in_zsh(here: &Here, load: &str) -> Option<String> {
    let ask = format!(
        r#"zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PROMPT=; {load}; precmd() {{ print "at"-the-prompt }}'
        zpty -r shell said '*at-the-prompt*'
        zpty -w shell $'kubectl-pgmigrate versio\t -o nam\t'
        zpty -r shell said '*at-the-prompt*'
        print -r -- "$said"
        zpty -w shell $'kubectl-pgmigrate script run sh\t verifi'
        zpty -r shell said '*at-the-prompt*'
        print -r -- "$said"
        zpty -d shell"#
    );
    here.shell("zsh", &["-f", "-c", &ask])
}

#[test]
fn zsh_completes() {
    let here = Here::new();
    for load in [
        "autoload -U compinit; compinit -u -D; source ./_kubectl-pgmigrate",
        // As a package installs it: found by its name at the first Tab.
        "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D",
    ] {
        let Some(said) = typed_in_zsh(&here, load) else { return };
        assert!(said.contains(env!("CARGO_PKG_VERSION")), "{load}: {said}");
        assert!(said.contains("script run shop ") && said.contains("did you mean verify?"), "{load}: {said}");
    }
}

/// What packages ship is what the program prints (`make completions`).
#[test]
fn the_shipped_scripts_are_the_programs() {
    let here = Here::new();
    for (shell, file) in [
        ("bash", "kubectl-pgmigrate.bash"),
        ("zsh", "_kubectl-pgmigrate"),
        ("fish", "kubectl-pgmigrate.fish"),
        ("kubectl", "kubectl_complete-pgmigrate"),
    ] {
        let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file));
        let printed = here.says(Command::new(here.path().join(BINARY)).args(["completion", shell]));
        assert_eq!(shipped.expect(file), printed, "{file}: make completions");
    }
}

/// kubectl runs the shim with the words behind `pgmigrate`: a candidate a line, then cobra's directive.
#[test]
fn the_shim_completes_for_kubectl() {
    use std::os::unix::fs::PermissionsExt;
    let here = Here::new();
    let shim = here.path().join("kubectl_complete-pgmigrate");
    let script = here.says(Command::new(here.path().join(BINARY)).args(["completion", "kubectl"]));
    std::fs::write(&shim, script).expect("written");
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).expect("executable");
    for (words, wanted) in [
        (&["cutov"][..], "cutover\tThe window: stop, fence, catch up, promote, switch, start, verify\n:4\n"),
        (&["status", "sh"], "shop\n:4\n"),
        (&["script", "run", "sh"], "shop\n:4\n"),
        (&["script", "check", "sh"], "shop\nshop.yaml\n:4\n"),
        // Nothing of ours: files.
        (&["script", "check", "./n"], ":0\n"),
    ] {
        assert_eq!(here.says(Command::new(&shim).args(words)), wanted, "{words:?}");
    }
    let there = Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|o| o.status.success());
    if !there {
        return eprintln!("left out: there is no kubectl here");
    }
    let said = here.says(Command::new("kubectl").args(["__complete", "pgmigrate", "status", "sh"]));
    assert!(said.starts_with("shop\n") && said.contains(":4"), "{said}");
}
