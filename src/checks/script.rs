//! The script compiles, knows its functions, and names its hooks right.

use super::*;
use crate::script;

pub const CHECKS: &[Check] = &[check(
    "script",
    "the script is sound",
    "a function that does not exist fails when it is called: in the window",
    sound,
)];

fn sound(looks: &Looks) -> Judged<'_> {
    let Some(script) = looks.migration.script.as_ref() else { return Ok(pass("the migration has none")) };
    Ok(match script::check(script).first() {
        None => pass(script.name.clone()),
        Some(problem) => fail(
            format!("{}:{}:{}: {}", script.name, problem.line, problem.column, problem.what),
            format!("kubectl pgmigrate script check {}", looks.migration.name),
        ),
    })
}
