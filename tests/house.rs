//! The rules of the house that a program can check: the import order, sizes, who prints, what is never left in.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

struct File {
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<File> {
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 30, "only {} sources found", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source");
            found.push(File { path, text });
        }
    }
}

impl File {
    /// `cli/check.rs`
    fn name(&self) -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        self.path.strip_prefix(source).expect("below src").display().to_string()
    }
    /// The top-level module: `cli`.
    fn module(&self) -> String {
        let name = self.name();
        name.split(['/', '.']).next().expect("a first part").to_string()
    }
    /// What ships: a file's tests stand at its end.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().expect("split has a first part")
    }
}

/// The modules in the order of lib.rs, with their place in it.
fn order() -> BTreeMap<String, usize> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("lib.rs");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.enumerate().map(|(place, name)| (name.to_string(), place)).collect()
}

/// Every module named after `crate::` in code: `crate::a::b`, `use crate::{a, b::c}`.
fn imported(code: &str) -> Vec<String> {
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::`, `some_crate::` are others.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_names(group)),
            None => names.push(word(rest)),
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first words of a `use crate::{...}` list, at its own level of braces.
fn group_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && c.is_alphabetic() => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn a_module_imports_only_what_stands_above_it() {
    let order = order();
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = order.get(&file.module()) else { continue };
        for name in imported(file.code()) {
            if let Some(theirs) = order.get(&name)
                && theirs > own
            {
                wrong.push(format!("{} imports {name}, which stands below it", file.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "src/lib.rs has the order:\n{}", wrong.join("\n"));
}

#[test]
fn the_import_scanner_sees_all_forms() {
    let code = "use crate::{\n    error::{Error, Result},\n    term,\n};\nfn f() { crate::lab::up() }\n// crate::no\n$crate::no";
    assert_eq!(imported(code), ["error", "term", "lab"]);
}

#[test]
fn files_are_short() {
    let files = sources();
    let lines = |file: &File| file.text.lines().count();
    let long: Vec<String> =
        files.iter().filter(|f| lines(f) > 500).map(|f| format!("{}: {}", f.name(), lines(f))).collect();
    assert!(long.is_empty(), "over 500 lines, a noun is missing: {}", long.join(", "));
    let longish: Vec<String> =
        files.iter().filter(|f| lines(f) > 300).map(|f| format!("{}: {}", f.name(), lines(f))).collect();
    assert!(longish.len() * 10 <= files.len(), "more than one file in ten is over 300 lines: {}", longish.join(", "));
    let main = files.iter().find(|f| f.name() == "main.rs").expect("main.rs");
    assert!(lines(main) < 25, "main.rs only parses, runs and ends");
}

#[test]
fn functions_are_short() {
    let (mut long, mut all) = (Vec::new(), 0);
    for file in sources() {
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in file.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let start = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "pub async fn "];
            if open.is_none() && start.iter().any(|s| line.trim_start().starts_with(s)) {
                open = Some((number, indent, line.trim().to_string()));
            }
            if let Some((began, at, head)) = &open
                && indent == *at
                && (line.trim() == "}" || line.trim_end().ends_with([';', '}']))
            {
                let length = number - began + 1;
                all += 1;
                if length > 60 {
                    long.push((length, format!("{}: {length} lines: {head}", file.name())));
                }
                open = None;
            }
        }
    }
    let listed = long.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(
        long.iter().all(|(length, _)| *length <= 90),
        "functions aim at under 50 lines, none is over 90:\n{listed}"
    );
    assert!(long.len() * 100 <= all, "more than one function in a hundred is over 60 lines:\n{listed}");
}

/// `term` alone prints; `lab` may log to the file its daemon's stderr is.
#[test]
fn only_term_prints() {
    let words = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!", "io::stdout()", "io::stderr()"];
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|f| f.module() != "term" && f.module() != "main") {
        for word in words {
            if file.code().lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word)) {
                wrong.push(format!("{} has {word}", file.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "only term prints:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_undone() {
    let words = ["todo!(", "unimplemented!(", "FIXME", "XXX", "(being written)"];
    let mut wrong = Vec::new();
    for file in sources() {
        for word in words {
            if file.text.contains(word) {
                wrong.push(format!("{} has {word}", file.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "left undone:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = sources()
        .iter()
        // A verb's help is its words.
        .filter(|f| !f.text.starts_with("//!") && f.module() != "cli" && f.module() != "main")
        .map(File::name)
        .collect();
    assert!(silent.is_empty(), "no //! at the top: {}", silent.join(", "));
}

#[test]
fn names_say_something() {
    for file in sources() {
        let stem = file.path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        assert!(!["utils", "util", "common", "helpers", "misc"].contains(&stem), "{}", file.name());
    }
}
