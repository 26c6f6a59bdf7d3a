//! The migration's two files, and what the source is made of.
use serde_json::Value;

/// What differs from the shipped example.
#[derive(Default)]
pub struct Setting {
    /// In the migration file: text that is there, and what takes its place.
    pub edits: Vec<(&'static str, &'static str)>,
    /// Added to the script.
    pub script: &'static str,
    /// `script` is all there is: the example's is left out.
    pub alone: bool,
    /// Members of the Zalando cluster; 0 stands for 1.
    pub members: u32,
    /// Of the Zalando cluster's manifest.
    pub source: Option<fn(&mut Value)>,
    /// MiB of a disk that the source's first member has to itself; only root may mount one.
    pub disk: Option<u32>,
}

impl Setting {
    pub fn edited(edits: &[(&'static str, &'static str)]) -> Setting {
        Setting { edits: edits.to_vec(), ..Setting::default() }
    }
    pub fn dump() -> Setting {
        Setting::edited(&[("strategy: replica", "strategy: dump")])
    }
    pub fn script(self, script: &'static str) -> Setting {
        Setting { script, ..self }
    }
    /// A script in place of the example's.
    pub fn own_script(self, script: &'static str) -> Setting {
        Setting { script, alone: true, ..self }
    }

    pub fn migration(&self) -> String {
        let mut text = include_str!("../../scripts/mastodon/migration.yaml").to_owned();
        for (from, to) in &self.edits {
            assert!(text.contains(from), "{from:?} is not in the example");
            text = text.replace(from, to);
        }
        text
    }

    pub fn script_text(&self) -> String {
        let script = if self.alone { "" } else { include_str!("../../scripts/mastodon/mastodon.rhai") };
        format!("{script}\n{}", self.script)
    }
}
