//! One pod, from its start to its removal.
use super::status::{Report, State};
use crate::lab::{
    api::store::Store,
    node::{Node, Sandbox},
    workloads::{
        environment::{self, Variables},
        image::{self, Container},
        object::{array, name, namespace, text},
        pod,
    },
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Longest wait before a container that ended is started again. A real cluster goes up to five minutes.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

pub async fn live(store: Store, node: Node, pod: Arc<Value>, stop: CancellationToken) {
    let ip = node.allocate_ip();
    let report = Report::new(store.clone(), pod.clone(), ip);
    let sandbox = Sandbox {
        ip,
        dir: node.pod_dir(namespace(&pod), name(&pod)),
        env: BTreeMap::new(),
        logs: BTreeMap::new(),
        user: node.postgres_user(),
    };
    tokio::select! {
        variables = variables(&store, &pod, &report) => run(&node, &pod, sandbox, variables, &report, &stop).await,
        () = stop.cancelled() => {}
    }
    // Pods that ended by themselves stay, with their logs, until somebody removes them.
    stop.cancelled().await;
    node.detach(namespace(&pod), name(&pod));
    pod::release(&store, &pod);
}

/// Every container's environment; waits until what it refers to is there.
async fn variables(store: &Store, pod: &Value, report: &Report) -> Vec<Variables> {
    loop {
        let mut all = vec![];
        for (index, container) in array(&pod["spec"]["containers"]).iter().enumerate() {
            match environment::resolve(store, pod, container, &report.ip.to_string()) {
                Ok(variables) => all.push(variables),
                Err(message) => {
                    report.set(index, State::Waiting("CreateContainerConfigError", message));
                    break;
                }
            }
        }
        if all.len() == array(&pod["spec"]["containers"]).len() {
            return all;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn run(
    node: &Node,
    pod: &Arc<Value>,
    mut sandbox: Sandbox,
    variables: Vec<Variables>,
    report: &Report,
    stop: &CancellationToken,
) {
    let containers = array(&pod["spec"]["containers"]);
    for container in containers {
        let log = sandbox.dir.join(format!("{}.log", text(&container["name"])));
        // Another pod of the same name (a StatefulSet's) may have left one.
        let _ = std::fs::write(&log, "");
        sandbox.logs.insert(text(&container["name"]).to_owned(), log);
    }
    let paths = crate::lab::servers::installs().into_iter().map(|install| install.bin.display().to_string());
    let path: Vec<String> = paths.take(1).chain(["/usr/local/bin:/usr/bin:/bin".to_owned()]).collect();
    sandbox.env.insert("PATH".into(), path.join(":"));
    sandbox.env.insert("HOME".into(), sandbox.dir.display().to_string());
    sandbox.env.extend(variables.first().cloned().unwrap_or_default());
    node.attach(namespace(pod), name(pod), sandbox.clone());
    let mut tasks = JoinSet::new();
    for (index, (container, variables)) in containers.iter().zip(variables).enumerate() {
        let (node, pod, container) = (node.clone(), pod.clone(), container.clone());
        let (sandbox, report, stop) = (sandbox.clone(), report.clone(), stop.clone());
        tasks.spawn(async move {
            let make = |ready| make(&node, &pod, &container, &variables, &sandbox, ready, &stop);
            supervise(text(&pod["spec"]["restartPolicy"]), index, make, &report, &stop).await;
        });
    }
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(report.grace_period()).await;
    };
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        // Dropping a container's future kills its processes.
        () = too_late => tasks.shutdown().await,
    }
}

fn make(
    node: &Node,
    pod: &Value,
    container: &Value,
    variables: &Variables,
    sandbox: &Sandbox,
    ready: watch::Sender<bool>,
    stop: &CancellationToken,
) -> Container {
    let strings = |key: &str| {
        let words = array(&container[key]).iter().map(|word| environment::expand(text(word), variables));
        words.collect::<Vec<_>>()
    };
    Container {
        node: node.clone(),
        namespace: namespace(pod).to_owned(),
        pod: name(pod).to_owned(),
        image: image::of(pod, container).to_owned(),
        argv: [strings("command"), strings("args")].concat(),
        variables: variables.clone(),
        sandbox: sandbox.clone(),
        log: sandbox.logs.get(text(&container["name"])).cloned().unwrap_or_default(),
        ready,
        stop: stop.clone(),
    }
}

/// Runs a container again and again, as the pod's restartPolicy says.
async fn supervise(
    policy: &str,
    index: usize,
    make: impl Fn(watch::Sender<bool>) -> Container,
    report: &Report,
    stop: &CancellationToken,
) {
    let mut back_off = Duration::from_secs(1);
    loop {
        let started = report.start(index);
        let (ready, mut seen) = watch::channel(false);
        let run = image::run(make(ready));
        tokio::pin!(run);
        let code = loop {
            tokio::select! {
                code = &mut run => break code,
                Ok(()) = seen.changed() => report.ready(index, *seen.borrow_and_update()),
            }
        };
        report.set(index, State::Terminated { code, started });
        let again = policy == "Always" || (policy == "OnFailure" && code != 0);
        if stop.is_cancelled() || !again {
            return;
        }
        let message = format!("back-off {}s restarting failed container", back_off.as_secs());
        report.set(index, State::Waiting("CrashLoopBackOff", message));
        tokio::select! {
            () = tokio::time::sleep(back_off) => {}
            () = stop.cancelled() => return,
        }
        back_off = (back_off * 2).min(LONGEST_BACK_OFF);
    }
}
