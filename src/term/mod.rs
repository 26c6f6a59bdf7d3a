//! The only module that prints. stdout is data, stderr is talk; colour never carries meaning alone.
//!
//! Every verb hands over a [`Page`]: the same answer as a document (json, yaml), as names, and as text for people.

pub mod checks;
mod error;
mod follow;
mod foreign;
mod lines;
pub mod list;
mod live;
pub mod plan;
pub mod prompt;
pub mod status;
pub mod steps;
pub mod sent;
mod table;
pub mod verify;

pub use error::kind_name;
pub use follow::{Following, Mode, follow};
pub use steps::{Collected, StepLine, seconds};
pub use table::Table;

use crate::error::{Error, Result};
use console::Style;
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Json,
    Yaml,
    Name,
    /// For CI; `check` alone has it
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// One answer in the three shapes that `-o` asks for.
#[derive(Debug, Default)]
pub struct Page {
    pub document: Value,
    pub names: Vec<String>,
    pub text: String,
}

/// What is printed to and how.
pub struct Ui {
    pub format: Format,
    /// A document went to stdout: the error that follows must not write a second one.
    printed: AtomicBool,
    /// kubectl's flags as they were given, put into every command that is shown: a hint must work as it stands.
    flags: String,
}

impl Ui {
    /// `flags`: " -n mastodon --context test", empty when none was given.
    pub fn new(format: Format, color: Color, flags: String) -> Ui {
        match color {
            // console looks at the terminal, NO_COLOR and CLICOLOR by itself; NO_COLOR's presence counts, even on Windows.
            Color::Auto if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) => colors(false),
            Color::Auto => {}
            Color::Always => colors(true),
            Color::Never => colors(false),
        }
        Ui { format, printed: AtomicBool::new(false), flags }
    }

    /// The verb's answer, to stdout.
    pub fn print(&self, page: Page) -> Result<()> {
        self.printed.store(true, Ordering::SeqCst);
        match self.format {
            Format::Table | Format::Junit => out(&page.text),
            Format::Name => out(&page.names.iter().map(|n| format!("{}\n", foreign::line(n))).collect::<String>()),
            Format::Json => out(&format!("{:#}\n", page.document)),
            Format::Yaml => out(&yaml(&page.document)?),
        }
        Ok(())
    }

    /// An answer that ends in an error: one document holds both.
    pub fn print_with(&self, mut page: Page, result: &Result<()>) -> Result<()> {
        if let (Err(error), Some(document)) = (result, page.document.as_object_mut()) {
            document.insert("error".into(), self.error_value(error));
        }
        self.print(page)
    }

    /// Talk, to stderr.
    pub fn say(&self, text: impl AsRef<str>) {
        say(&self.commands(text.as_ref()));
    }

    pub fn warn(&self, text: impl AsRef<str>) {
        say(&format!("{} {}", yellow("warning:"), self.commands(text.as_ref())));
    }

    /// The error to stderr; to stdout too when a document was asked for and none was printed.
    pub fn fail(&self, error: &Error, next: Option<&str>) {
        if matches!(self.format, Format::Json | Format::Yaml) && !self.printed.load(Ordering::SeqCst) {
            let document = json!({ "error": self.error_value(error) });
            self.print(Page { document, ..Page::default() }).ok();
        }
        say(&error::render(error, next, |text| self.commands(text)));
    }

    fn error_value(&self, error: &Error) -> Value {
        json!({
            "kind": kind_name(error.kind),
            "message": error.chain(),
            "hint": error.hint.as_deref().map(|h| self.commands(h)),
            "exitCode": error.kind.exit_code(),
        })
    }

    /// Every `kubectl pgmigrate VERB` in the text, with the flags this process was given.
    pub fn commands(&self, text: &str) -> String {
        if self.flags.is_empty() {
            return text.to_string();
        }
        text.replace(COMMAND, &format!("kubectl pgmigrate{} ", self.flags))
    }
}

pub(crate) const COMMAND: &str = "kubectl pgmigrate ";

fn colors(on: bool) {
    console::set_colors_enabled(on);
    console::set_colors_enabled_stderr(on);
}

pub fn yaml(document: &Value) -> Result<String> {
    serde_saphyr::to_string(document).map_err(|e| Error::bug("write YAML").cause(e))
}

/// A closed pipe (`| head`) is the reader's right, not an error.
pub fn out(text: &str) {
    let text = foreign::text(text, console::colors_enabled());
    live::above(|| {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
    });
}

/// One piece of talk on a line of its own; above the live block where there is one.
pub fn say(text: &str) {
    let text = foreign::text(text, console::colors_enabled_stderr());
    live::above(|| {
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "{}", text.trim_end_matches('\n')).ok();
    });
}

/// Both stdin and stderr are a terminal: somebody can be asked.
pub fn can_ask() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

pub fn stdout_is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal()
}

/// Takes the text of an earlier [`out`] back, on a terminal: `status --watch` draws over itself.
pub fn erase(lines: usize) {
    console::Term::stdout().clear_last_lines(lines).ok();
}

/// `-v`: what the program does, to stderr. `PGMIGRATE_LOG` takes tracing's own filter.
pub fn logging(verbosity: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbosity {
        // What kube reports there comes back as an error, and is told once, in our words.
        0 => "warn,kube_client=off",
        1 => "pgmigrate=info,warn,kube_client=off",
        2 => "pgmigrate=debug,info",
        _ => "pgmigrate=trace,debug",
    };
    let filter = EnvFilter::try_from_env("PGMIGRATE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let colors = console::colors_enabled_stderr();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colors).with_writer(std::io::stderr).try_init().ok();
}

pub(crate) fn red(text: &str) -> String {
    Style::new().red().bold().for_stderr().apply_to(text).to_string()
}
pub(crate) fn yellow(text: &str) -> String {
    Style::new().yellow().for_stderr().apply_to(text).to_string()
}
pub(crate) fn green(text: &str) -> String {
    Style::new().green().for_stderr().apply_to(text).to_string()
}
pub(crate) fn dim(text: &str) -> String {
    Style::new().dim().for_stderr().apply_to(text).to_string()
}
/// A style for stdout's text.
pub(crate) fn paint(style: Style, text: &str) -> String {
    style.for_stdout().apply_to(text).to_string()
}
