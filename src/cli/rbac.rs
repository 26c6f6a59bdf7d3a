use super::context::Context;
use crate::{
    checks::{self, Need},
    error::Result,
    term::{Page, yaml},
};
use serde_json::{Value, json};

#[derive(clap::Args)]
pub struct Rbac {
    /// Only what this verb needs; else what all of them need together
    #[arg(long, value_enum, value_name = "VERB")]
    verb: Option<Verb>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Verb {
    List,
    Init,
    Check,
    Plan,
    Status,
    Verify,
    Report,
    Script,
    Unlock,
    Prepare,
    Cutover,
    Rollback,
    Resume,
    Finalize,
}

impl Verb {
    fn takes(self, need: Need) -> bool {
        match self {
            Verb::List | Verb::Init | Verb::Check | Verb::Plan => need == Need::Look,
            Verb::Status | Verb::Verify | Verb::Report | Verb::Script => need == Need::Look,
            Verb::Unlock => need != Need::Change,
            Verb::Prepare | Verb::Cutover | Verb::Rollback | Verb::Resume | Verb::Finalize => true,
        }
    }
}

impl Rbac {
    pub fn run(self, context: &Context) -> Result<()> {
        let document = role(self.verb, context.global.flags.namespace.as_deref());
        let names = vec!["role.rbac.authorization.k8s.io/pgmigrate".to_string()];
        let text = yaml(&document)?;
        context.ui.print(Page { document, names, text })
    }
}

/// Least privilege, from the same table that `check` asks the API server about; a rule a resource.
fn role(verb: Option<Verb>, namespace: Option<&str>) -> Value {
    let mut rules: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for rule in checks::rules().iter().filter(|rule| verb.is_none_or(|verb| verb.takes(rule.need))) {
        match rules.iter_mut().find(|(group, resource, _)| (*group, *resource) == (rule.group, rule.resource)) {
            Some((_, _, verbs)) => verbs.extend(rule.verbs),
            None => rules.push((rule.group, rule.resource, rule.verbs.to_vec())),
        }
    }
    let rules: Vec<Value> = rules
        .iter()
        .map(|(group, resource, verbs)| json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs }))
        .collect();
    let mut metadata = json!({ "name": "pgmigrate" });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules })
}
