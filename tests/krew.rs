//! krew's own rules for its manifest, and an archive laid out and run as krew would.

use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Pairs that validate-krew-manifest knows.
const PLATFORMS: [&str; 11] = [
    "linux/386",
    "linux/amd64",
    "linux/arm",
    "linux/arm64",
    "linux/ppc64le",
    "darwin/386",
    "darwin/amd64",
    "darwin/arm64",
    "windows/386",
    "windows/amd64",
    "windows/arm64",
];

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

/// The rules of validate-krew-manifest v0.4.5.
fn validate(path: &Path) -> Value {
    let plugin = read(path);
    assert_eq!(text(&plugin, "/apiVersion"), "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(text(&plugin, "/kind"), "Plugin");
    assert_eq!(path.file_stem().and_then(|s| s.to_str()), Some(text(&plugin, "/metadata/name")));
    let version = text(&plugin, "/spec/version").strip_prefix('v').expect("a v before the version");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let short = text(&plugin, "/spec/shortDescription");
    assert!(!short.is_empty() && !short.contains('\n') && !short.ends_with('.'), "{short:?}");
    assert!(text(&plugin, "/spec/homepage").starts_with("https://"));
    let platforms = plugin["spec"]["platforms"].as_array().expect("platforms");
    let mut seen = BTreeSet::new();
    for platform in platforms {
        let labels = platform["selector"]["matchLabels"].as_object().expect("a selector");
        assert!(labels.keys().all(|key| key == "os" || key == "arch"), "{labels:?}");
        let pair = format!("{}/{}", labels["os"].as_str().expect("os"), labels["arch"].as_str().expect("arch"));
        assert!(PLATFORMS.contains(&pair.as_str()), "krew does not know {pair}");
        assert!(seen.insert(pair.clone()), "{pair} is there twice");
        let uri = text(platform, "/uri");
        assert!(uri.starts_with("https://") && uri.ends_with(".tar.gz") && uri.contains(version), "{uri}");
        let sum = text(platform, "/sha256");
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{sum}");
        assert_eq!(text(platform, "/bin"), "kubectl-pgmigrate");
    }
    assert!(!platforms.is_empty());
    plugin
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

#[test]
fn the_manifest_keeps_krews_rules() {
    let plugin = validate(&Path::new(ROOT).join("krew/pgmigrate.yaml"));
    assert_eq!(plugin["spec"]["platforms"].as_array().map(Vec::len), Some(4));
    let text = std::fs::read_to_string(Path::new(ROOT).join("krew/pgmigrate.yaml")).expect("the manifest");
    let links = text.split_whitespace().filter(|word| word.starts_with("https://"));
    let elsewhere: Vec<&str> = links.filter(|link| !link.starts_with(env!("CARGO_PKG_REPOSITORY"))).collect();
    assert!(elsewhere.is_empty(), "tools/release --links: {elsewhere:?}");
}

#[test]
fn the_archive_is_installed_as_krew_would_and_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = folder.path().join("release");
    let tool = Path::new(ROOT).join("tools/release");
    let binary = env!("CARGO_BIN_EXE_kubectl-pgmigrate");
    let said = run(Command::new(tool).arg(&release).arg(binary).env("GZIP_LEVEL", "-1"));
    let archive = release.join(said.trim().strip_prefix("packed ").expect("what was packed"));

    let plugin = validate(&release.join("pgmigrate.yaml"));
    let platforms = plugin["spec"]["platforms"].as_array().expect("platforms");
    assert_eq!(platforms.len(), 1, "only what was built is in it");
    let name = archive.file_name().and_then(|n| n.to_str()).expect("a name");
    let link = format!("{}/releases/download/v{}/{name}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&platforms[0], "/uri"), link);
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&release));
    let sums = std::fs::read_to_string(release.join("SHA256SUMS")).expect("sums");
    assert!(sums.starts_with(text(&platforms[0], "/sha256")));

    // krew: unpacks into store/NAME/VERSION, wants a licence there, links bin/kubectl-NAME to the binary.
    let store = folder.path().join("store/pgmigrate").join(text(&plugin, "/spec/version"));
    std::fs::create_dir_all(&store).expect("made");
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&store));
    assert!(store.join("LICENSE").is_file());
    let bin = folder.path().join("bin");
    std::fs::create_dir_all(&bin).expect("made");
    let link = bin.join("kubectl-pgmigrate");
    std::os::unix::fs::symlink(store.join(text(&platforms[0], "/bin")), &link).expect("linked");
    assert!(run(Command::new(&link).arg("version")).contains(env!("CARGO_PKG_VERSION")));

    // And through kubectl itself, where there is one, with the completion shim that the caveats speak of.
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let shim = bin.join("kubectl_complete-pgmigrate");
    std::fs::write(&shim, run(Command::new(&link).args(["completion", "kubectl"]))).expect("written");
    run(Command::new("chmod").arg("+x").arg(&shim));
    if Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|o| o.status.success()) {
        let kubectl = |words: &[&str]| run(Command::new("kubectl").args(words).env("PATH", &path));
        assert!(kubectl(&["pgmigrate", "version"]).contains(env!("CARGO_PKG_VERSION")));
        let found = kubectl(&["__complete", "pgmigrate", "cut"]);
        assert!(found.contains("cutover\t") && found.contains(":4"), "{found}");
    }
}
