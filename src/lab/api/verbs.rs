//! get, list and create; the other verbs are in `write` and `delete`.

use super::{
    apply, defaults,
    request::RequestInfo,
    resources::Resource,
    scale, schema,
    selector::Selector,
    store::{Refusal, Store, born},
    table,
};
use serde_json::{Value, json};

pub fn answer(store: &Store, resource: &Resource, info: &RequestInfo, as_table: bool) -> Result<(u16, Value), Refusal> {
    let call = Call { store, resource, info, key: resource.key() };
    let name = info.name.as_deref().unwrap_or_default();
    call.subresource()?;
    match (info.verb, info.subresource.as_deref()) {
        ("create", Some("eviction")) => call.delete(name, &call.delete_options()).map(|status| (201, status)),
        ("get", sub) => {
            let object = (*call.there()?).clone();
            if sub == Some("scale") {
                return Ok((200, scale::of(&object)));
            }
            Ok((200, if as_table { call.table(&[object], &json!({})) } else { object }))
        }
        ("list", _) => call.list(as_table),
        ("create", None) => call.create(),
        ("update", _) => call.update(),
        ("patch", _) => call.patch(),
        ("delete", None) => call.delete(name, &call.delete_options()).map(|status| (200, status)),
        ("deletecollection", _) => call.delete_all(),
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

/// One call, with all that its answer depends on.
pub(super) struct Call<'a> {
    pub store: &'a Store,
    pub resource: &'a Resource,
    pub info: &'a RequestInfo,
    /// The store's name of the type.
    pub key: String,
}

impl Call<'_> {
    fn subresource(&self) -> Result<(), Refusal> {
        let known = match self.info.subresource.as_deref() {
            None => true,
            Some("status") => self.resource.has_status(),
            Some("scale") => self.resource.scale,
            Some("eviction") => self.key == "pods",
            Some(_) => false,
        };
        let missing = || Refusal::new(404, "NotFound", "the server could not find the requested resource");
        known.then_some(()).ok_or_else(missing)
    }

    pub fn name(&self) -> &str {
        self.info.name.as_deref().unwrap_or_default()
    }

    pub fn there(&self) -> Result<std::sync::Arc<Value>, Refusal> {
        let found = self.store.get(&self.key, &self.info.namespace, self.name());
        found.ok_or_else(|| Refusal::not_found(&self.key, self.name()))
    }

    pub fn table(&self, objects: &[Value], meta: &Value) -> Value {
        table::of(self.resource, objects, meta, table::Include::asked(self.info))
    }

    /// The version of the list, and what the selectors let through.
    pub fn selected(&self) -> Result<(u64, Vec<Value>), Refusal> {
        let selector = Selector::of(self.resource, self.info)?;
        let namespace = Some(self.info.namespace.as_str()).filter(|n| !n.is_empty());
        let (version, objects) = self.store.snapshot(&self.key, namespace);
        Ok((version, objects.iter().filter(|o| selector.matches(o)).map(|o| (**o).clone()).collect()))
    }

    /// Pages by `namespace/name`: the token is the last one sent.
    fn list(&self, as_table: bool) -> Result<(u16, Value), Refusal> {
        let (version, mut items) = self.selected()?;
        let place = |o: &Value| {
            let text = |field: &str| o["metadata"][field].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        if let Some(token) = self.info.query.get("continue").filter(|token| !token.is_empty()) {
            let (namespace, name) = token.split_once('/').unwrap_or_default();
            items.retain(|item| place(item) > (namespace.to_owned(), name.to_owned()));
        }
        let mut meta = json!({ "resourceVersion": version.to_string() });
        let limit = self.info.query.get("limit").and_then(|l| l.parse::<usize>().ok()).filter(|l| *l > 0);
        if let Some(limit) = limit.filter(|limit| items.len() > *limit) {
            meta["remainingItemCount"] = json!(items.len() - limit);
            items.truncate(limit);
            meta["continue"] = json!(items.last().map(|last| {
                let (namespace, name) = place(last);
                format!("{namespace}/{name}")
            }));
        }
        if as_table {
            return Ok((200, self.table(&items, &meta)));
        }
        if !self.resource.custom {
            // Items of a built-in type come without their type's names, a trap for readers of lists.
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.retain(|field, _| !matches!(field.as_str(), "apiVersion" | "kind"));
            }
        }
        let kind = format!("{}List", self.resource.kind);
        Ok((200, json!({ "apiVersion": self.resource.api_version(), "kind": kind, "metadata": meta, "items": items })))
    }

    pub fn body(&self) -> Result<Value, Refusal> {
        let bad = |message: String| Refusal::new(400, "BadRequest", message);
        let body = self.info.body.clone().filter(Value::is_object);
        let body = body.ok_or_else(|| bad("the body is not an object".into()))?;
        let (version, kind) = (self.resource.api_version(), self.resource.kind);
        let differs = |field: &str, ours: &str| body[field].as_str().is_some_and(|theirs| theirs != ours);
        if self.info.subresource.is_none() && (differs("apiVersion", &version) || differs("kind", kind)) {
            let (theirs, sort) = (&body["apiVersion"], &body["kind"]);
            return Err(bad(format!(
                "the object provided is unrecognized (must be of type {version}, {kind}): {theirs}, {sort}"
            )));
        }
        let name = body["metadata"]["name"].as_str();
        if self.info.name.is_some() && name.is_some_and(|name| name != self.name()) {
            let message = format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                name.unwrap_or_default(),
                self.name()
            );
            return Err(bad(message));
        }
        let namespace = body["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty());
        if namespace.is_some_and(|namespace| namespace != self.info.namespace) {
            return Err(bad(
                "the namespace of the provided object does not match the namespace sent on the request".into()
            ));
        }
        Ok(body)
    }

    /// The namespace must be there, and stay.
    pub fn home(&self) -> Result<(), Refusal> {
        if !self.resource.namespaced {
            return Ok(());
        }
        let namespace = &self.info.namespace;
        let found =
            self.store.get("namespaces", "", namespace).ok_or_else(|| Refusal::not_found("namespaces", namespace))?;
        if found["metadata"]["deletionTimestamp"].is_string() {
            let message =
                format!("unable to create new content in namespace {namespace} because it is being terminated");
            return Err(Refusal::new(403, "Forbidden", message));
        }
        Ok(())
    }

    fn create(&self) -> Result<(u16, Value), Refusal> {
        let mut object = self.body()?;
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let prefix = object["metadata"]["generateName"].as_str().map(str::to_owned);
        if let Some(prefix) = prefix.filter(|_| object["metadata"]["name"].as_str().is_none_or(str::is_empty)) {
            let random = uuid::Uuid::new_v4().simple().to_string();
            object["metadata"]["name"] = json!(format!("{prefix}{}", &random[..5]));
        }
        defaults::encode_strings(self.resource, &mut object);
        self.home()?;
        Ok((201, self.make(object, |object| apply::updated(&Value::Null, object, self.info.manager(), None))?))
    }

    /// The end of a create, by POST or by apply: fields of the server's own, checks, ownership, and the object itself.
    pub fn make(&self, mut object: Value, own: impl FnOnce(&mut Value)) -> Result<Value, Refusal> {
        if let Some(meta) = object["metadata"].as_object_mut() {
            for field in [
                "resourceVersion",
                "uid",
                "managedFields",
                "generation",
                "creationTimestamp",
                "deletionTimestamp",
                "selfLink",
            ] {
                meta.remove(field);
            }
            if self.resource.namespaced {
                meta.insert("namespace".into(), json!(self.info.namespace));
            }
        }
        if self.resource.has_status()
            && let Some(map) = object.as_object_mut()
        {
            map.remove("status");
        }
        schema::prune(self.resource, &mut object);
        schema::name(&self.key, &object)?;
        own(&mut object);
        defaults::fill(self.resource, &mut object);
        schema::validate(self.resource, None, &object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if !self.info.dry_run() {
            return Ok((*self.store.create(&self.key, object)?).clone());
        }
        if self.store.get(&self.key, &self.info.namespace, name).is_some() {
            return Err(Refusal::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", self.key)));
        }
        born(&self.key, &mut object);
        Ok(object)
    }
}
