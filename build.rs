//! Embeds scripts/: every folder there is a migration that ships with the program.

use std::{env, fmt::Write, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=scripts");
    let scripts = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("scripts");
    let mut text = String::from("[");
    for app in names(&scripts) {
        println!("cargo::rerun-if-changed=scripts/{app}");
        let mut files = names(&scripts.join(&app));
        files.sort_by_key(|file| file != "migration.yaml");
        write!(text, "({app:?}, &[").expect("a String takes all");
        for file in files {
            println!("cargo::rerun-if-changed=scripts/{app}/{file}");
            let path = scripts.join(&app).join(&file);
            write!(text, "({file:?}, include_str!({path:?})),").expect("a String takes all");
        }
        text.push_str("] as &[File]),");
    }
    text.push(']');
    let out = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("scripts.rs");
    fs::write(out, text).expect("OUT_DIR can be written");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("scripts/ is there").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
