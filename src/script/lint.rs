//! `script check`: what would only show at the worst moment, found before anything begins.
//!
//! rhai resolves functions when they are called, so a misspelt one in `after_promote` would be noticed after the
//! point of no return. Here every call is compared with what is registered, by name and number of arguments.

use super::{
    api::Function,
    engine::{self, Limits},
    frames,
    hooks::{self, Hook},
};
use crate::{
    error::Result,
    spec::{Script, Workload, nearest, units},
};
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based; 0: the file as a whole.
    pub line: usize,
    pub column: usize,
    /// One line.
    pub what: String,
    /// `file:line:column: what`, the source line and a caret.
    pub text: String,
}

/// Everything wrong with the script that can be seen without running it; in the order of the file.
pub fn check(script: &Script) -> Vec<Problem> {
    let (mut engine, functions) = engine::build(Limits::default());
    // As written: the optimizer folds what it can, and drops calls that no branch reaches.
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    let ast = match engine.compile(&script.text) {
        Ok(ast) => ast,
        Err(error) => {
            let (line, column) = place(error.position());
            let text = frames::parse_error(script, &error).what;
            let first = text.lines().next().unwrap_or_default();
            let what = first.strip_prefix(&format!("{}:{line}:{column}: ", script.name)).unwrap_or(first).to_string();
            return vec![Problem { line, column, what, text }];
        }
    };
    let mut found = Found { script, problems: Vec::new() };
    top_level(&ast, &mut found);
    definitions(&ast, &mut found);
    calls(&ast, &Known::new(&engine, &ast, functions), &mut found);
    found.problems.sort_by_key(|p| (p.line, p.column));
    found.problems.dedup();
    found.problems
}

fn place(at: Position) -> (usize, usize) {
    (at.line().unwrap_or(0), at.position().unwrap_or(1))
}

struct Found<'s> {
    script: &'s Script,
    problems: Vec<Problem>,
}
impl Found<'_> {
    fn add(&mut self, at: Position, what: impl Into<String>) {
        let (line, column) = place(at);
        let what = what.into();
        let text = frames::point(self.script, at, &what);
        self.problems.push(Problem { line, column, what, text });
    }
}

/// The top level runs before each hook, so anything but definitions there would run many times.
fn top_level(ast: &AST, found: &mut Found) {
    for statement in ast.statements() {
        match statement {
            Stmt::Noop(_) => {}
            Stmt::Var(..) if statement.options().contains(rhai::ASTFlags::CONSTANT) => {}
            Stmt::Import(_, at) => {
                found.add(*at, "import: a script is one file, because its digest is what the journal holds");
            }
            other => found.add(other.position(), "only const and fn may stand outside a function"),
        }
    }
}

/// Misspelt hooks, hooks of a wrong arity.
fn definitions(ast: &AST, found: &mut Found) {
    for function in ast.iter_fn_def() {
        let at = function.body.start_position();
        let count = function.params.len();
        match (Hook::named(&function.name), hooks::misspelt(&function.name)) {
            (Some(hook), _) if hook.params.len() != count => {
                found.add(
                    at,
                    format!("{}() has {count} parameters; it is called as {}", function.name, hook.signature()),
                );
            }
            (None, Some(hook)) => {
                let what = format!("{}() is never called; did you mean the hook {}()?", function.name, hook.name);
                found.add(at, what);
            }
            _ => {}
        }
    }
}

/// What may be called, and what the host's functions ask of their arguments.
struct Known {
    /// Name -> numbers of arguments, the script's own functions included.
    arities: BTreeMap<String, BTreeSet<usize>>,
    host: Vec<Function>,
    /// Function pointers kept in maps are called like methods: `m.f(x)`.
    properties: BTreeSet<String>,
}

impl Known {
    fn new(engine: &Engine, ast: &AST, host: Vec<Function>) -> Known {
        let mut arities: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let registered =
            engine.collect_fn_metadata(None, |f| Some((f.metadata.name.to_string(), f.metadata.num_params)), true);
        let own = ast.iter_fn_def().map(|f| (f.name.to_string(), f.params.len()));
        // Keywords that look like functions (rhai: the book's "keywords" appendix).
        let keywords = [
            ("print", 1),
            ("debug", 1),
            ("type_of", 1),
            ("Fn", 1),
            ("is_shared", 1),
            ("is_def_var", 1),
            ("is_def_fn", 2),
            ("type_of", 0),
            ("is_shared", 0),
        ];
        let keywords = keywords.into_iter().map(|(name, count)| (name.to_string(), count));
        for (name, count) in registered.into_iter().chain(own).chain(keywords) {
            arities.entry(name).or_default().insert(count);
        }
        let mut properties = BTreeSet::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::Map(map, _))) = path.last() {
                properties.extend(map.0.iter().map(|(name, _)| name.name.to_string()));
            }
            true
        });
        Known { arities, host, properties }
    }
    fn host(&self, name: &str) -> Option<&Function> {
        self.host.iter().find(|f| f.name == name)
    }
    fn names(&self) -> impl Iterator<Item = &str> {
        // Operators, getters and setters are registered as functions too; nobody misspells into those.
        let word = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('$');
        self.arities.keys().map(String::as_str).filter(word)
    }
}

struct Call {
    name: String,
    at: Position,
}

fn calls(ast: &AST, known: &Known, found: &mut Found) {
    let mut made: Vec<Call> = Vec::new();
    ast.walk(&mut |path| {
        let (call, method, at) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => (call, false, *at),
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => (call, true, *at),
            _ => return true,
        };
        if !call.is_operator_call() && !call.is_qualified() {
            one_call(call, method, at, known, found);
            made.push(Call { name: call.name.to_string(), at });
        }
        true
    });
    phases(ast, known, &made, found);
}

fn one_call(call: &FnCallExpr, method: bool, at: Position, known: &Known, found: &mut Found) {
    let name = call.name.as_str();
    if ["call", "curry"].contains(&name) || (method && known.properties.contains(name)) {
        return; // of a function pointer: any number of arguments
    }
    let count = call.args.len() + usize::from(method);
    match known.arities.get(name) {
        // A script function called as a method has its object in `this`, not among its parameters.
        Some(arities) if arities.contains(&count) || (method && arities.contains(&call.args.len())) => {}
        Some(arities) => {
            let usage = known.host(name).map(|f| format!(": {}", f.signature())).unwrap_or_default();
            let takes: Vec<String> = arities.iter().map(ToString::to_string).collect();
            found.add(at, format!("{name}() takes {} arguments, not {count}{usage}", takes.join(" or ")));
        }
        None => {
            let near = nearest(name, known.names()).map(|n| format!("; did you mean {n}()?")).unwrap_or_default();
            found.add(at, format!("unknown function {name}(){near}"));
        }
    }
    if let Some(function) = known.host(name).filter(|_| !method) {
        for (param, argument) in function.params.iter().zip(&call.args) {
            if let (Expr::StringConstant(text, at), Err(why)) = (argument, literal(param, argument)) {
                found.add(*at, format!("{name}({text:?}, ..): {why}"));
            }
        }
    }
}

/// An argument written as a text can be read now. The parameter's name says how.
fn literal(param: &str, argument: &Expr) -> Result<(), String> {
    let Expr::StringConstant(text, _) = argument else { return Ok(()) };
    match param {
        "side" => text.parse::<super::Side>().map(|_| ()),
        "workload" => text.parse::<Workload>().map(|_| ()),
        "timeout" => units::duration(text).map(|_| ()),
        _ => Ok(()),
    }
}

/// Changing functions, and refuse(), reached from a hook that may not call them.
fn phases(ast: &AST, known: &Known, made: &[Call], found: &mut Found) {
    let bodies: Vec<(String, Position, Position)> = ast
        .iter_fn_def()
        .filter(|f| !f.name.starts_with("anon$")) // a closure belongs to the function around it
        .map(|f| (f.name.to_string(), f.body.start_position(), f.body.end_position()))
        .collect();
    let inside = |name: &str| {
        let body = bodies.iter().find(|(n, ..)| n == name).map(|(_, from, to)| (*from, *to));
        made.iter().filter(move |c| body.is_some_and(|(from, to)| c.at >= from && c.at <= to))
    };
    for hook in &hooks::HOOKS {
        let (mut todo, mut seen) = (vec![hook.name.to_string()], BTreeSet::new());
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            for call in inside(&name) {
                let changes = known.host(&call.name).is_some_and(|f| f.changes);
                let through = if name == hook.name { String::new() } else { format!(" (through {name}())") };
                if changes && !hook.changes {
                    let what = format!("{}() changes things, and {}(){through} only reads", call.name, hook.name);
                    found.add(call.at, what);
                }
                if call.name == "refuse" && !hook.may_refuse {
                    let may = hooks::names(|h| h.may_refuse);
                    found.add(
                        call.at,
                        format!("refuse() comes too late in {}(){through}; it can veto in: {may}", hook.name),
                    );
                }
                todo.push(call.name.clone());
            }
        }
    }
}
