//! Writes down what the objects of a scenario's namespace go through, into the folder that `PGMIGRATE_E2E_RECORD` names.
use super::{
    Bench,
    course::{RESOURCES, Recording},
};
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
};

pub struct Recorder {
    recording: Arc<Mutex<Recording>>,
    file: PathBuf,
    /// Ended with it, their kubectls too.
    _watches: JoinSet<()>,
}

impl Recorder {
    /// From now on. None: nobody asked for it.
    pub fn of(bench: &Bench) -> Option<Recorder> {
        let folder = PathBuf::from(std::env::var_os("PGMIGRATE_E2E_RECORD")?);
        let recording = Arc::new(Mutex::new(Recording::default()));
        let mut watches = JoinSet::new();
        for resource in RESOURCES {
            let path = format!("{}?watch=true", path(resource, &bench.namespace));
            let (home, recording) = (bench.kubeconfig(), recording.clone());
            watches.spawn(async move {
                // An API server that restarts ends a watch; the next one begins with what is there.
                loop {
                    let mut kubectl = tokio::process::Command::new("kubectl");
                    kubectl.arg("--kubeconfig").arg(&home).args(["get", "--raw", &path]);
                    kubectl.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).kill_on_drop(true);
                    let mut kubectl = kubectl.spawn().expect("kubectl");
                    let mut lines = BufReader::new(kubectl.stdout.take().expect("piped")).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let Ok(event) = serde_json::from_str::<Value>(&line) else { break };
                        recording.lock().expect("lock").note(resource, &event["object"], event["type"] == "DELETED");
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        let file = folder.join(format!("{}.jsonl", bench.scenario.replace("::", ".")));
        Some(Recorder { recording, file, _watches: watches })
    }

    pub fn write(self) {
        let text = self.recording.lock().expect("lock").text();
        std::fs::write(&self.file, text).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
    }
}

fn path(resource: &str, namespace: &str) -> String {
    match resource.split_once('.') {
        None => format!("/api/v1/namespaces/{namespace}/{resource}"),
        Some((name, group)) => format!("/apis/{group}/v1/namespaces/{namespace}/{name}"),
    }
}
