//! The apps of the file exist, and no other workload uses the source.

use super::{Check, Finding};
use crate::{facts::Facts, step::World, steps};

const THERE: Check = Check {
    id: "apps-exist",
    title: "every app of the file exists",
    why: "an app that is not found is not stopped before the window",
};
const FORGOTTEN: Check = Check {
    id: "apps-complete",
    title: "every workload that uses the source is in the file",
    why: "one that is left out keeps writing to the source until the fence, and afterwards finds nothing there",
};

pub async fn check(world: &World, facts: &Facts) -> Vec<Finding> {
    let mut missing = Vec::new();
    for app in &world.migration.apps {
        match world.kube.get(steps::workload_kind(&app.workload), &app.workload.name).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(app.workload.to_string()),
            Err(error) => return vec![THERE.because(&error)],
        }
    }
    let namespace = world.kube.namespace();
    let there = match missing.as_slice() {
        [] => THERE.pass(format!("{} apps", world.migration.apps.len())),
        missing => THERE.fail(
            format!("not there: {}", missing.join(", ")),
            format!("kubectl get deployments,statefulsets,cronjobs -n {namespace}"),
        ),
    };
    let known: Vec<String> = world.migration.apps.iter().map(|app| app.workload.to_string()).collect();
    let forgotten: Vec<&str> = facts
        .consumers
        .iter()
        .filter(|c| c.replicas > 0 && !known.contains(&c.workload))
        .map(|c| c.workload.as_str())
        .collect();
    let complete = match forgotten.as_slice() {
        [] => FORGOTTEN.pass(format!("{} workloads lead to it, all in the file", facts.consumers.len())),
        forgotten => FORGOTTEN.fail(
            format!("not under spec.apps: {}", forgotten.join(", ")),
            "add them under spec.apps, or scale them to 0",
        ),
    };
    vec![there, complete]
}
