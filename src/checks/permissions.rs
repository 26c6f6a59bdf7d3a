//! What each verb needs of RBAC, asked of the API server before anything begins.

use super::{Check, Finding};
use crate::{error::Result, step::World};
use serde::Serialize;

const CHECK: Check =
    Check { id: "permissions", title: "every permission is there", why: "a call refused in the window would end it" };

/// One published rule; `rules()` is the whole Role.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    pub group: &'static str,
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
}

const fn rule(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Rule {
    Rule { group, resource, verbs }
}

/// Least privilege for every verb, in the migration's namespace.
pub fn rules() -> &'static [Rule] {
    RULES
}

static RULES: &[Rule] = &[
    rule("", "pods", &["get", "list", "watch", "delete"]),
    rule("", "pods/exec", &["get", "create"]),
    rule("", "pods/portforward", &["get", "create"]),
    rule("", "pods/log", &["get"]),
    rule("", "secrets", &["get", "list", "create", "patch", "delete"]),
    rule("", "configmaps", &["get", "list", "create", "update", "patch", "delete"]),
    rule("", "services", &["get", "list"]),
    rule("", "endpoints", &["get", "list", "watch"]),
    rule("", "persistentvolumeclaims", &["get", "list", "watch"]),
    rule("apps", "deployments", &["get", "list", "watch", "patch"]),
    rule("apps", "statefulsets", &["get", "list", "watch", "patch"]),
    rule("batch", "cronjobs", &["get", "list", "watch", "patch"]),
    rule("batch", "jobs", &["get", "list", "watch"]),
    rule("autoscaling", "horizontalpodautoscalers", &["get", "list"]),
    rule("coordination.k8s.io", "leases", &["get", "create", "update", "delete"]),
    rule("acid.zalan.do", "postgresqls", &["get", "list", "patch"]),
    rule("postgresql.cnpg.io", "clusters", &["get", "list", "watch", "create", "patch", "delete"]),
    rule("postgresql.cnpg.io", "poolers", &["get", "create", "patch", "delete"]),
    rule("postgresql.cnpg.io", "backups", &["get", "list", "watch", "create", "delete"]),
    rule("postgresql.cnpg.io", "scheduledbackups", &["get", "create", "patch"]),
];

pub async fn check(world: &World) -> Result<Vec<Finding>> {
    let asked = rules().iter().flat_map(|rule| rule.verbs.iter().map(move |verb| (rule, *verb)));
    let answers = asked.map(|(rule, verb)| async move {
        Ok::<_, crate::error::Error>((rule, verb, world.kube.can_i(verb, rule.group, rule.resource, None).await?))
    });
    let answers = futures::future::try_join_all(answers).await?;
    let missing: Vec<Finding> = answers
        .iter()
        .filter(|(_, _, allowed)| !allowed)
        .map(|(rule, verb, _)| {
            let yaml =
                format!("- {{apiGroups: [\"{}\"], resources: [{}], verbs: [{verb}]}}", rule.group, rule.resource);
            CHECK.fail(
                format!("may not {verb} {} in {}", rule.resource, world.kube.namespace()),
                format!("add to the Role: {yaml}"),
            )
        })
        .collect();
    Ok(if missing.is_empty() {
        vec![CHECK.pass(format!("{} verbs on {} resources", answers.len(), rules().len()))]
    } else {
        missing
    })
}
