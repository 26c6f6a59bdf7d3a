//! What the API says about itself: versions, groups, resources.

use super::{
    resources::{RESOURCES, Resource},
    server::json_response,
    store::Refusal,
    ws::Body,
};
use http::{HeaderMap, Response};
use serde_json::{Value, json};

pub fn answer(path: &str, _headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let value = match parts.as_slice() {
        ["version"] => {
            json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.4+pgmigrate-lab", "platform": "linux/amd64" })
        }
        ["livez" | "readyz" | "healthz"] => json!("ok"),
        ["api"] => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        ["api", "v1"] => resource_list("", "v1"),
        ["apis"] => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups() }),
        ["apis", group, version] if groups().iter().any(|g| g["name"] == *group) => resource_list(group, version),
        // Without schemas of its own kubectl asks the server to validate instead.
        ["openapi", "v3"] => json!({ "paths": {} }),
        ["openapi", "v2"] => {
            json!({ "swagger": "2.0", "info": { "title": "lab", "version": "v1" }, "paths": {}, "definitions": {} })
        }
        _ => return Err(Refusal::new(404, "NotFound", "the server could not find the requested resource")),
    };
    Ok(json_response(200, &value))
}

fn groups() -> Vec<Value> {
    let mut names: Vec<(&str, &str)> =
        RESOURCES.iter().filter(|r| !r.group.is_empty()).map(|r| (r.group, r.version)).collect();
    names.push(("authorization.k8s.io", "v1"));
    names.sort();
    names.dedup();
    let one = |(group, version): &(&str, &str)| {
        let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
        json!({ "name": group, "versions": [version], "preferredVersion": version })
    };
    names.iter().map(one).collect()
}

fn resource_list(group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for resource in RESOURCES.iter().filter(|r| r.group == group && r.version == version) {
        resources.push(entry(
            resource,
            resource.plural,
            resource.kind,
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        ));
        resources.push(entry(
            resource,
            &format!("{}/status", resource.plural),
            resource.kind,
            &["get", "patch", "update"],
        ));
        if resource.scale {
            let mut scale =
                entry(resource, &format!("{}/scale", resource.plural), "Scale", &["get", "patch", "update"]);
            scale["group"] = json!("autoscaling");
            scale["version"] = json!("v1");
            resources.push(scale);
        }
        if resource.plural == "pods" {
            for (sub, kind, verbs) in [
                ("exec", "PodExecOptions", &["create", "get"][..]),
                ("portforward", "PodPortForwardOptions", &["create", "get"]),
                ("log", "Pod", &["get"]),
            ] {
                resources.push(entry(resource, &format!("pods/{sub}"), kind, verbs));
            }
        }
    }
    if group == "authorization.k8s.io" {
        resources.push(json!({ "name": "selfsubjectaccessreviews", "singularName": "", "namespaced": false, "kind": "SelfSubjectAccessReview", "verbs": ["create"] }));
    }
    let version = if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources })
}

fn entry(resource: &Resource, name: &str, kind: &str, verbs: &[&str]) -> Value {
    json!({
        "name": name, "singularName": resource.kind.to_lowercase(), "namespaced": resource.namespaced, "kind": kind, "verbs": verbs,
        "shortNames": resource.short, "categories": if resource.plural == "postgresqls" { vec!["all"] } else { vec![] },
    })
}
