//! What each verb needs of RBAC, asked of the API server before anything begins.

use super::*;
use crate::kube::Kube;

pub const CHECKS: &[Check] =
    &[check("permissions", "every permission is there", "a call refused in the window would end it", permissions)];

/// Which verbs a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every verb: list, check, plan, status, verify, report too.
    Look,
    /// What takes the lock: every verb that changes something, and `unlock`.
    Lock,
    /// What makes, moves or removes: prepare, cutover, rollback, resume, finalize.
    Change,
}

/// One published rule of the Role, in the migration's namespace.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub group: &'static str,
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
    pub need: Need,
}

const fn rule(group: &'static str, resource: &'static str, verbs: &'static [&'static str], need: Need) -> Rule {
    Rule { group, resource, verbs, need }
}

/// Least privilege for every verb.
pub fn rules() -> &'static [Rule] {
    RULES
}

use Need::{Change, Lock, Look};
static RULES: &[Rule] = &[
    rule("", "pods", &["get", "list", "watch"], Look),
    rule("", "pods", &["delete"], Change),
    rule("", "pods/exec", &["get", "create"], Look),
    rule("", "pods/portforward", &["get", "create"], Look),
    rule("", "pods/log", &["get"], Look),
    rule("", "pods/proxy", &["get"], Look),
    rule("", "secrets", &["get", "list"], Look),
    rule("", "secrets", &["create", "patch", "delete"], Change),
    rule("", "configmaps", &["get", "list"], Look),
    rule("", "configmaps", &["create", "update", "patch", "delete"], Change),
    rule("", "namespaces", &["get"], Look),
    rule("", "services", &["get", "list"], Look),
    rule("", "services/proxy", &["get"], Look),
    rule("", "endpoints", &["get", "list", "watch"], Change),
    rule("", "persistentvolumeclaims", &["get", "list"], Look),
    rule("", "persistentvolumeclaims", &["watch"], Change),
    rule("", "resourcequotas", &["list"], Look),
    rule("", "limitranges", &["list"], Look),
    rule("networking.k8s.io", "networkpolicies", &["list"], Look),
    rule("apps", "deployments", &["get", "list"], Look),
    rule("apps", "deployments", &["watch", "patch"], Change),
    rule("apps", "statefulsets", &["get", "list"], Look),
    rule("apps", "statefulsets", &["watch", "patch"], Change),
    rule("batch", "cronjobs", &["get", "list"], Look),
    rule("batch", "cronjobs", &["watch", "patch"], Change),
    rule("batch", "jobs", &["get", "list"], Look),
    rule("batch", "jobs", &["watch", "create", "delete"], Change),
    rule("autoscaling", "horizontalpodautoscalers", &["get", "list"], Look),
    rule("coordination.k8s.io", "leases", &["get", "list"], Look),
    rule("coordination.k8s.io", "leases", &["create", "update", "delete"], Lock),
    rule("acid.zalan.do", "postgresqls", &["get", "list"], Look),
    rule("acid.zalan.do", "postgresqls", &["patch"], Change),
    rule("postgresql.cnpg.io", "clusters", &["get", "list"], Look),
    rule("postgresql.cnpg.io", "clusters", &["watch", "create", "patch", "delete"], Change),
    rule("barmancloud.cnpg.io", "objectstores", &["get", "list"], Look),
    rule("postgresql.cnpg.io", "poolers", &["get"], Look),
    rule("postgresql.cnpg.io", "poolers", &["create", "patch", "delete"], Change),
    rule("postgresql.cnpg.io", "backups", &["get", "list", "watch", "create", "delete"], Change),
    rule("postgresql.cnpg.io", "scheduledbackups", &["get"], Look),
    rule("postgresql.cnpg.io", "scheduledbackups", &["create", "patch"], Change),
];

/// A verb that is refused.
#[derive(Debug, Clone, Copy)]
pub struct Missing {
    pub rule: &'static Rule,
    pub verb: &'static str,
}

/// One question for all rules; what its answer does not hold is asked for by itself, as the answer may be incomplete
/// (authorizers other than RBAC need not list their rules).
pub async fn missing(kube: &Kube) -> Result<Vec<Missing>> {
    let granted = kube.granted().await?;
    let asked = RULES.iter().flat_map(|rule| rule.verbs.iter().map(move |verb| Missing { rule, verb }));
    let doubtful = asked.filter(|m| !granted.iter().any(|g| g.covers(m.verb, m.rule.group, m.rule.resource)));
    let answers = doubtful
        .map(|m| async move { Ok::<_, Error>((m, kube.can_i(m.verb, m.rule.group, m.rule.resource, None).await?)) });
    let answers = futures::future::try_join_all(answers).await?;
    Ok(answers.into_iter().filter(|(_, allowed)| !allowed).map(|(missing, _)| missing).collect())
}

fn permissions(looks: &Looks) -> Judged<'_> {
    let missing = looks.permissions.as_ref()?;
    if missing.is_empty() {
        return Ok(pass(format!("{} rules", RULES.len())));
    }
    Ok(fail(refused(missing, looks.namespace()), wanted(missing)))
}

/// A rule with the verbs of it that are missing.
fn by_rule(missing: &[Missing]) -> Vec<(&'static Rule, String)> {
    let verbs = |rule| missing.iter().filter(|m| std::ptr::eq(m.rule, rule)).map(|m| m.verb).collect::<Vec<_>>();
    RULES.iter().map(|rule| (rule, verbs(rule).join(", "))).filter(|(_, verbs)| !verbs.is_empty()).collect()
}

/// `in shop you may not: watch pods`
pub fn refused(missing: &[Missing], namespace: &str) -> String {
    let seen: Vec<String> = by_rule(missing).iter().map(|(rule, verbs)| format!("{verbs} {}", rule.resource)).collect();
    format!("in {namespace} you may not: {}", seen.join("; "))
}

/// The missing rules as YAML.
pub fn wanted(missing: &[Missing]) -> String {
    let mut yaml = String::from("add to the Role (kubectl pgmigrate rbac prints the whole of it):");
    for (Rule { group, resource, .. }, verbs) in by_rule(missing) {
        yaml.push_str(&format!("\n- {{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{verbs}]}}"));
    }
    yaml
}
