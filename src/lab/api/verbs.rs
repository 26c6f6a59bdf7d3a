//! get, list, create, update, patch, delete, and the subresources status and scale.

use super::{
    apply, patch,
    request::RequestInfo,
    resources::Resource,
    schema,
    selector::Selector,
    server,
    store::{Refusal, Store},
    table,
};
use serde_json::{Value, json};

pub fn answer(store: &Store, resource: &Resource, info: &RequestInfo, as_table: bool) -> Result<(u16, Value), Refusal> {
    let call = Call { store, resource, info, key: resource.key() };
    let name = info.name.as_deref().unwrap_or_default();
    match info.verb {
        "get" => {
            let object =
                store.get(&call.key, &info.namespace, name).ok_or_else(|| Refusal::not_found(&call.key, name))?;
            let object =
                if info.subresource.as_deref() == Some("scale") { scale_of(&object) } else { (*object).clone() };
            Ok((200, if as_table { table::of(resource, &[object], &json!({})) } else { object }))
        }
        "list" => call.list(as_table),
        "create" => call.create(),
        "update" => call.update().map(|object| (200, object)),
        "patch" => call.patch().map(|object| (200, object)),
        "delete" => call.delete(name).map(|status| (200, status)),
        "deletecollection" => {
            for object in call.selected()? {
                call.delete(object["metadata"]["name"].as_str().unwrap_or_default())?;
            }
            Ok((200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })))
        }
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

struct Call<'a> {
    store: &'a Store,
    resource: &'a Resource,
    info: &'a RequestInfo,
    key: String,
}

impl Call<'_> {
    fn selected(&self) -> Result<Vec<Value>, Refusal> {
        let query = |name: &str| self.info.query.get(name).map(String::as_str);
        let selector = Selector::parse(query("labelSelector"), query("fieldSelector"))?;
        let namespace = Some(self.info.namespace.as_str()).filter(|n| !n.is_empty());
        Ok(self
            .store
            .list(&self.key, namespace)
            .iter()
            .filter(|o| selector.matches(o))
            .map(|o| (**o).clone())
            .collect())
    }

    /// Pages by `namespace/name`: the token is the last one sent.
    fn list(&self, as_table: bool) -> Result<(u16, Value), Refusal> {
        let version = self.store.version();
        let mut items = self.selected()?;
        let place = |o: &Value| {
            format!(
                "{}/{}",
                o["metadata"]["namespace"].as_str().unwrap_or_default(),
                o["metadata"]["name"].as_str().unwrap_or_default()
            )
        };
        if let Some(after) = self.info.query.get("continue").filter(|token| !token.is_empty()) {
            items.retain(|item| place(item) > *after);
        }
        let mut meta = json!({ "resourceVersion": version.to_string() });
        let limit = self.info.query.get("limit").and_then(|l| l.parse::<usize>().ok()).filter(|l| *l > 0);
        if let Some(limit) = limit.filter(|limit| items.len() > *limit) {
            meta["remainingItemCount"] = json!(items.len() - limit);
            items.truncate(limit);
            meta["continue"] = json!(items.last().map(place));
        }
        if as_table {
            return Ok((200, table::of(self.resource, &items, &meta)));
        }
        let kind = format!("{}List", self.resource.kind);
        Ok((200, json!({ "apiVersion": self.resource.api_version(), "kind": kind, "metadata": meta, "items": items })))
    }

    fn body(&self) -> Result<Value, Refusal> {
        self.info
            .body
            .clone()
            .filter(Value::is_object)
            .ok_or_else(|| Refusal::new(400, "BadRequest", "the body is not an object"))
    }

    fn create(&self) -> Result<(u16, Value), Refusal> {
        let mut object = self.body()?;
        if self.resource.namespaced {
            if self.store.get("namespaces", "", &self.info.namespace).is_none() {
                return Err(Refusal::not_found("namespaces", &self.info.namespace));
            }
            object["metadata"]["namespace"] = json!(self.info.namespace);
        }
        if object["metadata"]["name"].is_null()
            && let Some(prefix) = object["metadata"]["generateName"].as_str()
        {
            let random = uuid::Uuid::new_v4().simple().to_string();
            object["metadata"]["name"] = json!(format!("{prefix}{}", &random[..5]));
        }
        encode_strings(self.resource, &mut object);
        if let Some(meta) = object["metadata"].as_object_mut() {
            for field in ["resourceVersion", "uid", "managedFields"] {
                meta.remove(field);
            }
        }
        apply::updated(&Value::Null, &mut object, self.info.manager());
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if self.info.dry_run() {
            return match self.store.get(&self.key, &self.info.namespace, name) {
                Some(_) => Err(Refusal::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", self.key))),
                None => Ok((201, object)),
            };
        }
        Ok((201, (*self.store.create(&self.key, object)?).clone()))
    }

    fn update(&self) -> Result<Value, Refusal> {
        let wanted = self.body()?;
        self.change(|before| {
            let (asked, now) =
                (wanted["metadata"]["resourceVersion"].as_str(), before["metadata"]["resourceVersion"].as_str());
            if asked.is_some_and(|asked| Some(asked) != now) {
                return Err(conflict(&self.key, before));
            }
            let uid = &wanted["metadata"]["uid"];
            if !uid.is_null() && uid != &before["metadata"]["uid"] {
                return Err(conflict(&self.key, before));
            }
            let mut after = wanted.clone();
            encode_strings(self.resource, &mut after);
            Ok(after)
        })
    }

    fn patch(&self) -> Result<Value, Refusal> {
        let content_type = self.info.content_type.clone();
        let body = self.info.body.clone().unwrap_or_default();
        if !content_type.starts_with("application/apply-patch") {
            if self.info.subresource.as_deref() == Some("scale") {
                let replicas = body["spec"]["replicas"].clone();
                return self.change(|before| {
                    let mut after = before.clone();
                    after["spec"][scale_field(self.resource)] = replicas;
                    Ok(after)
                });
            }
            return self.change(|before| {
                let mut after = before.clone();
                patch::patch(self.resource, &content_type, &mut after, &body)?;
                encode_strings(self.resource, &mut after);
                if body["metadata"]["resourceVersion"].is_string()
                    && after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
                {
                    return Err(conflict(&self.key, before));
                }
                Ok(after)
            });
        }
        let mut applied = body;
        encode_strings(self.resource, &mut applied);
        let name = self.info.name.as_deref().unwrap_or_default();
        let (manager, force) = (self.info.manager(), self.info.flag("force"));
        if self.store.get(&self.key, &self.info.namespace, name).is_some() {
            return self.write(|before| apply::apply(before, &applied, manager, force));
        }
        if self.resource.namespaced && self.store.get("namespaces", "", &self.info.namespace).is_none() {
            return Err(Refusal::not_found("namespaces", &self.info.namespace));
        }
        let mut object = apply::apply(&Value::Null, &applied, manager, force)?;
        object["metadata"]["namespace"] = json!(self.info.namespace);
        object["metadata"]["name"] = json!(name);
        if self.info.dry_run() { Ok(object) } else { Ok((*self.store.create(&self.key, object)?).clone()) }
    }

    /// A write that is no apply: ownership follows what it changed.
    fn change(&self, make: impl FnOnce(&Value) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        let manager = self.info.manager();
        self.write(|before| {
            let mut after = make(before)?;
            apply::updated(before, &mut after, manager);
            Ok(after)
        })
    }

    fn write(&self, make: impl FnOnce(&Value) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        let name = self.info.name.as_deref().unwrap_or_default();
        let only_status = self.info.subresource.as_deref() == Some("status");
        let make = |before: &Value| {
            let mut after = make(before)?;
            keep_fixed(before, &mut after, only_status);
            schema::validate(self.resource, &after)?;
            Ok::<_, Refusal>(after)
        };
        if self.info.dry_run() {
            let before = self
                .store
                .get(&self.key, &self.info.namespace, name)
                .ok_or_else(|| Refusal::not_found(&self.key, name))?;
            return make(&before);
        }
        let written = self.store.try_update(&self.key, &self.info.namespace, name, |object| {
            *object = make(object)?;
            Ok(())
        })?;
        let object = (*written).clone();
        Ok(if self.info.subresource.as_deref() == Some("scale") { scale_of(&object) } else { object })
    }

    fn delete(&self, name: &str) -> Result<Value, Refusal> {
        let there =
            self.store.get(&self.key, &self.info.namespace, name).ok_or_else(|| Refusal::not_found(&self.key, name))?;
        let options = self.info.body.clone().unwrap_or_default();
        let uid = &options["preconditions"]["uid"];
        if uid.is_string() && uid != &there["metadata"]["uid"] {
            return Err(conflict(&self.key, &there));
        }
        if self.info.dry_run() {
            return Ok(server::status(&Refusal::new(200, "", "")));
        }
        if let Some(seconds) = options["gracePeriodSeconds"].as_u64()
            && self.key == "pods"
        {
            self.store
                .update("pods", &self.info.namespace, name, |pod| {
                    pod["metadata"]["deletionGracePeriodSeconds"] = json!(seconds)
                })
                .ok();
        }
        if options["propagationPolicy"] == "Orphan" {
            self.orphan(&there["metadata"]["uid"]);
        }
        self.store.delete(&self.key, &self.info.namespace, name)?;
        let details = json!({ "name": name, "kind": self.resource.plural, "uid": there["metadata"]["uid"] });
        Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
    }

    fn orphan(&self, uid: &Value) {
        for (resource, object) in self.store.everything() {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_string();
            if object["metadata"]["ownerReferences"]
                .as_array()
                .is_some_and(|owners| owners.iter().any(|o| &o["uid"] == uid))
            {
                let free = |o: &mut Value| {
                    if let Some(owners) = o["metadata"]["ownerReferences"].as_array_mut() {
                        owners.retain(|owner| &owner["uid"] != uid);
                    }
                };
                self.store.update(&resource, &text("namespace"), &text("name"), free).ok();
            }
        }
    }
}

fn conflict(key: &str, object: &Value) -> Refusal {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!(
        "Operation cannot be fulfilled on {key} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
    );
    Refusal::new(409, "Conflict", message)
}

/// What no client can change, and the half that this endpoint does not write.
fn keep_fixed(before: &Value, after: &mut Value, only_status: bool) {
    for field in ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp"]
    {
        let old = &before["metadata"][field];
        match after["metadata"].as_object_mut() {
            Some(meta) if old.is_null() => drop(meta.remove(field)),
            Some(meta) => drop(meta.insert(field.into(), old.clone())),
            None => {}
        }
    }
    for field in ["apiVersion", "kind"] {
        after[field] = before[field].clone();
    }
    if only_status {
        let status = after["status"].clone();
        let managed = after["metadata"]["managedFields"].clone();
        *after = before.clone();
        after["status"] = status;
        after["metadata"]["managedFields"] = managed;
    } else if before["status"].is_null() {
        if let Some(map) = after.as_object_mut() {
            map.remove("status");
        }
    } else {
        after["status"] = before["status"].clone();
    }
}

/// A Secret's `stringData` becomes `data` on every write.
fn encode_strings(resource: &Resource, object: &mut Value) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    if resource.kind != "Secret" {
        return;
    }
    if let Some(Value::Object(texts)) = object.as_object_mut().and_then(|map| map.remove("stringData")) {
        for (key, text) in texts {
            object["data"][key] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
        }
    }
}

fn scale_field(resource: &Resource) -> &'static str {
    if resource.custom { "instances" } else { "replicas" }
}

fn scale_of(object: &Value) -> Value {
    let meta = &object["metadata"];
    let spec = object["spec"]["replicas"].as_i64().or(object["spec"]["instances"].as_i64()).unwrap_or(1);
    let status = object["status"]["replicas"].as_i64().or(object["status"]["instances"].as_i64()).unwrap_or(0);
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": { "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"], "resourceVersion": meta["resourceVersion"] },
        "spec": { "replicas": spec }, "status": { "replicas": status },
    })
}
