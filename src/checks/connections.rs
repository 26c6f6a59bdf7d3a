//! The Secrets and ConfigMaps under spec.connections exist, with the keys that are to change.

use super::{Check, Finding};
use crate::{
    kube::kind::{CONFIG_MAP, SECRET},
    spec::ConnectionObject,
    step::World,
};

const CHECK: Check = Check {
    id: "connections",
    title: "every connection of the file exists",
    why: "a key that is not there is not read by the app: it would stay on the source",
};

pub async fn check(world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    for connection in &world.migration.connections {
        let (kind, name) = match &connection.object {
            ConnectionObject::Secret(name) => (&SECRET, name),
            ConnectionObject::ConfigMap(name) => (&CONFIG_MAP, name),
        };
        let object = format!("{}/{name}", kind.kind.to_lowercase());
        let look = format!("kubectl get -n {} {object} -o yaml", world.kube.namespace());
        findings.push(match world.kube.get(kind, name).await {
            Err(error) => CHECK.because(&error),
            Ok(None) => CHECK.fail(format!("{object} is not there"), look),
            Ok(Some(found)) => {
                let missing: Vec<&str> = connection
                    .set
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .filter(|key| found["data"][*key].is_null())
                    .collect();
                match missing.as_slice() {
                    [] => CHECK.pass(format!(
                        "{object}: {}",
                        connection.set.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>().join(", ")
                    )),
                    missing => CHECK.fail(format!("{object} has no key {}", missing.join(", ")), look),
                }
            }
        });
    }
    findings
}
