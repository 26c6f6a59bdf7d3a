//! Scripted faults strike where and as often as they are told to.
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use pgmigrate::lab::{
    faults::{Moment, Runner, on},
    world::{Lab, Options},
};
use serde_json::json;
use std::{os::unix::process::ExitStatusExt, time::Duration};

async fn lab() -> (Lab, Api<ConfigMap>) {
    let lab = Lab::start(Options { operators: false, ..Options::default() }).await.expect("the lab starts");
    let file = Kubeconfig::read_from(lab.kubeconfig_path()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration");
    let api = Api::namespaced(Client::try_from(config).expect("a client"), "default");
    (lab, api)
}

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"step": "none"}})).expect("a ConfigMap")
}

fn patch(step: &str) -> Patch<serde_json::Value> {
    Patch::Merge(json!({"data": {"step": step}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_lie_about_what_was_done() {
    let (lab, api) = lab().await;
    api.create(&PostParams::default(), &map("a")).await.expect("created");
    let fired = lab.faults.answer(Moment::After, on("patch", "configmaps", "a"), 500, 1);
    let retried = lab.faults.answer(Moment::Before, on("patch", "configmaps", "a"), 504, 1);
    let answer = async |step: &str| match api.patch("a", &PatchParams::default(), &patch(step)).await {
        Err(kube::Error::Api(status)) => status.code,
        other => other.map(|_| 200).expect("an answer"),
    };
    // kube itself tries again after 429, 503 and 504.
    assert_eq!(answer("first").await, 500);
    assert_eq!(retried.load(std::sync::atomic::Ordering::SeqCst), 1);
    let there = api.get("a").await.expect("read").data.expect("data");
    assert_eq!((there["step"].as_str(), fired.load(std::sync::atomic::Ordering::SeqCst)), ("first", 1));
    assert_eq!(answer("second").await, 200);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_is_lost_before_or_after_its_write() {
    let (lab, api) = lab().await;
    api.create(&PostParams::default(), &map("pgmigrate-shop")).await.expect("created");
    for (moment, expected) in [(Moment::Before, "none"), (Moment::After, "promote")] {
        let mut victim =
            tokio::process::Command::new("sleep").arg("100").kill_on_drop(true).spawn().expect("a process");
        let runner = Runner::default();
        runner.is(victim.id().expect("an id"));
        let journal = on("patch", "configmaps", "pgmigrate-shop");
        let promotes = move |request: &pgmigrate::lab::api::request::RequestInfo| {
            journal(request) && request.body.as_ref().is_some_and(|body| body["data"]["step"] == "promote")
        };
        let fired = lab.faults.kill_runner(&runner, moment, Box::new(promotes));
        assert!(api.patch("pgmigrate-shop", &PatchParams::default(), &patch("promote")).await.is_err(), "no answer");
        assert_eq!(victim.wait().await.expect("waited for").signal(), Some(9));
        assert_eq!(fired.load(std::sync::atomic::Ordering::SeqCst), 1);
        let there = api.get("pgmigrate-shop").await.expect("read").data.expect("data");
        assert_eq!(there["step"], expected, "{moment:?}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slammed_door_breaks_watches() {
    let (lab, api) = lab().await;
    let mut watch = Box::pin(api.watch(&WatchParams::default(), "0").await.expect("a watch"));
    api.create(&PostParams::default(), &map("b")).await.expect("created");
    let first = tokio::time::timeout(Duration::from_secs(5), futures::StreamExt::next(&mut watch)).await;
    assert!(matches!(first, Ok(Some(Ok(WatchEvent::Added(_))))), "{first:?}");
    lab.door.slam();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(Ok(_)) = futures::StreamExt::next(&mut watch).await {}
    });
    ended.await.expect("the watch ends");
    lab.door.set_closed(true);
    assert!(api.get("b").await.is_err());
    lab.door.set_closed(false);
    api.get("b").await.expect("back again");
    lab.stop().await;
}
