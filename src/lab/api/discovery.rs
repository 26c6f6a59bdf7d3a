//! What the API says about itself: versions, groups, resources.

use super::{
    answer::{json_response, typed},
    dispatch::wants,
    openapi,
    resources::{RESOURCES, Resource},
    store::{Refusal, Store},
    ws::Body,
};
use http::{HeaderMap, Response};
use serde_json::{Value, json};

pub fn answer(path: &str, headers: &HeaderMap, store: &Store) -> Result<Response<Body>, Refusal> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let value = match parts.as_slice() {
        ["version"] => {
            json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.4+pgmigrate-lab", "platform": "linux/amd64" })
        }
        ["livez" | "readyz" | "healthz", ..] => return Ok(typed(200, "text/plain", "ok".into())),
        ["api" | "apis"] if wants(headers, "as=APIGroupDiscoveryList") => {
            let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            return Ok(typed(200, content_type, aggregated(parts == ["api"]).to_string().into()));
        }
        ["api"] => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        ["apis"] => {
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups().map(|g| group(&g)).collect::<Vec<_>>() })
        }
        ["apis", name] => groups().find(|(group, _)| group == name).map(|g| typed_group(&g)).ok_or_else(unknown)?,
        ["api", version @ "v1"] => resource_list("", version),
        ["apis", group, version] if groups().any(|g| g == (*group, *version)) => resource_list(group, version),
        ["openapi", "v2"] => openapi::v2(),
        ["openapi", "v3"] => openapi::index(groups().chain([("", "v1")])),
        ["openapi", "v3", "api", version] => openapi::of("", version, store),
        ["openapi", "v3", "apis", group, version] => openapi::of(group, version, store),
        _ => return Err(unknown()),
    };
    Ok(json_response(200, &value))
}

fn unknown() -> Refusal {
    Refusal::new(404, "NotFound", "the server could not find the requested resource")
}

/// (group, version), all but the core's.
fn groups() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = [("authentication.k8s.io", "v1"), ("authorization.k8s.io", "v1")];
    let mut names: Vec<_> = RESOURCES.iter().filter(|r| !r.group.is_empty()).map(|r| (r.group, r.version)).collect();
    names.extend(own);
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

fn group((group, version): &(&str, &str)) -> Value {
    let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    json!({ "name": group, "versions": [version], "preferredVersion": version })
}

fn typed_group(named: &(&str, &str)) -> Value {
    let mut group = group(named);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    group
}

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// (name behind the slash, kind, verbs)
fn subresources(resource: &Resource) -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    let mut subs: Vec<(_, _, &'static [&'static str])> = Vec::new();
    if resource.has_status() {
        subs.push(("status", resource.kind, &["get", "patch", "update"]));
    }
    if resource.scale {
        subs.push(("scale", "Scale", &["get", "patch", "update"]));
    }
    if resource.key() == "pods" {
        subs.push(("exec", "PodExecOptions", &["create", "get"]));
        subs.push(("portforward", "PodPortForwardOptions", &["create", "get"]));
        subs.push(("log", "Pod", &["get"]));
        subs.push(("proxy", "PodProxyOptions", &["create", "delete", "get", "patch", "update"]));
        subs.push(("eviction", "Eviction", &["create"]));
    }
    if resource.key() == "services" {
        subs.push(("proxy", "ServiceProxyOptions", &["create", "delete", "get", "patch", "update"]));
    }
    subs
}

/// Types that are only created: (group, plural, kind)
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
];

fn resource_list(group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for resource in RESOURCES.iter().filter(|r| r.group == group && r.version == version) {
        resources.push(json!({
            "name": resource.plural, "singularName": resource.kind.to_lowercase(), "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": VERBS, "shortNames": resource.short, "categories": categories(resource),
        }));
        for (sub, kind, verbs) in subresources(resource) {
            let mut entry = json!({
                "name": format!("{}/{sub}", resource.plural), "singularName": "", "namespaced": resource.namespaced,
                "kind": kind, "verbs": verbs,
            });
            if let Some((group, version)) = foreign(kind) {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            resources.push(entry);
        }
    }
    for (_, plural, kind) in REVIEWS.iter().filter(|(of, ..)| *of == group) {
        resources.push(json!({ "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"] }));
    }
    let version = if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources })
}

/// Where a subresource's kind lives, if not with its resource.
fn foreign(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "Scale" => Some(("autoscaling", "v1")),
        "Eviction" => Some(("policy", "v1")),
        _ => None,
    }
}

fn categories(resource: &Resource) -> &'static [&'static str] {
    let all = [
        "Pod",
        "Service",
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "Job",
        "CronJob",
        "HorizontalPodAutoscaler",
        "postgresql",
    ];
    if all.contains(&resource.kind) { &["all"] } else { &[] }
}

/// Everything in one answer (apidiscovery.k8s.io/v2).
fn aggregated(core: bool) -> Value {
    let one = |(group, version): (&str, &str)| {
        let resources: Vec<Value> = RESOURCES
            .iter()
            .filter(|r| r.group == group && r.version == version)
            .map(|resource| {
                let subs = subresources(resource).into_iter().map(|(sub, kind, verbs)| {
                    let (group, version) = foreign(kind).unwrap_or((group, version));
                    let kind = json!({ "group": group, "version": version, "kind": kind });
                    json!({ "subresource": sub, "responseKind": kind, "verbs": verbs })
                });
                json!({
                    "resource": resource.plural, "singularResource": resource.kind.to_lowercase(), "verbs": VERBS,
                    "responseKind": { "group": group, "version": version, "kind": resource.kind },
                    "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
                    "shortNames": resource.short, "categories": categories(resource), "subresources": subs.collect::<Vec<_>>(),
                })
            })
            .chain(REVIEWS.iter().filter(|(of, ..)| *of == group).map(|(_, plural, kind)| {
                json!({
                    "resource": plural, "singularResource": kind.to_lowercase(), "scope": "Cluster", "verbs": ["create"],
                    "responseKind": { "group": group, "version": version, "kind": kind },
                })
            }))
            .collect();
        let versions = json!([{ "version": version, "resources": resources, "freshness": "Current" }]);
        json!({ "metadata": { "name": group }, "versions": versions })
    };
    let items: Vec<Value> = if core { vec![one(("", "v1"))] } else { groups().map(one).collect() };
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}
