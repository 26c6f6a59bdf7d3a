//! The journal's place: ConfigMaps `pgmigrate-<name>`, `pgmigrate-<name>-1`, ... in the migration's namespace.
//!
//! Each holds lines of JSON under `entries`. An append replaces the newest one under its resourceVersion, so a
//! second writer is refused by the API server even if it believes that it holds the lock. A ConfigMap that
//! would outgrow [`SEGMENT`] is left and the next one created: the journal has no size limit, an object has.

use super::{Entry, State, What};
use crate::{
    error::{Context, Error, Kind as ErrorKind, Result},
    kube::{self, Kube, kind::CONFIG_MAP},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex as StdMutex};
use tokio::sync::Mutex;

/// Carried by every object of ours: the migration's name.
pub const LABEL: &str = "pgmigrate.dev/migration";
const JOURNAL: &str = "pgmigrate.dev/journal";
/// Bytes of entries in one ConfigMap; etcd and the API server refuse objects over 1 MiB.
const SEGMENT: usize = 256 * 1024;

/// Cheap to clone; all clones write the same journal.
#[derive(Clone)]
pub struct Journal {
    kube: Kube,
    name: String,
    by: String,
    segment: Arc<Mutex<Segment>>,
    state: Arc<StdMutex<State>>,
    entries: Arc<StdMutex<Vec<Entry>>>,
}

/// A journal's ConfigMaps, in order.
fn segments(name: &str, found: Vec<Value>) -> Vec<(usize, Value)> {
    let numbered = found.into_iter().filter_map(|o| Some((number(name, o["metadata"]["name"].as_str()?)?, o)));
    let mut segments: Vec<(usize, Value)> = numbered.collect();
    segments.sort_by_key(|(number, _)| *number);
    segments
}

fn entries(name: &str, segments: &[(usize, Value)]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (number, object) in segments {
        for line in object["data"]["entries"].as_str().unwrap_or_default().lines() {
            let entry: Entry = serde_json::from_str(line).with_context(|| {
                format!("read the journal: configmap {} has a line this version can't read", object_name(name, *number))
            })?;
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The ConfigMap that is written to.
struct Segment {
    number: usize,
    object: Option<Value>,
    text: String,
}

impl Journal {
    /// Who writes: user@host/pid.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Reads the journal of a migration; empty when there is none.
    pub async fn read(kube: &Kube, name: &str) -> Result<Journal> {
        let found = kube.list(&CONFIG_MAP, &format!("{JOURNAL}={name}")).await.context("read the journal")?;
        let mut segments = segments(name, found);
        let entries = entries(name, &segments)?;
        let (number, object) = segments.pop().map_or((0, None), |(number, object)| (number, Some(object)));
        let text = object.as_ref().and_then(|o| o["data"]["entries"].as_str()).unwrap_or_default().to_string();
        Ok(Journal {
            kube: kube.clone(),
            name: name.to_string(),
            by: format!("{}@{}/{}", user(), host(), std::process::id()),
            segment: Arc::new(Mutex::new(Segment { number, object, text })),
            state: Arc::new(StdMutex::new(State::fold(&entries))),
            entries: Arc::new(StdMutex::new(entries)),
        })
    }

    /// What holds by the ConfigMaps of one namespace that were read already; others among them are passed over.
    pub fn state_in(name: &str, objects: &[Value]) -> Result<State> {
        let ours = objects.iter().filter(|object| object["metadata"]["labels"][JOURNAL] == name).cloned();
        Ok(State::fold(&entries(name, &segments(name, ours.collect()))?))
    }

    pub fn state(&self) -> State {
        self.state.lock().expect("state lock").clone()
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().expect("entries lock").clone()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.lock().expect("entries lock").is_empty()
    }

    /// Receipt of a step; Null if it never started or was taken back.
    pub fn receipt(&self, step: &str) -> Value {
        self.state.lock().expect("state lock").standing(step).receipt.clone()
    }

    /// Evidence of a step that is done, Null otherwise.
    pub fn evidence(&self, step: &str) -> Value {
        self.state.lock().expect("state lock").standing(step).evidence.clone()
    }

    /// Writes entries in one go; returns when the API server has them.
    pub async fn append(&self, whats: Vec<What>) -> Result<()> {
        let mut segment = self.segment.lock().await;
        match self.put(&mut segment, whats.clone()).await {
            Err(error) if kube::is_conflict(&error) || kube::is_already_exists(&error) => {
                match self.adopt(&mut segment, whats, error).await? {
                    rest if rest.is_empty() => Ok(()),
                    rest => self.put(&mut segment, rest).await,
                }
            }
            written => written,
        }
    }

    async fn put(&self, segment: &mut Segment, whats: Vec<What>) -> Result<()> {
        let last = self.entries.lock().expect("entries lock").last().map_or(0, |e| e.seq);
        let (at, by) = (Timestamp::now(), &self.by);
        let fresh: Vec<Entry> =
            (last + 1..).zip(whats).map(|(seq, what)| Entry { seq, at, by: by.clone(), what }).collect();
        let mut lines = String::new();
        for entry in &fresh {
            lines.push_str(&serde_json::to_string(entry).context("write the journal")?);
            lines.push('\n');
        }
        if segment.object.is_some() && segment.text.len() + lines.len() > SEGMENT {
            segment.number += 1;
            segment.object = None;
            segment.text.clear();
        }
        let text = format!("{}{lines}", segment.text);
        let written = self.write(segment, &text).await?;
        self.written(segment, written, text, fresh);
        Ok(())
    }

    fn written(&self, segment: &mut Segment, object: Value, text: String, fresh: Vec<Entry>) {
        (segment.object, segment.text) = (Some(object), text);
        {
            let mut state = self.state.lock().expect("state lock");
            fresh.iter().for_each(|entry| state.add(entry));
        }
        self.entries.lock().expect("entries lock").extend(fresh);
        self.keep_copy();
    }

    async fn write(&self, segment: &Segment, text: &str) -> Result<Value> {
        let name = object_name(&self.name, segment.number);
        let result = match &segment.object {
            Some(object) => {
                let mut object = object.clone();
                object["data"]["entries"] = json!(text);
                self.kube.replace(&CONFIG_MAP, &object).await
            }
            None => {
                let object = json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": { "name": name, "labels": { LABEL: self.name, JOURNAL: self.name } },
                    "data": { "entries": text },
                });
                self.kube.create(&CONFIG_MAP, &object).await
            }
        };
        let Err(error) = result else { return result };
        // A write whose answer was lost may have been made: it counts when the text is there.
        match self.kube.get(&CONFIG_MAP, &name).await {
            Ok(Some(now)) if now["data"]["entries"].as_str() == Some(text) => Ok(now),
            _ => Err(error).with_context(|| format!("write the journal to configmap {name}")),
        }
    }

    /// What stands in the way of a write may be an earlier one of this very run, of which it never learned (the API server
    /// was away). What it brought is taken in; returned is what is still to be written.
    async fn adopt(&self, segment: &mut Segment, whats: Vec<What>, error: Error) -> Result<Vec<What>> {
        let name = object_name(&self.name, segment.number);
        let found = self.kube.get(&CONFIG_MAP, &name).await.context("read the journal")?.unwrap_or_default();
        let text = found["data"]["entries"].as_str().unwrap_or_default().to_string();
        let lines = text.strip_prefix(&segment.text).unwrap_or_default().lines();
        let added: Vec<Entry> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        if added.is_empty() || added.iter().any(|entry| entry.by != self.by) {
            let what = format!("configmap {name} (the journal) was written by somebody else meanwhile");
            let hint = format!("kubectl pgmigrate status {}", self.name);
            return Err(Error::new(ErrorKind::Locked, what).cause(error).hint(hint));
        }
        let value = |what: &What| serde_json::to_value(what).unwrap_or_default();
        let known = whats.iter().zip(&added).take_while(|(what, entry)| value(what) == value(&entry.what)).count();
        self.written(segment, found, text, added);
        Ok(whats.into_iter().skip(known).collect())
    }

    /// A copy for reading offline, when the cluster can't be reached; never read back by the tool to act on.
    fn keep_copy(&self) {
        let Some(home) = std::env::var_os("HOME") else { return };
        let folder = std::path::Path::new(&home).join(".local/state/pgmigrate");
        let file = folder.join(format!("{}.{}.jsonl", self.kube.namespace(), self.name));
        let entries = self.entries.lock().expect("entries lock");
        let text: String = entries.iter().filter_map(|e| serde_json::to_string(e).ok()).map(|l| l + "\n").collect();
        if std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, text)).is_err() {
            tracing::warn!("could not keep a copy of the journal at {}", file.display());
        }
    }

    /// Removes the journal's ConfigMaps: the end of a finished or fully undone migration.
    pub async fn remove(&self) -> Result<()> {
        let number = self.segment.lock().await.number;
        for n in 0..=number {
            self.kube.delete(&CONFIG_MAP, &object_name(&self.name, n)).await?;
        }
        Ok(())
    }
}

fn object_name(name: &str, number: usize) -> String {
    if number == 0 { format!("pgmigrate-{name}") } else { format!("pgmigrate-{name}-{number}") }
}

fn number(name: &str, object: &str) -> Option<usize> {
    let rest = object.strip_prefix("pgmigrate-")?.strip_prefix(name)?;
    if rest.is_empty() { Some(0) } else { rest.strip_prefix('-')?.parse().ok() }
}

fn user() -> String {
    // SAFETY: geteuid has no arguments and can't fail.
    std::env::var("USER").unwrap_or_else(|_| format!("uid{}", unsafe { libc::geteuid() }))
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|h| h.trim().to_string())
        .unwrap_or_else(|_| "unknown".into())
}
