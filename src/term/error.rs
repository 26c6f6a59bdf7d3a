//! `error:`, `caused by:`, `hint:`; and after a half-way end the next command alone on the last line.

use super::{COMMAND, red, yellow};
use crate::error::{Error, Kind};

/// The kind as documents name it.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "failed",
        Kind::Usage => "usage",
        Kind::Check => "check",
        Kind::Stopped => "stopped",
        Kind::Human => "human",
        Kind::RollbackIncomplete => "rollback-incomplete",
        Kind::Locked => "locked",
        Kind::Bug => "bug",
        Kind::Interrupted => "interrupted",
    }
}

/// `next` is the command to fall back on where an exit code promises one and the error has none.
pub(super) fn render(error: &Error, next: Option<&str>, commands: impl Fn(&str) -> String) -> String {
    let mut lines = vec![format!("{} {}", red("error:"), indented(&error.what))];
    let causes = error.causes().into_iter().skip(1);
    lines.extend(causes.map(|cause| format!("{} {}", yellow("caused by:"), indented(&cause))));
    let promised = matches!(error.kind.exit_code(), 4..=7);
    let (words, command) = match (&error.hint, promised) {
        (Some(hint), true) => split(hint),
        (Some(hint), false) => (Some(hint.as_str()), None),
        (None, _) => (None, None),
    };
    if let Some(words) = words {
        lines.push(format!("{} {}", yellow("hint:"), indented(&commands(words))));
    }
    if promised && let Some(command) = command.or(next) {
        lines.push(commands(command));
    }
    lines.join("\n")
}

/// "put it back, or: kubectl pgmigrate rollback m" -> the words and the command that ends the hint.
fn split(hint: &str) -> (Option<&str>, Option<&str>) {
    match hint.rfind(COMMAND) {
        Some(at) => {
            let words = hint[..at].trim_end_matches([' ', ':', '\n']);
            (Some(words).filter(|w| !w.is_empty()), Some(&hint[at..]))
        }
        None => (Some(hint), None),
    }
}

/// A message of several lines (a script's frame) keeps its shape under its label.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ").replace("\n  \n", "\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_command() {
        console::set_colors_enabled_stderr(false);
        let error = Error::new(Kind::Human, "two things differ")
            .cause(Error::failed("the API server said no"))
            .hint("put them back, or: kubectl pgmigrate rollback m");
        let text = render(&error, None, |t| t.replace(COMMAND, "kubectl pgmigrate -n x "));
        assert_eq!(
            text,
            "error: two things differ\ncaused by: the API server said no\nhint: put them back, or\nkubectl pgmigrate -n x rollback m"
        );
        let error = Error::new(Kind::Stopped, "stopped");
        assert!(
            render(&error, Some("kubectl pgmigrate resume m"), str::to_string)
                .ends_with("\nkubectl pgmigrate resume m")
        );
        let error = Error::usage("what?").hint("kubectl pgmigrate --help");
        assert!(render(&error, Some("no"), str::to_string).ends_with("hint: kubectl pgmigrate --help"));
    }
}
