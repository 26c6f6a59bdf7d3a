//! Control characters are shown and not sent: a database may be called `\u{1b}[2J`, and a terminal would obey.
//!
//! All answers and all talk pass here. What we have painted ourselves keeps its colour, nothing else its effect.

/// The colours and weights that [`super::paint`] and its like make, and their end.
const PAINTS: [&str; 7] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m"];

/// A whole text: its line ends are ours. `painted`: colours are on where it goes. A control character is written as
/// JSON does it, so that a document stays the same document.
pub(super) fn text(text: &str, painted: bool) -> String {
    shown(text, painted, true)
}

/// A cell or a name, for stdout: there is no end of a line in it.
pub(super) fn line(text: &str) -> String {
    shown(text, console::colors_enabled(), false)
}

fn shown(text: &str, painted: bool, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let paint = PAINTS.into_iter().find(|paint| painted && rest.starts_with(paint));
        let taken = paint.map_or(c.len_utf8(), str::len);
        match c {
            _ if paint.is_some() => out.push_str(&rest[..taken]),
            '\n' | '\t' if lines => out.push(c),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{line, shown, text};
    use crate::{
        checks::{Finding, Status},
        term::{Table, checks},
    };
    use serde_json::{Value, json};

    /// Clears the screen, sets the title, conceals what follows, by C1 too; and a line that looks like ours.
    const HOSTILE: &str = "shop\x1b[2J\x1b]0;owned\x07\x1b[8m\u{9b}31m\x7f\r\npass      target-name   all is well";

    fn harmless(page: &str) {
        let page = text(page, true);
        assert!(page.contains("shop\\u001b[2J\\u001b]0;owned\\u0007\\u001b[8m\\u009b31m\\u007f\\u000d"), "{page}");
        let bare = super::PAINTS.iter().fold(page.clone(), |page, paint| page.replace(paint, ""));
        assert!(!bare.chars().any(|c| c.is_control() && c != '\n'), "{bare:?}");
        assert!(!page.lines().any(|line| line.starts_with("pass      target-name")), "{page}");
    }

    #[test]
    fn a_hostile_name_is_only_a_name() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row([HOSTILE, "Running"]);
        table.row(["plain", HOSTILE]);
        harmless(&table.render_in(0, usize::MAX));
        for status in [Status::Fail, Status::Unknown, Status::Warn] {
            let finding = Finding {
                id: "databases",
                group: "source",
                title: "all is well",
                status,
                seen: format!("database {HOSTILE}"),
                why: "",
                remedy: Some(format!("drop {HOSTILE}")),
                fix: Some(HOSTILE.into()),
                docs: String::new(),
            };
            harmless(&checks::render(&[finding], usize::MAX));
        }
    }

    #[test]
    fn our_colours_pass_and_no_others() {
        assert_eq!(shown("\x1b[31m\x1b[1mFAIL\x1b[0m\x1b[5m", true, true), "\x1b[31m\x1b[1mFAIL\x1b[0m\\u001b[5m");
        assert_eq!(shown("\x1b[31mFAIL", false, true), "\\u001b[31mFAIL");
        assert_eq!(text("a\n\tb\u{85}é", true), "a\n\tb\\u0085é");
        assert_eq!(line("a\nb"), "a\\u000ab");
    }

    #[test]
    fn a_document_says_the_same() {
        let document = json!({ "name": HOSTILE });
        let shown = text(&format!("{document:#}\n"), true);
        assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), document);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}
