//! The kubelet's loop: one task for every pod whose images are the lab's; it runs, reports, stops and removes it.
mod life;
mod status;

use super::{
    image,
    object::{array, leaving, name, namespace, text, told},
    pod::{self, FINALIZER},
    watch,
};
use crate::lab::{api::store::Store, node::Node};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub async fn run(store: Store, node: Node) {
    let mut changes = store.changes();
    // uid -> what tells the pod's task to stop
    let mut known: BTreeMap<String, CancellationToken> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let mut present = BTreeSet::new();
        for pod in store.list("pods", None).into_iter().filter(|pod| image::all_known(pod)) {
            let uid = text(&pod["metadata"]["uid"]).to_owned();
            present.insert(uid.clone());
            match (known.get(&uid), leaving(&pod)) {
                (Some(stop), true) => stop.cancel(),
                (Some(_), false) => {}
                (None, true) => pod::release(&store, &pod),
                (None, false) => {
                    let stop = CancellationToken::new();
                    known.insert(uid, stop.clone());
                    hold_on(&store, &pod);
                    tasks.spawn(life::live(store.clone(), node.clone(), pod, stop));
                }
            }
        }
        // Removed without a grace period: nobody is left to report to, but there are processes to end.
        known.extract_if(.., |uid, _| !present.contains(uid)).for_each(|(_, stop)| stop.cancel());
        while tasks.try_join_next().is_some() {}
        if !watch::news(&mut changes, &["pods"]).await {
            return;
        }
    }
}

/// Pods that a user made have no finalizer of ours yet.
fn hold_on(store: &Store, pod: &Value) {
    if array(&pod["metadata"]["finalizers"]).iter().any(|finalizer| finalizer == FINALIZER) {
        return;
    }
    let written =
        store.update("pods", namespace(pod), name(pod), |pod| match pod["metadata"]["finalizers"].as_array_mut() {
            Some(all) => all.push(FINALIZER.into()),
            None => pod["metadata"]["finalizers"] = json!([FINALIZER]),
        });
    told("pods", pod, written);
}
