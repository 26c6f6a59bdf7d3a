//! What the authorization and authentication groups answer about the one who asks.

use super::{
    answer::json_response,
    rbac::{Attributes, User},
    store::{Refusal, Store},
    ws::Body,
};
use http::Response;
use serde_json::{Value, json};

/// The plural, for the two groups whose objects are only created and never kept.
pub fn plural(path: &str) -> Option<&str> {
    let groups = ["/apis/authorization.k8s.io/v1/", "/apis/authentication.k8s.io/v1/"];
    groups.iter().find_map(|group| path.strip_prefix(group)).filter(|plural| !plural.is_empty())
}

pub fn answer(store: &Store, user: &User, plural: &str, mut body: Value) -> Result<Response<Body>, Refusal> {
    let (kind, group, status) = match plural {
        "selfsubjectaccessreviews" => ("SelfSubjectAccessReview", "authorization", access(store, user, &body)),
        "selfsubjectrulesreviews" => ("SelfSubjectRulesReview", "authorization", rules(store, user, &body)),
        "selfsubjectreviews" => {
            let groups: Vec<&str> =
                user.groups.iter().map(String::as_str).chain(user.admin.then_some("system:masters")).collect();
            let info = json!({ "username": user.name, "groups": groups });
            ("SelfSubjectReview", "authentication", json!({ "userInfo": info }))
        }
        _ => return Err(Refusal::new(404, "NotFound", "the server could not find the requested resource")),
    };
    if !body.is_object() {
        return Err(Refusal::new(400, "BadRequest", "the body is not an object"));
    }
    body["kind"] = json!(kind);
    body["apiVersion"] = json!(format!("{group}.k8s.io/v1"));
    body["status"] = status;
    Ok(json_response(201, &body))
}

fn access(store: &Store, user: &User, review: &Value) -> Value {
    let asked = &review["spec"]["resourceAttributes"];
    if asked.is_null() {
        // Paths that are no resources: what discovery answers is for everybody.
        return json!({ "allowed": user.admin || review["spec"]["nonResourceAttributes"]["verb"] == "get" });
    }
    let text = |field: &str| asked[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        sub => format!("{}/{sub}", text("resource")),
    };
    let (verb, group, namespace, name) = (text("verb"), text("group"), text("namespace"), text("name"));
    let allowed = user.may(store, &Attributes { verb, group, resource: &resource, namespace, name });
    json!({ "allowed": allowed })
}

fn rules(store: &Store, user: &User, review: &Value) -> Value {
    let here = |namespace: &Option<String>| {
        namespace.as_deref().is_none_or(|namespace| review["spec"]["namespace"] == namespace)
    };
    let mut rules: Vec<Value> = user
        .allowed(store)
        .iter()
        .filter(|rule| here(&rule.namespace))
        .map(|rule| {
            json!({ "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources, "resourceNames": rule.names })
        })
        .collect();
    if user.admin {
        rules.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
    }
    json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": false })
}
