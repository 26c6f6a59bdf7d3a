//! The script compiles, knows its functions, and names its hooks right.

use super::{Check, Finding};
use crate::{script, step::World};

const CHECK: Check = Check {
    id: "script",
    title: "the script is sound",
    why: "a function that does not exist fails when it is called: in the window",
};

pub fn check(world: &World) -> Option<Finding> {
    let script = world.migration.script.as_ref()?;
    let remedy = format!("kubectl pgmigrate script check {}", world.migration.name);
    Some(match script::check(script).first() {
        None => CHECK.pass(script.name.clone()),
        Some(problem) => {
            CHECK.fail(format!("{}:{}:{}: {}", script.name, problem.line, problem.column, problem.what), remedy)
        }
    })
}
