//! update and patch, of objects and of their status and scale.

use super::{apply, defaults, patch, scale, schema, store::Refusal, verbs::Call};
use serde_json::{Value, json};

impl Call<'_> {
    pub fn update(&self) -> Result<(u16, Value), Refusal> {
        let wanted = self.body()?;
        if self.resource.custom && wanted["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
            let message = format!(
                "{} \"{}\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update",
                self.key,
                self.name()
            );
            return Err(Refusal::new(422, "Invalid", message));
        }
        let object = self.change(|before| {
            self.guard(before, &wanted)?;
            let mut after = wanted.clone();
            defaults::encode_strings(self.resource, &mut after);
            Ok(after)
        })?;
        Ok((200, object))
    }

    /// A uid or resourceVersion that the caller names must be the object's.
    pub fn guard(&self, before: &Value, asked: &Value) -> Result<(), Refusal> {
        let same = |field: &str| {
            let asked = asked["metadata"][field].as_str().filter(|text| !text.is_empty());
            asked.is_none_or(|asked| before["metadata"][field] == asked)
        };
        if same("resourceVersion") && same("uid") { Ok(()) } else { Err(conflict(&self.key, self.name())) }
    }

    pub fn patch(&self) -> Result<(u16, Value), Refusal> {
        let content_type = self.info.content_type.as_str();
        let body = self.info.body.clone().unwrap_or_default();
        if content_type.starts_with("application/apply-patch") {
            return self.apply();
        }
        let object = self.change(|before| {
            let mut after = before.clone();
            patch::patch(self.resource, content_type, &mut after, &body)?;
            self.guard(before, &after)?;
            schema::patched(self.resource, self.info, before, &after)?;
            defaults::encode_strings(self.resource, &mut after);
            Ok(after)
        })?;
        Ok((200, object))
    }

    fn apply(&self) -> Result<(u16, Value), Refusal> {
        let mut applied = self.body()?;
        if applied["kind"].is_null() || applied["apiVersion"].is_null() {
            return Err(Refusal::new(400, "BadRequest", "invalid object type: apiVersion and kind are required"));
        }
        if applied["metadata"]["managedFields"].as_array().is_some_and(|fields| !fields.is_empty()) {
            return Err(Refusal::new(400, "BadRequest", "metadata.managedFields must be nil"));
        }
        if !self.info.query.contains_key("fieldManager") {
            let message =
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
            return Err(Refusal::new(422, "Invalid", message));
        }
        defaults::encode_strings(self.resource, &mut applied);
        let (manager, force) = (self.info.manager(), self.info.flag("force"));
        if self.store.get(&self.key, &self.info.namespace, self.name()).is_some() {
            let write = |before: &Value| {
                self.guard(before, &applied)?;
                apply::apply(before, &applied, manager, force)
            };
            return Ok((200, self.write(write)?));
        }
        if self.info.subresource.is_some() {
            return Err(Refusal::not_found(&self.key, self.name()));
        }
        self.home()?;
        let mut object = apply::apply(&Value::Null, &applied, manager, force)?;
        object["metadata"]["name"] = json!(self.name());
        let managed = object["metadata"]["managedFields"].clone();
        Ok((201, self.make(object, |object| object["metadata"]["managedFields"] = managed)?))
    }

    /// A write that is no apply: ownership follows what it changed.
    fn change(&self, make: impl Fn(&Value) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        let sub = self.info.subresource.as_deref();
        self.write(|before| {
            // Of a scale, the client sees and sends nothing but the view of it.
            let mut after = if sub == Some("scale") {
                let view = make(&scale::of(before))?;
                let mut after = before.clone();
                after["spec"][scale::field(self.resource)] = replicas(&view)?;
                after
            } else {
                make(before)?
            };
            keep_fixed(self, before, &mut after);
            apply::updated(before, &mut after, self.info.manager(), sub);
            Ok(after)
        })
    }

    fn write(&self, make: impl Fn(&Value) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        let make = |before: &Value| {
            let mut after = make(before)?;
            keep_fixed(self, before, &mut after);
            schema::prune(self.resource, &mut after);
            defaults::fill(self.resource, &mut after);
            schema::validate(self.resource, Some(before), &after)?;
            // Nothing but the time of ownership differs: not a change.
            Ok::<_, Refusal>(if same(before, &after) { before.clone() } else { after })
        };
        let object = if self.info.dry_run() {
            make(&*self.there()?)?
        } else {
            let write = |object: &mut Value| {
                *object = make(object)?;
                Ok(())
            };
            (*self.store.try_update(&self.key, &self.info.namespace, self.name(), write)?).clone()
        };
        Ok(if self.info.subresource.as_deref() == Some("scale") { scale::of(&object) } else { object })
    }
}

fn replicas(view: &Value) -> Result<Value, Refusal> {
    match view["spec"]["replicas"].as_i64() {
        Some(count) if count >= 0 => Ok(json!(count)),
        // A Scale without the number says none.
        None if view["spec"]["replicas"].is_null() => Ok(json!(0)),
        _ => {
            let message =
                format!("spec.replicas: Invalid value: {}: must be a number not below 0", view["spec"]["replicas"]);
            Err(Refusal::new(422, "Invalid", message))
        }
    }
}

pub fn conflict(key: &str, name: &str) -> Refusal {
    let message = format!(
        "Operation cannot be fulfilled on {key} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
    );
    Refusal::new(409, "Conflict", message)
}

fn same(before: &Value, after: &Value) -> bool {
    let plain = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        object
    };
    plain(before) == plain(after)
}

/// What no client can change, and the half that this endpoint does not write.
fn keep_fixed(call: &Call, before: &Value, after: &mut Value) {
    let fixed = ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp"];
    if !after["metadata"].is_object() {
        after["metadata"] = json!({});
    }
    let managed = before["metadata"]["managedFields"].clone();
    for field in fixed {
        let old = &before["metadata"][field];
        match after["metadata"].as_object_mut() {
            Some(meta) if old.is_null() => drop(meta.remove(field)),
            Some(meta) => drop(meta.insert(field.into(), old.clone())),
            None => {}
        }
    }
    // A client that sends `[]` wipes the record; one that sends none leaves it.
    if after["metadata"]["managedFields"].is_null() && !managed.is_null() {
        after["metadata"]["managedFields"] = managed;
    }
    for field in ["apiVersion", "kind"] {
        after[field] = before[field].clone();
    }
    if call.info.subresource.as_deref() == Some("status") {
        let status = after["status"].clone();
        let managed = after["metadata"]["managedFields"].clone();
        *after = before.clone();
        after["status"] = status;
        after["metadata"]["managedFields"] = managed;
    } else if call.resource.has_status() {
        match after.as_object_mut() {
            Some(map) if before["status"].is_null() => drop(map.remove("status")),
            Some(map) => drop(map.insert("status".into(), before["status"].clone())),
            None => {}
        }
    }
}
