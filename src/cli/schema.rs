use super::context::Context;
use crate::{
    checks,
    error::Result,
    spec,
    term::{Page, yaml},
};
use serde_json::{Value, json};

#[derive(clap::Args)]
pub struct Schema {
    /// The Role that every verb needs, for `kubectl apply -f -`, instead of the migration file's schema
    #[arg(long)]
    role: bool,
}

impl Schema {
    pub fn run(self, context: &Context) -> Result<()> {
        let (document, name) = if self.role {
            (role(context.global.flags.namespace.as_deref()), "role.rbac.authorization.k8s.io/pgmigrate")
        } else {
            (spec::schema(), "pgmigrate.dev/v1alpha1")
        };
        let text = if self.role { yaml(&document)? } else { format!("{document:#}\n") };
        context.ui.print(Page { document, names: vec![name.into()], text })
    }
}

/// Least privilege, from the same table that `check` asks the API server about.
fn role(namespace: Option<&str>) -> Value {
    let rules: Vec<Value> = checks::rules()
        .iter()
        .map(|rule| json!({ "apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs }))
        .collect();
    let mut metadata = json!({ "name": "pgmigrate" });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules })
}
