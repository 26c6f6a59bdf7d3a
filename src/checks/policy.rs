//! What the namespace's rules would do to the target's pods, volumes and connections.

use super::*;
use crate::facts::list;
use serde_json::{Value, json};

pub const CHECKS: &[Check] = &[
    check(
        "resource-quota",
        "the quota has room for the target",
        "pods or volumes over a ResourceQuota are refused: the target waits in its creation, with an event nobody sees",
        quota,
    )
    .at(Moment::BeforePrepare),
    check(
        "limit-range",
        "the LimitRange lets the target be",
        "a volume or a container outside of it is refused, the first one and every restart",
        limits,
    ),
    check(
        "pod-security",
        "the namespace's Pod Security level lets the pods start again",
        "pods of before the label go on running; once stopped for the window, they are refused and never come back",
        security::pods,
    ),
    check(
        "network-policies",
        "network policies let source, target and apps talk",
        "a dropped packet is a timeout: the copy hangs, or the apps do after the switch",
        network,
    ),
];

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn quota(looks: &Looks) -> Judged<'_> {
    let quotas = looks.quotas.as_ref()?;
    let instances = u64::from(looks.migration.target.instances);
    let storage = image::bytes(&capacity::wanted(looks)?).unwrap_or(0) * instances;
    let limited: Vec<&Value> = looks.limits.as_ref()?.iter().flat_map(|range| list(range, "/spec/limits")).collect();
    let mut short = Vec::new();
    for quota in quotas {
        let hard = quota["status"]["hard"].as_object().or(quota["spec"]["hard"].as_object());
        for (what, hard) in hard.into_iter().flatten() {
            let amount = |v: &Value| image::bytes(v.as_str().unwrap_or("0")).unwrap_or(0);
            let left = amount(hard).saturating_sub(amount(&quota["status"]["used"][what]));
            let needed = match what.as_str() {
                "requests.storage" => storage,
                // The job that makes the first instance is a pod too.
                "persistentvolumeclaims" => instances,
                "pods" | "count/pods" => instances + 1,
                _ => match resource(looks, what, &limited) {
                    Some(one) => one * (instances + 1),
                    None => continue,
                },
            };
            if needed > left {
                short.push(format!("{}: {what} has {left} left, {needed} needed", name(quota)));
            }
        }
        short.extend(unset(looks, quota, &limited));
    }
    Ok(match (short.as_slice(), quotas.len()) {
        ([], 0) => pass("there is none"),
        ([], n) => pass(format!("room in {n}")),
        (short, _) => fail(short.join("; "), format!("kubectl describe resourcequota -n {}", looks.namespace())),
    })
}

/// What one pod of the target takes of `requests.cpu` and its like; None for what is no such resource, or not said.
fn resource(looks: &Looks, what: &str, limited: &[&Value]) -> Option<u64> {
    let (kind, unit) = what.split_once('.').unwrap_or(("requests", what));
    if !matches!(kind, "requests" | "limits") || !matches!(unit, "cpu" | "memory") {
        return None;
    }
    let named = looks.template(&format!("/spec/resources/{kind}/{unit}"));
    let default = if kind == "requests" { "defaultRequest" } else { "default" };
    let fallback = limited.iter().map(|l| &l[default][unit]).find(|v| !v.is_null());
    let value = if named.is_null() { fallback? } else { named };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    image::bytes(&text)
}

/// With a quota on CPU or memory, a pod that does not say what it takes is refused.
fn unset(looks: &Looks, quota: &Value, limited: &[&Value]) -> Vec<String> {
    let hard = quota["spec"]["hard"].as_object();
    let asked = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "cpu", "memory"];
    let missing = hard.into_iter().flatten().filter(|(what, _)| asked.contains(&what.as_str()));
    missing
        .filter(|(what, _)| resource(looks, what, limited).is_none())
        .map(|(what, _)| {
            format!("{}: {what} is limited, and the target's template does not say spec.resources", name(quota))
        })
        .collect()
}

fn limits(looks: &Looks) -> Judged<'_> {
    let ranges = looks.limits.as_ref()?;
    let storage = capacity::wanted(looks)?;
    let mut outside = Vec::new();
    for limit in ranges.iter().flat_map(|range| list(range, "/spec/limits")) {
        let claims = [("storage", json!(storage))];
        let containers = [
            ("cpu", looks.template("/spec/resources/limits/cpu").clone()),
            ("memory", looks.template("/spec/resources/limits/memory").clone()),
        ];
        let asked = match limit["type"].as_str() {
            Some("PersistentVolumeClaim") => &claims[..],
            Some("Container" | "Pod") => &containers[..],
            _ => continue,
        };
        for (what, value) in asked {
            let amount = |v: &Value| image::bytes(v.as_str()?);
            let Some(wanted) = amount(value) else { continue };
            let (least, most) = (amount(&limit["min"][what]), amount(&limit["max"][what]));
            if least.is_some_and(|l| wanted < l) || most.is_some_and(|m| wanted > m) {
                let bound = |v: &Value| v.as_str().unwrap_or("any").to_owned();
                let (least, most) = (bound(&limit["min"][what]), bound(&limit["max"][what]));
                let text = value.as_str().unwrap_or_default();
                outside.push(format!("{what} {text} of the target is not between {least} and {most}"));
            }
        }
    }
    Ok(match (outside.as_slice(), ranges.len()) {
        ([], 0) => pass("there is none"),
        ([], _) => pass("within"),
        (outside, _) => fail(outside.join("; "), format!("kubectl describe limitrange -n {}", looks.namespace())),
    })
}

/// The three ways that must be open: target to source, apps to target, operator to target.
fn network(looks: &Looks) -> Judged<'_> {
    let policies = looks.policies.as_ref()?;
    let source = json!(looks.source()?.labels);
    let target = json!({ "cnpg.io/cluster": looks.migration.target.cluster, "cnpg.io/instanceRole": "primary", "role": "primary" });
    let mut shut = Vec::new();
    let into_source = Way { policies, pod: &source, peer: Some(&target), port: 5432 };
    shut.extend(into_source.closed("Ingress").map(|p| format!("{p} keeps the target out of the source")));
    let out_of_target = Way { policies, pod: &target, peer: Some(&source), port: 5432 };
    shut.extend(out_of_target.closed("Egress").map(|p| format!("{p} keeps the target from leaving for the source")));
    let operator = Way { policies, pod: &target, peer: None, port: 8000 };
    shut.extend(operator.closed("Ingress").map(|p| format!("{p} keeps the operator (port 8000) out of the target")));
    for labels in app_labels(looks) {
        let way = Way { policies, pod: &target, peer: Some(&labels), port: 5432 };
        shut.extend(way.closed("Ingress").map(|p| format!("{p} keeps an app's pods out of the target")));
        let way = Way { policies, pod: &labels, peer: Some(&target), port: 5432 };
        shut.extend(way.closed("Egress").map(|p| format!("{p} keeps an app's pods from leaving for the target")));
    }
    shut.sort();
    shut.dedup();
    let rule = format!(
        "a NetworkPolicy whose podSelector is cnpg.io/cluster={}, with ports 5432 from the apps and 8000 from the operator's namespace, and one into the source",
        looks.migration.target.cluster
    );
    Ok(match (shut.as_slice(), policies.len()) {
        ([], 0) => pass("there is none"),
        ([], n) => pass(format!("{n} policies, none in the way")),
        (shut, _) => fail(shut.join("; "), rule),
    })
}

/// Labels of the pods of each app in the file.
fn app_labels(looks: &Looks) -> Vec<Value> {
    let Ok(workloads) = &looks.workloads else { return Vec::new() };
    let apps = looks.migration.apps.iter().filter_map(|app| workloads.get(&app.workload));
    let labels = apps.map(|object| match object.pointer("/spec/jobTemplate") {
        Some(job) => job["spec"]["template"]["metadata"]["labels"].clone(),
        None => object["spec"]["template"]["metadata"]["labels"].clone(),
    });
    labels.filter(|labels| !labels.is_null()).collect()
}

/// One connection, as NetworkPolicies see it from the pod that they select.
struct Way<'a> {
    policies: &'a [Value],
    pod: &'a Value,
    /// Labels of the other end in the same namespace; None: it is in another one.
    peer: Option<&'a Value>,
    port: u64,
}

impl<'a> Way<'a> {
    /// The policy that closes it: some select the pod in this direction, and none of them lets the peer through.
    fn closed(&self, direction: &str) -> Option<&'a str> {
        let selecting: Vec<&Value> = self
            .policies
            .iter()
            .filter(|policy| selects(&policy["spec"]["podSelector"], self.pod) && has_type(policy, direction))
            .collect();
        let (field, side) = if direction == "Ingress" { ("/spec/ingress", "from") } else { ("/spec/egress", "to") };
        let open = selecting.iter().any(|policy| list(policy, field).iter().any(|rule| self.passes(rule, side)));
        if open { None } else { selecting.first().map(|policy| name(policy)) }
    }

    fn passes(&self, rule: &Value, side: &str) -> bool {
        let ports = list(rule, "/ports");
        let port = ports.is_empty()
            || ports.iter().any(|p| match (p["port"].as_u64(), p["endPort"].as_u64()) {
                (Some(first), Some(last)) => (first..=last).contains(&self.port),
                (Some(port), None) => port == self.port,
                // A name: which number it has is the pod's to say; the well-known one is taken.
                _ => p["port"].is_null() || p["port"] == "postgresql" || p["port"] == "postgres",
            });
        let peers = rule[side].as_array().map_or(&[][..], Vec::as_slice);
        port && (peers.is_empty() || peers.iter().any(|peer| self.is(peer)))
    }

    fn is(&self, peer: &Value) -> bool {
        let elsewhere = !peer["namespaceSelector"].is_null();
        match self.peer {
            // An address range may hold any pod.
            _ if !peer["ipBlock"].is_null() => true,
            None => elsewhere,
            // Another namespace's selector may name ours too; an empty one does.
            Some(_) if elsewhere && !is_empty(&peer["namespaceSelector"]) => false,
            Some(labels) => selects(&peer["podSelector"], labels),
        }
    }
}

fn is_empty(selector: &Value) -> bool {
    selector.as_object().is_none_or(serde_json::Map::is_empty)
}

/// Egress is a policy's type only where it is said, or where it has egress rules.
fn has_type(policy: &Value, direction: &str) -> bool {
    match policy["spec"]["policyTypes"].as_array() {
        Some(types) => types.iter().any(|t| t == direction),
        None => direction == "Ingress" || !policy["spec"]["egress"].is_null(),
    }
}

/// A label selector against labels; null and {} select all.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| &labels[key] == value);
    let expressed = list(selector, "/matchExpressions").iter().all(|e| {
        let value = &labels[e["key"].as_str().unwrap_or_default()];
        let among = e["values"].as_array().is_some_and(|values| values.contains(value));
        match e["operator"].as_str() {
            Some("In") => among,
            Some("NotIn") => !among,
            Some("Exists") => !value.is_null(),
            Some("DoesNotExist") => value.is_null(),
            _ => false,
        }
    });
    equal && expressed
}
