//! What the caller may do, as the API server says.

use super::{Kube, parse};
use crate::error::{Context, Error, Result};
use serde_json::{Value, json};

/// One rule that the caller has, "*" standing for any.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Granted {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl Granted {
    /// For every object; `resource` may be `pods/exec`.
    pub fn covers(&self, verb: &str, group: &str, resource: &str) -> bool {
        let among = |list: &[String], wanted: &str| list.iter().any(|entry| entry == "*" || entry == wanted);
        let any = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        self.resource_names.is_empty()
            && among(&self.verbs, verb)
            && among(&self.api_groups, group)
            && (among(&self.resources, resource) || any.is_some_and(|any| self.resources.contains(&any)))
    }
}

impl Kube {
    /// SelfSubjectAccessReview in this namespace. `resource` may be `pods/exec`.
    pub async fn can_i(&self, verb: &str, group: &str, resource: &str, name: Option<&str>) -> Result<bool> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": self.namespace, "verb": verb, "group": group,
                "resource": resource, "subresource": subresource, "name": name.unwrap_or_default(),
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_string();
        let mut ask = self.write(
            http::Method::POST,
            "create",
            path,
            "selfsubjectaccessreviews.authorization.k8s.io".into(),
            &review,
        );
        ask.repeatable = true;
        let answer: Value = parse(&self.ask(&ask).await?, &ask)?;
        answer["status"]["allowed"]
            .as_bool()
            .ok_or_else(|| Error::failed("the API server's access review has no answer"))
    }

    /// SelfSubjectRulesReview of this namespace: every rule that RBAC grants. Other authorizers need not tell theirs, so
    /// what is not in it may be allowed all the same.
    pub async fn granted(&self) -> Result<Vec<Granted>> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": { "namespace": self.namespace },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews".to_string();
        let resource = "selfsubjectrulesreviews.authorization.k8s.io".into();
        let mut ask = self.write(http::Method::POST, "create", path, resource, &review);
        ask.repeatable = true;
        let answer: Value = parse(&self.ask(&ask).await?, &ask)?;
        serde_json::from_value(answer["status"]["resourceRules"].clone())
            .context("the API server's review of rules cannot be read")
    }
}
