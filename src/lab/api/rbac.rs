//! Who may do what: users by bearer token, rules by table.

use super::{request::RequestInfo, store::Refusal};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Clone)]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    /// `pods`, `pods/exec`
    pub resources: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct User {
    pub name: String,
    pub token: String,
    /// Everything is allowed.
    pub admin: bool,
    pub rules: Vec<Rule>,
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
                "users \"{wanted}\" is forbidden: User \"{}\" cannot impersonate resource \"users\"",
                user.name
            );
            return Err(Refusal::new(403, "Forbidden", message));
        }
        let known = users.iter().find(|user| user.name == wanted).cloned();
        Ok(known.unwrap_or_else(|| User { name: wanted.into(), ..User::default() }))
    }
}

impl User {
    pub fn may(&self, verb: &str, group: &str, resource: &str, subresource: Option<&str>) -> bool {
        let resource = subresource.map_or_else(|| resource.to_string(), |sub| format!("{resource}/{sub}"));
        let has = |list: &[String], wanted: &str| list.iter().any(|entry| entry == "*" || entry == wanted);
        self.admin
            || self
                .rules
                .iter()
                .any(|rule| has(&rule.verbs, verb) && has(&rule.groups, group) && has(&rule.resources, &resource))
    }

    pub fn check(&self, info: &RequestInfo) -> Result<(), Refusal> {
        // A websocket is a GET; since Kubernetes 1.35 it needs `create` as well (rust-stack.md 2.2).
        let connects = matches!(info.subresource.as_deref(), Some("exec" | "portforward"));
        let verbs: &[&str] = if connects { &["get", "create"] } else { &[info.verb] };
        for verb in verbs {
            if !self.may(verb, &info.group, &info.resource, info.subresource.as_deref()) {
                let name = info.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
                let place = if info.namespace.is_empty() {
                    "at the cluster scope".into()
                } else {
                    format!("in the namespace \"{}\"", info.namespace)
                };
                let resource = info
                    .subresource
                    .as_ref()
                    .map_or_else(|| info.resource.clone(), |sub| format!("{}/{sub}", info.resource));
                let message = format!(
                    "{}{name} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
                    info.resource, self.name, info.group
                );
                return Err(Refusal::new(403, "Forbidden", message));
            }
        }
        Ok(())
    }
}
