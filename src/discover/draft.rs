//! A migration file and its script, written for a person: what was found is filled in, what was guessed is marked.

use super::{Source, connections::Finding};
use crate::{
    facts::uses::User,
    spec::{Strategy, WorkloadKind, builtin},
    strategy::{
        choose::Choice,
        estimate::{Basis, Estimate},
    },
};
use serde_json::json;
use std::fmt::Write;

/// What a person, or a flag, has decided.
pub struct Draft<'a> {
    pub source: &'a Source,
    pub name: String,
    /// Name of the CNPG Cluster to be.
    pub target: String,
    pub strategy: Strategy,
    pub choice: &'a Choice,
}

/// In front of everything that nobody but a person can know.
pub const GUESSED: &str = "GUESSED";

impl Source {
    /// `acid-shop-postgresql` -> `shop-cnpg`; another one where that is taken.
    pub fn target_name(&self) -> String {
        let mut stem = self.cluster.as_str();
        stem = stem.strip_prefix("acid-").unwrap_or(stem);
        for end in ["-postgresql", "-postgres", "-pg", "-zalando"] {
            stem = stem.strip_suffix(end).unwrap_or(stem);
        }
        let stem: String = stem.chars().take(40).collect();
        let free = |name: &String| {
            let services = ["", "-rw", "-ro", "-r"].map(|end| format!("{name}{end}"));
            *name != self.cluster && !services.iter().any(|service| self.taken.contains(service))
        };
        let numbered = (2..).map(|n| format!("{stem}-cnpg-{n}"));
        std::iter::once(format!("{stem}-cnpg")).chain(numbered).find(free).unwrap_or_default()
    }

    /// The app that most of the users say they are, if its migration ships with the program.
    fn shipped(&self) -> Option<&'static str> {
        let app = &self.users.first().map(|user| &user.app).filter(|app| !app.is_empty())?;
        let (_, script) = builtin(app)?.iter().find(|(file, _)| file.ends_with(".rhai"))?;
        Some(script)
    }

    fn uses_pooler(&self) -> bool {
        let set = self.connections.iter().flat_map(|(_, keys)| keys);
        set.into_iter().any(|(_, finding)| matches!(finding, Finding::Set(t, _) if t.contains("${target.pooler.host}")))
    }
}

impl Draft<'_> {
    /// Of the whole outage, as far as it can be said without a plan.
    pub fn outage(&self) -> Estimate {
        Basis { bytes: self.source.bytes(), ..Basis::default() }.outage_of(self.strategy)
    }

    pub fn yaml(&self) -> String {
        let (source, mut text) = (self.source, String::new());
        let outage = self.outage();
        let _ = write!(
            text,
            "# Moves {} from the Zalando operator to CloudNativePG, and what uses it.\n\
             # Written by `kubectl pgmigrate init` from what is in namespace {}. Lines with {GUESSED} are guesses: look at\n\
             # them first. Then: `check`, `plan`, `prepare` (the apps stay up), `cutover` (the window), `finalize`.\n",
            source.cluster, source.namespace
        );
        for unknown in &source.unknown {
            let _ = writeln!(text, "# Not seen: {}", unknown.replace('\n', " "));
        }
        let _ = write!(
            text,
            "apiVersion: pgmigrate.dev/v1alpha1\nkind: Migration\nmetadata:\n  name: {}\n  namespace: {}\n\nspec:\n",
            self.name, source.namespace
        );
        if self.strategy == self.choice.strategy {
            for reason in &self.choice.reasons {
                let _ = writeln!(text, "  # {reason}");
            }
        }
        let _ = write!(
            text,
            "  # The outage to expect is about {:.0} s ({:.0} to {:.0} s); `plan` knows more.\n  strategy: {}\n\n",
            outage.likely, outage.low, outage.high, self.strategy
        );
        let _ = write!(text, "  source:\n    zalando:\n      cluster: {}\n\n", source.cluster);
        self.target(&mut text);
        self.databases(&mut text);
        self.apps(&mut text);
        self.connections(&mut text);
        self.guardrails(&mut text, outage);
        let _ = write!(text, "\n  script: {}.rhai\n", self.name);
        text
    }

    fn target(&self, text: &mut String) {
        let source = self.source;
        let _ = write!(
            text,
            "  target:\n    cnpg:\n      cluster: {}   # {GUESSED}: not the source's name, pods of both would collide\n      \
             instances: {}   # as the source has\n",
            self.target, source.instances
        );
        match self.choice.major.filter(|major| Some(*major) != source.major) {
            Some(major) => {
                let _ =
                    writeln!(text, "      image: ghcr.io/cloudnative-pg/postgresql:{major}   # {GUESSED}: from here?");
            }
            None => text.push_str(
                "      # image: registry.example/postgresql:17   # where the cluster can't pull CloudNativePG's own\n",
            ),
        }
        if !source.volume.is_empty() {
            let _ = writeln!(text, "      storage: {}   # as the source has", json!(source.volume));
        }
        if source.uses_pooler() {
            let _ = writeln!(
                text,
                "      pooler: {{name: {}-pooler, instances: 2}}   # {GUESSED}: the source has one",
                self.target
            );
        }
        match source.stores.first() {
            Some(store) => {
                let _ = writeln!(
                    text,
                    "      # backup: {{objectStore: {store}, schedule: \"0 0 3 * * *\"}}   # this store is there"
                );
            }
            None => text.push_str(
                "      # backup: {objectStore: NAME, schedule: \"0 0 3 * * *\"}   # no ObjectStore was found\n",
            ),
        }
    }

    fn databases(&self, text: &mut String) {
        let names: Vec<String> = self.source.databases.iter().map(|d| json!(d.name).to_string()).collect();
        // A name may hold anything, and a comment ends with its line.
        let sizes =
            self.source.databases.iter().filter_map(|d| Some(format!("{} {}", d.name.escape_debug(), size(d.size?))));
        let sizes = sizes.collect::<Vec<_>>().join(", ");
        if !sizes.is_empty() {
            let _ = write!(
                text,
                "\n  # The first one's owner, {}, is whom the apps log in as: {sizes}",
                self.source.owner().escape_debug()
            );
        }
        let _ = write!(text, "\n  databases: [{}]\n", names.join(", "));
    }

    fn apps(&self, text: &mut String) {
        let mut users: Vec<&User> = self.source.users.iter().collect();
        if users.is_empty() {
            let _ = write!(
                text,
                "\n  # {GUESSED}: no workload of this namespace mentions {}. One that is not named here keeps writing.\n  apps: []\n",
                self.source.cluster
            );
            return;
        }
        users.sort_by_key(|user| rank(user));
        let _ = write!(
            text,
            "\n  # All that was found to use {}. {GUESSED}: the order. They start in it and stop in the opposite one: what\n  \
             # people see goes down first and comes up last. `startAfter: ready` holds the next one back.\n  apps:\n",
            self.source.cluster
        );
        for user in users {
            let mut notes = Vec::new();
            if user.replicas == 0 {
                notes.push(
                    if user.workload.kind == WorkloadKind::CronJob { "suspended now" } else { "0 replicas now" }.into(),
                );
            }
            if !user.fixed.is_empty() {
                notes.push(format!(
                    "the address stands in its template ({}): move it to a ConfigMap",
                    user.fixed.join(", ")
                ));
            }
            if let Some(secret) = &user.operators_secret {
                notes.push(format!("reads {secret}, which is the source's: give it a Secret of its own"));
            }
            let note = if notes.is_empty() { String::new() } else { format!("   # {}", notes.join("; ")) };
            let _ = writeln!(text, "  - {{workload: {}}}{note}", user.workload);
        }
    }

    fn connections(&self, text: &mut String) {
        if self.source.connections.is_empty() {
            let _ = write!(
                text,
                "\n  # {GUESSED}: no Secret or ConfigMap was found that holds the address; the apps would come back on the source.\n  \
                 connections: []\n"
            );
            return;
        }
        text.push_str("\n  # Only these keys are changed, and rollback restores them.\n  connections:\n");
        for (object, keys) in &self.source.connections {
            let (kind, name) = object.split_once('/').unwrap_or(("secret", object));
            let kind = if kind == "secret" { "secret" } else { "configMap" };
            let set: Vec<_> = keys
                .iter()
                .filter_map(|(key, f)| if let Finding::Set(t, why) = f { Some((key, t, why)) } else { None })
                .collect();
            for (key, finding) in keys {
                if let Finding::Left(why) = finding {
                    let _ = writeln!(text, "  # {GUESSED}: {object} key {key} is left for you: {why}");
                }
            }
            if set.is_empty() {
                continue;
            }
            let _ = write!(text, "  - {kind}: {name}\n    set:\n");
            for (key, template, why) in set {
                let note = if why.is_empty() { String::new() } else { format!("   # {GUESSED}: {why}") };
                let _ = writeln!(text, "      {}: {}{note}", json!(key), json!(template));
            }
        }
    }

    fn guardrails(&self, text: &mut String, outage: Estimate) {
        // Twice what is likely, and never under the default: a budget that is too small restores a healthy cutover.
        let budget = (outage.likely * 2.0 / 60.0).ceil().max(5.0);
        let _ = write!(
            text,
            "\n  # Past the budget, and before the point of no return, the apps come back on the source by themselves.\n  \
             guardrails:\n    downtimeBudget: {budget:.0}m   # {GUESSED}\n    stopApps: 2m         # {GUESSED}: for every app to have ended\n"
        );
    }

    /// The shipped one where the app is known, else a plain one.
    pub fn script(&self) -> String {
        if let Some(script) = self.source.shipped() {
            return script.into();
        }
        let tables: Vec<String> = self.source.tables.iter().map(|table| json!(table).to_string()).collect();
        let found = if tables.is_empty() {
            format!("// {GUESSED}: name the tables whose loss a user would notice first.")
        } else {
            format!("// {GUESSED}: the largest tables; better are those whose loss a user would notice first.")
        };
        format!(
            "// What is particular to {name}. Every function is optional; `kubectl pgmigrate script api` lists what can be called.\n\
             // Try a change with `kubectl pgmigrate script check {name}` and `kubectl pgmigrate script run {name} verify`.\n\n\
             {found}\nconst COUNTED = [{tables}];\n\n\
             // After the apps are started on the target: every pod that should be there is ready.\n\
             fn health(m) {{\n    for app in m.apps {{\n        if app.starts_with(\"deployment/\") {{\n            \
             check(`${{app}} is ready`, ready(app) == replicas(app));\n        }}\n    }}\n}}\n\n\
             // The same numbers on both sides: a second opinion, the strategy has its own proof.\n\
             fn verify(m) {{\n    for table in global::COUNTED {{\n        \
             compare(table, `select count(*) as rows from ${{table}}`);\n    }}\n}}\n",
            name = self.name,
            tables = tables.join(", "),
        )
    }
}

/// Started in this order: what keeps data, what works behind, what people see, what runs at times.
fn rank(user: &User) -> (u8, String) {
    let name = &user.workload.name;
    let seen = ["web", "front", "api", "ui", "proxy", "ingress"].iter().any(|word| name.contains(word));
    let place = match user.workload.kind {
        WorkloadKind::StatefulSet => 0,
        WorkloadKind::Deployment if !seen => 1,
        WorkloadKind::Deployment => 2,
        WorkloadKind::CronJob => 3,
    };
    (place, name.clone())
}

/// `1.2 GiB`
pub fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..units.len()).rev().find(|step| bytes >> (10 * step) > 0).unwrap_or(0);
    let amount = bytes as f64 / 1024f64.powi(step as i32);
    if step == 0 { format!("{bytes} bytes") } else { format!("{amount:.1} {}", units[step]) }
}
