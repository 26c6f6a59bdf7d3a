//! Who may do what: users by bearer token, rules by table and by the Roles that are bound to them.

use super::{
    request::RequestInfo,
    store::{Refusal, Store},
};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// One rule, as in a Role. "*" stands for any.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    /// `pods`, `pods/exec`
    pub resources: Vec<String>,
    /// Empty: every object.
    pub names: Vec<String>,
    /// None: in every namespace, and cluster-wide.
    pub namespace: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct User {
    pub name: String,
    pub token: String,
    /// Everything is allowed.
    pub admin: bool,
    pub rules: Vec<Rule>,
    pub groups: Vec<String>,
}

/// What is asked for; `resource` is `pods` or `pods/exec`.
pub struct Attributes<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

#[derive(Default)]
pub struct Access(Mutex<Vec<User>>);

impl Access {
    /// Adds a user, or replaces the one of that name.
    pub fn set(&self, user: User) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|known| known.name != user.name);
        users.push(user);
    }

    pub fn token(&self, name: &str) -> Option<String> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.iter().find(|user| user.name == name).map(|user| user.token.clone())
    }

    /// The user behind `Authorization: Bearer TOKEN`, or whom an admin impersonates.
    pub fn user(&self, headers: &http::HeaderMap) -> Result<User, Refusal> {
        let unauthorized = || Refusal::new(401, "Unauthorized", "Unauthorized");
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unauthorized)?;
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let user = users.iter().find(|user| user.token == token).ok_or_else(unauthorized)?;
        let Some(wanted) = header("impersonate-user") else { return Ok(user.clone()) };
        if !user.admin {
            let message = format!(
                "users \"{wanted}\" is forbidden: User \"{}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
                user.name
            );
            return Err(Refusal::new(403, "Forbidden", message));
        }
        let known = users.iter().find(|user| user.name == wanted).cloned();
        let mut user = known.unwrap_or_else(|| User { name: wanted.into(), ..User::default() });
        let groups = headers.get_all("impersonate-group").iter().filter_map(|value| value.to_str().ok());
        user.groups.extend(groups.map(str::to_owned));
        user.admin |= user.groups.iter().any(|group| group == "system:masters");
        Ok(user)
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == wanted)
}

impl Rule {
    fn covers(&self, asked: &Attributes) -> bool {
        let sub = asked.resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        has(&self.verbs, asked.verb)
            && has(&self.groups, asked.group)
            && (has(&self.resources, asked.resource) || sub.is_some_and(|sub| has(&self.resources, &sub)))
            && (self.names.is_empty() || self.names.iter().any(|name| name == asked.name))
            && self.namespace.as_deref().is_none_or(|namespace| namespace == asked.namespace)
    }
}

impl User {
    /// Everything that is allowed to this user: by the table, and by the bindings in the store.
    pub fn allowed(&self, store: &Store) -> Vec<Rule> {
        let bindings = ["rolebindings", "clusterrolebindings"];
        let bound = bindings.iter().flat_map(|kind| store.list(&format!("{kind}.{GROUP}"), None));
        let bound = bound.filter(|binding| self.is_among(&binding["subjects"])).flat_map(|b| granted(store, &b));
        self.rules.iter().cloned().chain(bound).collect()
    }

    pub fn may(&self, store: &Store, asked: &Attributes) -> bool {
        self.admin || self.allowed(store).iter().any(|rule| rule.covers(asked))
    }

    /// A ServiceAccount is the user `system:serviceaccount:NAMESPACE:NAME`.
    fn is_among(&self, subjects: &Value) -> bool {
        subjects.as_array().into_iter().flatten().any(|subject| {
            let name = subject["name"].as_str().unwrap_or_default();
            match subject["kind"].as_str() {
                Some("User") => name == self.name,
                Some("Group") => name == "system:authenticated" || self.groups.iter().any(|group| group == name),
                Some("ServiceAccount") => {
                    let namespace = subject["namespace"].as_str().unwrap_or_default();
                    self.name == format!("system:serviceaccount:{namespace}:{name}")
                }
                _ => false,
            }
        })
    }

    pub fn check(&self, store: &Store, info: &RequestInfo) -> Result<(), Refusal> {
        // A websocket is a GET; since Kubernetes 1.35 it needs `create` as well (rust-stack.md 2.2).
        let connects = matches!(info.subresource.as_deref(), Some("exec" | "portforward" | "attach"));
        let verbs: &[&str] = if connects { &["get", "create"] } else { &[info.verb] };
        let (resource, name) = (info.target(), info.name.as_deref().unwrap_or_default());
        // A Namespace is in itself: a Role there lets it be read (kubernetes apiserver, endpoints/request/requestinfo.go).
        let namespace = if info.key() == "namespaces" { name } else { &info.namespace };
        for verb in verbs {
            let asked = Attributes {
                verb,
                group: &info.group,
                resource: &resource,
                namespace,
                // A list or watch of one object, by its field selector, is covered by a rule for that name.
                name: info.selected_name().unwrap_or(name),
            };
            if !self.may(store, &asked) {
                let name = info.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
                let place = match namespace {
                    "" => "at the cluster scope".into(),
                    namespace => format!("in the namespace \"{namespace}\""),
                };
                let message = format!(
                    "{}{name} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
                    info.key(),
                    self.name,
                    info.group
                );
                return Err(Refusal::new(403, "Forbidden", message));
            }
        }
        Ok(())
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of the role that a binding names.
fn granted(store: &Store, binding: &Value) -> Vec<Rule> {
    let home = binding["metadata"]["namespace"].as_str();
    let name = binding["roleRef"]["name"].as_str().unwrap_or_default();
    let role = match binding["roleRef"]["kind"].as_str() {
        Some("Role") => store.get(&format!("roles.{GROUP}"), home.unwrap_or_default(), name),
        _ => store.get(&format!("clusterroles.{GROUP}"), "", name),
    };
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let rule = |rule: &Value| Rule {
        verbs: texts(&rule["verbs"]),
        groups: texts(&rule["apiGroups"]),
        resources: texts(&rule["resources"]),
        names: texts(&rule["resourceNames"]),
        namespace: home.map(str::to_owned),
    };
    role.iter().flat_map(|role| role["rules"].as_array().into_iter().flatten().map(rule)).collect()
}
