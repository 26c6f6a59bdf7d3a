//! Pod Security: whether the level that the namespace enforces lets those pods start that a migration starts anew: the
//! apps', the source's on the way back, and the target's, which CloudNativePG makes as `restricted` wants them.
//! (Kubernetes docs, "Pod Security Standards"; pods of before the label go on running, so that nobody notices.)

use super::*;
use crate::facts::{list, text};
use serde_json::Value;

pub(super) const LABEL: &str = "pod-security.kubernetes.io/enforce";

pub(super) fn pods(looks: &Looks) -> Judged<'_> {
    let labels = looks.ground.labels.as_ref()?;
    let level = labels.get(LABEL).map_or("", String::as_str);
    if !matches!(level, "baseline" | "restricted") {
        let level = if level.is_empty() { "none" } else { level };
        return Ok(pass(format!("level enforced: {level}")));
    }
    let mut refused = Vec::new();
    let mut judge = |who: String, pod: &Value| {
        let broken = broken(pod, level == "restricted");
        if !broken.is_empty() {
            refused.push(format!("{who} ({})", broken.join(", ")));
        }
    };
    let workloads = looks.workloads.as_ref()?;
    for app in &looks.migration.apps {
        if let Some(object) = workloads.get(&app.workload) {
            let job = &object["spec"]["jobTemplate"];
            let template = if job.is_null() { object } else { job };
            judge(app.workload.to_string(), &template["spec"]["template"]["spec"]);
        }
    }
    let members = &looks.source()?.members;
    for pod in looks.pods.as_ref()?.iter().filter(|pod| members.iter().any(|m| m.pod == text(pod, "/metadata/name"))) {
        judge(format!("the source's pod {}", text(pod, "/metadata/name")), &pod["spec"]);
    }
    if text(looks.template("/spec/seccompProfile"), "/type") == "Unconfined" {
        refused.push("the target (spec.seccompProfile: Unconfined, of the template)".into());
    }
    let relax = format!("kubectl label namespace {} {LABEL}=privileged --overwrite", looks.namespace());
    Ok(match refused.as_slice() {
        [] => pass(format!("level enforced: {level}; apps, source and target keep to it")),
        refused => fail(
            format!("level {level} would refuse {}", refused.join("; ")),
            format!("correct their securityContext; or until the migration is over: {relax}"),
        ),
    })
}

/// What a pod's spec breaks of `baseline`, and of `restricted`.
fn broken(pod: &Value, restricted: bool) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut rule = |broken: bool, name: &'static str| {
        if broken && !found.contains(&name) {
            found.push(name);
        }
    };
    let is = |value: &Value| value == true;
    rule(is(&pod["hostNetwork"]) || is(&pod["hostPID"]) || is(&pod["hostIPC"]), "host namespaces");
    rule(list(pod, "/volumes").iter().any(|v| !v["hostPath"].is_null()), "hostPath volumes");
    let whole = &pod["securityContext"];
    for container in ["/initContainers", "/containers", "/ephemeralContainers"].iter().flat_map(|at| list(pod, at)) {
        let own = &container["securityContext"];
        let either = |key: &str| if own[key].is_null() { &whole[key] } else { &own[key] };
        rule(is(&own["privileged"]), "privileged");
        rule(list(container, "/ports").iter().any(|port| port["hostPort"].as_u64().unwrap_or(0) > 0), "hostPort");
        let added = list(own, "/capabilities/add");
        rule(added.iter().any(|name| !BASELINE.iter().any(|known| name == known)), "capabilities");
        let seccomp = text(either("seccompProfile"), "/type");
        rule(seccomp == "Unconfined", "seccompProfile");
        if restricted {
            rule(own["allowPrivilegeEscalation"] != false, "allowPrivilegeEscalation");
            rule(!is(either("runAsNonRoot")), "runAsNonRoot");
            rule(either("runAsUser") == 0, "runAsUser");
            rule(!matches!(seccomp, "RuntimeDefault" | "Localhost"), "seccompProfile");
            let all_dropped = list(own, "/capabilities/drop").iter().any(|name| name == "ALL");
            rule(!all_dropped || added.iter().any(|name| name != "NET_BIND_SERVICE"), "capabilities");
        }
    }
    found
}

/// What a container may add at level `baseline`.
const BASELINE: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

#[cfg(test)]
mod levels {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_each_level_refuses() {
        let pod = |own: Value| json!({"containers": [{"name": "a", "securityContext": own}]});
        let plain = pod(json!({}));
        assert!(broken(&plain, false).is_empty());
        assert_eq!(
            broken(&plain, true),
            ["allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile", "capabilities"]
        );
        let sound = json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}});
        assert!(broken(&pod(sound.clone()), true).is_empty());
        let mut root = sound.clone();
        root["runAsUser"] = json!(0);
        assert_eq!(broken(&pod(root), true), ["runAsUser"]);
        assert_eq!(broken(&pod(json!({"privileged": true})), false), ["privileged"]);
        assert_eq!(broken(&pod(json!({"capabilities": {"add": ["SYS_ADMIN"]}})), false), ["capabilities"]);
        assert!(broken(&pod(json!({"capabilities": {"add": ["CHOWN"]}})), false).is_empty());
        let host = json!({"hostNetwork": true, "volumes": [{"hostPath": {"path": "/"}}], "containers":
            [{"ports": [{"hostPort": 5432}]}]});
        assert_eq!(broken(&host, false), ["host namespaces", "hostPath volumes", "hostPort"]);
        // The pod speaks for its containers.
        let whole = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        let own = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let pod = json!({"securityContext": whole, "initContainers": [{"securityContext": own}], "containers": [{"securityContext": own}]});
        assert!(broken(&pod, true).is_empty());
    }
}
