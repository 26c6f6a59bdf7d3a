//! The lab's node and workloads, by real runs: no operators, no PostgreSQL.
mod forward;

use futures::AsyncBufReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::{AttachParams, LogParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use pgmigrate::lab::{
    node::is_ready,
    world::{Lab, Options},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(20);

async fn lab() -> Lab {
    let lab = Lab::start(Options { operators: false, ..Options::default() }).await.expect("the lab starts");
    lab.namespace("shop").expect("a namespace");
    lab
}

async fn client(lab: &Lab) -> Client {
    let file = Kubeconfig::read_from(lab.kubeconfig_path()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration");
    Client::try_from(config).expect("a client")
}

fn deployment(name: &str, replicas: u32, container: Value) -> Value {
    let labels = json!({"app": name});
    let spec = json!({"containers": [container], "terminationGracePeriodSeconds": 2});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": spec}},
    })
}

fn pods(lab: &Lab, app: &str) -> Vec<Arc<Value>> {
    lab.store.list_labelled("pods", "shop", &[("app", app)])
}

fn ready(lab: &Lab, app: &str) -> usize {
    pods(lab, app).iter().filter(|pod| is_ready(pod)).count()
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

async fn settle(lab: &Lab, what: &str, probe: impl Fn() -> bool) {
    lab.until(what, LONG, |_| probe()).await.unwrap_or_else(|error| {
        let pods = lab.store.list("pods", None);
        panic!("{error}\n{}", pods.iter().map(|pod| format!("{pod:#}\n")).collect::<String>())
    });
}

fn scale(lab: &Lab, name: &str, replicas: u32) {
    lab.store.update("deployments.apps", "shop", name, |d| d["spec"]["replicas"] = replicas.into()).expect("scaled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_scales_rolls_over_and_stops() {
    let lab = lab().await;
    lab.put("deployments.apps", deployment("web", 3, json!({"name": "web", "image": "lab/idle"}))).unwrap();
    settle(&lab, "three pods are ready", || ready(&lab, "web") == 3).await;
    let status = |key: &str| lab.store.get("deployments.apps", "shop", "web").unwrap()["status"][key].clone();
    settle(&lab, "the status says so", || status("readyReplicas") == 3 && status("updatedReplicas") == 3).await;

    let before: Vec<String> = pods(&lab, "web").iter().map(|pod| name(pod)).collect();
    let restart = |d: &mut Value| {
        d["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "now"});
    };
    lab.store.update("deployments.apps", "shop", "web", restart).unwrap();
    settle(&lab, "all pods are new", || {
        let now = pods(&lab, "web");
        now.len() == 3 && ready(&lab, "web") == 3 && now.iter().all(|pod| !before.contains(&name(pod)))
    })
    .await;

    scale(&lab, "web", 0);
    settle(&lab, "no pod is left", || pods(&lab, "web").is_empty()).await;
    settle(&lab, "zero is left out of the status", || status("replicas").is_null()).await;
    lab.stop().await;
    assert!(!lab.dir().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_will_not_stop_stays_for_its_grace_period() {
    let lab = lab().await;
    lab.put("deployments.apps", deployment("stuck", 1, json!({"name": "a", "image": "lab/stuck"}))).unwrap();
    settle(&lab, "ready", || ready(&lab, "stuck") == 1).await;
    let begin = std::time::Instant::now();
    scale(&lab, "stuck", 0);
    settle(&lab, "it is leaving", || pods(&lab, "stuck")[0]["metadata"]["deletionTimestamp"].is_string()).await;
    let status = || lab.store.get("deployments.apps", "shop", "stuck").unwrap()["status"]["replicas"].clone();
    settle(&lab, "not counted any more", || status().is_null()).await;
    assert!(!pods(&lab, "stuck").is_empty(), "the pod is still there while the status says 0");
    settle(&lab, "gone", || pods(&lab, "stuck").is_empty()).await;
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_read_when_a_pod_starts() {
    let lab = lab().await;
    let env = json!([{"name": "WHO", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "who"}}}]);
    let container = json!({"name": "a", "image": "lab/idle", "env": env});
    lab.put("deployments.apps", deployment("env", 1, container)).unwrap();
    let reason = || pods(&lab, "env")[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    settle(&lab, "a pod", || !pods(&lab, "env").is_empty()).await;
    settle(&lab, "it waits for the ConfigMap", || reason() == "CreateContainerConfigError").await;
    let words = json!({"metadata": {"name": "words", "namespace": "shop"}, "data": {"who": "world"}});
    lab.put("configmaps", words).unwrap();
    settle(&lab, "ready", || ready(&lab, "env") == 1).await;
    let sandbox = lab.node.sandbox("shop", &name(&pods(&lab, "env")[0])).expect("a sandbox");
    assert_eq!(sandbox.env.get("WHO").map(String::as_str), Some("world"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_its_command_and_a_failing_one_gives_up() {
    let lab = lab().await;
    let job = |name: &str, script: &str| {
        let run = json!({"name": "run", "image": "lab/command", "command": ["sh", "-c", script]});
        let template =
            json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [run], "restartPolicy": "Never"}});
        json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"backoffLimit": 0, "template": template}})
    };
    lab.put("jobs.batch", job("good", "echo done")).unwrap();
    lab.put("jobs.batch", job("bad", "exit 3")).unwrap();
    let has = |name: &str, kind: &str| {
        let job = lab.store.get("jobs.batch", "shop", name).unwrap_or_default();
        job["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(|c| c["type"] == kind))
    };
    settle(&lab, "both ended", || has("good", "Complete") && has("bad", "Failed")).await;
    let pod = pods(&lab, "bad")[0].clone();
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_log_and_port_forward_reach_the_sandbox() {
    let lab = lab().await;
    let script = "echo hello; echo err >&2; while true; do sleep 0.2; echo tick; done";
    let container = json!({"name": "a", "image": "lab/command", "command": ["sh", "-c", script]});
    lab.put("deployments.apps", deployment("talk", 1, container)).unwrap();
    settle(&lab, "ready", || ready(&lab, "talk") == 1).await;
    let pod = name(&pods(&lab, "talk")[0]);
    let api: Api<Pod> = Api::namespaced(client(&lab).await, "shop");
    exec(&api, &pod).await;
    log(&api, &pod).await;
    forward(&lab, &api, &pod).await;
    kubectl(&lab, &pod).await;
    lab.stop().await;
}

/// Stock kubectl, where there is one.
async fn kubectl(lab: &Lab, pod: &str) {
    let run = async |args: &[&str]| {
        let mut command = tokio::process::Command::new("kubectl");
        command.args(["--kubeconfig", &lab.kubeconfig_path().to_string_lossy(), "-n", "shop"]).args(args);
        tokio::time::timeout(LONG, command.kill_on_drop(true).output()).await.expect("kubectl comes to an end")
    };
    let Ok(output) = run(&["exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 5"]).await else { return };
    assert_eq!((output.status.code(), &*output.stdout), (Some(5), &b"out\n"[..]), "{output:?}");
    let output = run(&["logs", "--tail", "1", pod]).await.expect("kubectl");
    assert!(output.stdout == b"tick\n" || output.stdout == b"hello\n" || output.stdout == b"err\n", "{output:?}");
    let output = run(&["rollout", "status", "deployment/talk"]).await.expect("kubectl");
    assert!(output.status.success(), "{output:?}");
    let output = run(&["get", "pods", "-o", "name"]).await.expect("kubectl");
    assert_eq!(output.stdout, format!("pod/{pod}\n").as_bytes(), "{output:?}");
}

async fn exec(api: &Api<Pod>, pod: &str) {
    let params = AttachParams::default().stdin(true).stderr(true);
    let mut process = api.exec(pod, ["sh", "-c", "cat; pwd >&2; exit 7"], &params).await.expect("exec");
    let status = process.take_status().expect("a status");
    let (mut stdin, mut stdout) = (process.stdin().expect("stdin"), process.stdout().expect("stdout"));
    let mut stderr = process.stderr().expect("stderr");
    stdin.write_all("grüße".as_bytes()).await.expect("written");
    // Dropping it would not do: the halves of kube's stream share one buffer.
    stdin.shutdown().await.expect("closed");
    let (mut out, mut err) = (String::new(), String::new());
    let (read, other, status) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err), status);
    read.and(other).expect("read");
    assert_eq!(out, "grüße");
    assert!(err.trim_end().ends_with(pod), "{err}");
    let status = status.expect("a status");
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    assert_eq!(causes[0].message.as_deref(), Some("7"));
}

async fn log(api: &Api<Pod>, pod: &str) {
    let whole = api.logs(pod, &LogParams::default()).await.expect("a log");
    assert!(whole.starts_with("hello\nerr\n") || whole.starts_with("err\nhello\n"), "{whole}");
    let params = LogParams { follow: true, tail_lines: Some(1), ..LogParams::default() };
    let mut lines = Box::pin(api.log_stream(pod, &params).await.expect("a stream")).lines();
    let mut ticks = 0;
    while ticks < 3 {
        let line = futures::StreamExt::next(&mut lines).await.expect("a line").expect("read");
        ticks += u32::from(line == "tick");
    }
    let params = LogParams { previous: true, ..LogParams::default() };
    let Err(kube::Error::Api(refusal)) = api.logs(pod, &params).await else { panic!("no log of a previous container") };
    assert_eq!(refusal.code, 400);
}

async fn forward(lab: &Lab, api: &Api<Pod>, pod: &str) {
    let ip = lab.node.sandbox("shop", pod).expect("a sandbox").ip;
    let server = tokio::net::TcpListener::bind((ip, 7007)).await.expect("a listener");
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.expect("a connection");
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let mut forward = api.portforward(pod, &[7007]).await.expect("a port-forward");
    let mut stream = forward.take_stream(7007).expect("a stream");
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let mut back = vec![0; sent.len()];
    let (wrote, got) = tokio::join!(write.write_all(&sent), read.read_exact(&mut back));
    wrote.expect("sent");
    got.expect("received");
    assert!(back == sent, "what came back differs");
    // A cut ends the stream, as a rolled API server does.
    lab.node.cut("shop", pod);
    let rest = tokio::time::timeout(LONG, read.read_to_end(&mut back)).await;
    assert!(rest.is_ok(), "the stream goes on after the cut");
    let mut refused = api.portforward(pod, &[7008]).await.expect("a port-forward");
    let error = refused.take_error(7008).expect("an error channel").await;
    assert!(error.is_some_and(|error| error.contains("refused")), "nobody listens there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leads_to_ready_pods_and_refuses_without_one() {
    let lab = lab().await;
    let spec = json!({"selector": {"app": "tcp"}, "ports": [{"port": 80, "targetPort": 7007}]});
    let service = json!({"metadata": {"name": "tcp", "namespace": "shop"}, "spec": spec});
    lab.put("services", service).unwrap();
    settle(&lab, "the Service has an address", || lab.node.resolve("tcp.shop.svc", "other").is_some()).await;
    let address = (lab.node.resolve("tcp", "shop").expect("an address"), 80);
    let refused = tokio::net::TcpStream::connect(address).await.expect_err("no endpoint yet");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    lab.put("deployments.apps", deployment("tcp", 1, json!({"name": "a", "image": "lab/idle"}))).unwrap();
    settle(&lab, "ready", || ready(&lab, "tcp") == 1).await;
    let pod = name(&pods(&lab, "tcp")[0]);
    let ip = lab.node.sandbox("shop", &pod).expect("a sandbox").ip;
    let server = tokio::net::TcpListener::bind((ip, 7007)).await.expect("a listener");
    settle(&lab, "the Endpoints object names the pod", || {
        let endpoints = lab.store.get("endpoints", "shop", "tcp").unwrap_or_default();
        endpoints["subsets"][0]["addresses"][0]["ip"] == ip.to_string()
    })
    .await;
    let connect = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (_, accepted) = tokio::join!(tokio::time::timeout(LONG, connect), tokio::time::timeout(LONG, server.accept()));
    accepted.expect("a connection in time").expect("a connection");
    scale(&lab, "tcp", 0);
    settle(&lab, "no endpoint is left", || {
        lab.store.get("endpoints", "shop", "tcp").unwrap_or_default()["subsets"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
    lab.stop().await;
}
