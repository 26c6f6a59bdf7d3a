//! The lab's objects go the ways that the real cluster's were recorded to go (tests/fixtures/recordings).
use super::{
    Bench, NAMESPACE,
    course::{RESOURCES, Recording, course},
};
use pgmigrate::lab::api::store::{Change, Store};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

#[derive(Default)]
pub struct Recorded(Arc<Mutex<Recording>>);

impl Recorded {
    /// From now on, as long as the lab lives.
    pub fn begin(&self, store: &Store) {
        let changes = store.changes();
        for (resource, object) in store.everything() {
            self.0.lock().expect("lock").note_ours(&resource, &object, false);
        }
        tokio::spawn(follow(changes, self.0.clone()));
    }
}

async fn follow(mut changes: Receiver<Change>, recording: Arc<Mutex<Recording>>) {
    loop {
        match changes.recv().await {
            Ok(change) => {
                let gone = change.kind == "DELETED";
                recording.lock().expect("lock").note_ours(&change.resource, &change.object, gone);
            }
            Err(RecvError::Closed) => return,
            // What was missed shows as a way that differs.
            Err(RecvError::Lagged(missed)) => eprintln!("the recorder missed {missed} changes"),
        }
    }
}

impl Recording {
    fn note_ours(&mut self, resource: &str, object: &serde_json::Value, gone: bool) {
        if RESOURCES.contains(&resource) && object["metadata"]["namespace"] == NAMESPACE {
            self.note(resource, object, gone);
        }
    }
}

impl Bench {
    /// Up to here everything went as in the recording of the scenario of this name.
    #[track_caller]
    pub fn as_recorded(&self) {
        let name = std::thread::current().name().expect("a test").replace("::", ".");
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/recordings/{name}.jsonl"));
        let recorded = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let seen = self.recorded.0.lock().expect("lock").text();
        let (recorded, here) = (course(&recorded), course(&seen));
        let mut differ = String::new();
        let all: BTreeSet<&String> = recorded.keys().chain(here.keys()).collect();
        for way in all {
            // Told again, or for a moment, as an operator's loops happen to fall: of these what is told is compared.
            let loose = [": phase_reason", ": has a system id"].iter().any(|field| way.ends_with(field));
            let same = match loose {
                true => told(here.get(way)).is_subset(&told(recorded.get(way))),
                false => recorded.get(way) == here.get(way),
            };
            if !same {
                differ += &format!("{way}\n  recorded: {:?}\n  here:     {:?}\n", recorded.get(way), here.get(way));
            }
        }
        assert!(differ.is_empty(), "{differ}");
    }
}

fn told(ways: Option<&BTreeSet<String>>) -> BTreeSet<&str> {
    ways.into_iter().flatten().flat_map(|way| way.split(" > ")).collect()
}
