//! delete and deletecollection.

use super::{store::Refusal, verbs::Call, write::conflict};
use serde_json::{Value, json};

impl Call<'_> {
    /// metav1.DeleteOptions, from the body or the query; an eviction has them inside.
    pub fn delete_options(&self) -> Value {
        let body = self.info.body.clone().unwrap_or_default();
        let mut options = if body["kind"] == "Eviction" { body["deleteOptions"].clone() } else { body };
        if !options.is_object() {
            options = json!({});
        }
        for field in ["propagationPolicy", "gracePeriodSeconds"] {
            if let Some(asked) = self.info.query.get(field).filter(|_| options[field].is_null()) {
                options[field] = asked.parse::<u64>().map_or_else(|_| json!(asked), |number| json!(number));
            }
        }
        options
    }

    pub fn delete(&self, name: &str, options: &Value) -> Result<Value, Refusal> {
        let namespace = self.info.namespace.as_str();
        let there = self.store.get(&self.key, namespace, name).ok_or_else(|| Refusal::not_found(&self.key, name))?;
        let wanted = &options["preconditions"];
        for field in ["uid", "resourceVersion"] {
            if wanted[field].is_string() && wanted[field] != there["metadata"][field] {
                let mut refusal = conflict(&self.key, name);
                refusal.message = format!(
                    "Operation cannot be fulfilled on {} \"{name}\": the {field} in the precondition ({}) does not match the {field} in record ({}). The object might have been deleted and then recreated",
                    self.key, wanted[field], there["metadata"][field]
                );
                return Err(refusal);
            }
        }
        let details = json!({ "name": name, "group": self.resource.group, "kind": self.resource.plural, "uid": there["metadata"]["uid"] });
        let success =
            json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details });
        let dry = options["dryRun"].as_array().is_some_and(|all| all.iter().any(|mode| mode == "All"));
        if self.info.dry_run() || dry {
            return Ok(success);
        }
        if self.key == "pods" {
            self.grace(name, options);
        }
        if self.orphans(options) {
            self.store.orphan(&there["metadata"]["uid"]);
        }
        self.store.delete(&self.key, namespace, name)?;
        // What is still there, with its deletionTimestamp, is shown as it is now.
        Ok(self.store.get(&self.key, namespace, name).map_or(success, |left| (*left).clone()))
    }

    /// `deletionGracePeriodSeconds`: the caller's, else the pod's own.
    fn grace(&self, name: &str, options: &Value) {
        let note = |pod: &mut Value| {
            let asked = options["gracePeriodSeconds"].as_u64();
            let seconds = asked.or(pod["spec"]["terminationGracePeriodSeconds"].as_u64()).unwrap_or(30);
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(seconds);
        };
        self.store.update("pods", &self.info.namespace, name, note).ok();
    }

    /// Jobs leave their pods behind unless told otherwise: so batch/v1 has always been
    /// (kubernetes pkg/registry/batch/job/strategy.go, DefaultGarbageCollectionPolicy).
    fn orphans(&self, options: &Value) -> bool {
        match options["propagationPolicy"].as_str() {
            Some(policy) => policy == "Orphan",
            None => options["orphanDependents"].as_bool().unwrap_or(self.key == "jobs.batch"),
        }
    }

    /// Answers with the list of what was deleted.
    pub fn delete_all(&self) -> Result<(u16, Value), Refusal> {
        let (version, items) = self.selected()?;
        for object in &items {
            match self.delete(object["metadata"]["name"].as_str().unwrap_or_default(), &self.delete_options()) {
                Err(refusal) if refusal.code != 404 => return Err(refusal),
                _ => {}
            }
        }
        let (kind, meta) = (format!("{}List", self.resource.kind), json!({ "resourceVersion": version.to_string() }));
        Ok((200, json!({ "apiVersion": self.resource.api_version(), "kind": kind, "metadata": meta, "items": items })))
    }
}
