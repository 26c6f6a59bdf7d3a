//! Questions. Two kinds: "go on?" for what can be taken back, the migration's name for what cannot.

use super::foreign::line;
use crate::error::{Error, Kind, Result};

/// `--yes` answers it. Without a terminal it must have been answered on the command line.
pub fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !super::can_ask() {
        return Err(Error::usage(format!("{question} There is no terminal to answer on")).hint("add --yes"));
    }
    let answer = dialoguer::Confirm::new().with_prompt(line(question)).default(false).interact();
    if answer.map_err(unasked)? {
        Ok(())
    } else {
        Err(Error::new(Kind::Interrupted, "not confirmed; nothing was changed"))
    }
}

/// `accepted` is `--accept-one-way`'s value; `command` is what to type with it.
pub fn one_way(name: &str, accepted: Option<&str>, command: &str) -> Result<()> {
    match accepted {
        Some(given) if given == name => return Ok(()),
        Some(given) => {
            return Err(Error::usage(format!("--accept-one-way {given} names another migration than {name}"))
                .hint(format!("{command} --accept-one-way {name}")));
        }
        None => {}
    }
    if !super::can_ask() {
        return Err(Error::usage("this cannot be taken back, and there is no terminal to confirm it on")
            .hint(format!("{command} --accept-one-way {name}")));
    }
    let prompt = format!("Type the migration's name ({name}) to go on");
    let typed = dialoguer::Input::<String>::new().with_prompt(prompt).allow_empty(true).interact_text();
    if typed.map_err(unasked)?.trim() == name {
        return Ok(());
    }
    Err(Error::new(Kind::Interrupted, "that is not the name; nothing was changed"))
}

fn unasked(error: dialoguer::Error) -> Error {
    Error::new(Kind::Interrupted, "no answer; nothing was changed").cause(error)
}

/// One of several, by the arrow keys. Returns its place.
pub fn choose(question: &str, items: &[&str], default: usize) -> Result<usize> {
    let items: Vec<String> = items.iter().map(|item| line(item)).collect();
    dialoguer::Select::new().with_prompt(question).items(&items).default(default).interact().map_err(unasked)
}

/// A line, with an answer that Enter takes.
pub fn text(question: &str, default: &str) -> Result<String> {
    let input = dialoguer::Input::<String>::new().with_prompt(question).default(default.into());
    Ok(input.interact_text().map_err(unasked)?.trim().to_string())
}
