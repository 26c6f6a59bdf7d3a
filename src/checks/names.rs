//! Names that are taken.

use super::*;
use serde_json::Value;

pub const CHECKS: &[Check] = &[check(
    "target-name",
    "the target's name is free",
    "an existing Cluster, pod, Service or volume of that name would be mixed up with the target's",
    target,
)];

fn target(looks: &Looks) -> Judged<'_> {
    let (name, namespace) = (&looks.migration.target.cluster, looks.namespace());
    match &looks.facts()?.target {
        Some(target) if target.migration.as_deref() == Some(&looks.migration.name) => {
            return Ok(pass(format!("cluster {name} is this migration's: {}", target.phase)));
        }
        Some(target) => {
            let owner =
                target.migration.as_deref().map_or("not made by this tool".into(), |m| format!("of migration {m}"));
            return Ok(fail(
                format!("cluster {name} exists, {owner}"),
                format!("kubectl get cluster -n {namespace} {name}; then name another one in spec.target.cnpg.cluster"),
            ));
        }
        None => {}
    }
    let has = |objects: &[Value], wanted: &str| objects.iter().any(|o| o["metadata"]["name"] == wanted);
    let first = format!("{name}-1");
    let mut taken = Vec::new();
    if has(looks.pods.as_ref()?, &first) {
        taken.push(format!("pod/{first}"));
    }
    for service in ["rw", "ro", "r"].map(|suffix| format!("{name}-{suffix}")) {
        if has(looks.services.as_ref()?, &service) {
            taken.push(format!("service/{service}"));
        }
    }
    Ok(match taken.as_slice() {
        [] => pass(format!("nothing is named {name}")),
        taken => fail(
            format!("{} exist", taken.join(", ")),
            format!(
                "kubectl get -n {namespace} {} -o yaml; then name another one in spec.target.cnpg.cluster",
                taken.join(" ")
            ),
        ),
    })
}
