//! Pods as controllers make and remove them.
use super::{
    image,
    object::{self, array, controller_reference, namespace, text, told},
};
use crate::lab::api::store::Store;
use serde_json::{Value, json};

/// Keeps a pod in the API until its processes have ended, as the grace period does on a real cluster.
pub const FINALIZER: &str = "lab.pgmigrate.dev/kubelet";

/// Makes a pod from a template, owned by `owner`.
pub fn create(store: &Store, owner: &Value, template: &Value, name: &str, labels: &[(&str, &str)]) {
    let mut metadata = template["metadata"].clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    for (key, value) in labels {
        metadata["labels"][*key] = (*value).into();
    }
    metadata["name"] = name.into();
    metadata["namespace"] = namespace(owner).into();
    metadata["ownerReferences"] = controller_reference(owner);
    let mut spec = template["spec"].clone();
    for (key, value) in [("restartPolicy", json!("Always")), ("terminationGracePeriodSeconds", json!(30))] {
        if spec[key].is_null() {
            spec[key] = value;
        }
    }
    let mut status = json!({"phase": "Pending"});
    if image::all_known(template) {
        metadata["finalizers"] = json!([FINALIZER]);
    } else {
        status["containerStatuses"] = array(&spec["containers"]).iter().map(not_pulled).collect();
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status});
    told("pods", owner, store.create("pods", pod));
}

fn not_pulled(container: &Value) -> Value {
    let message = format!("the lab has no image \"{}\"", text(&container["image"]));
    let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    json!({"name": container["name"], "image": container["image"], "ready": false, "restartCount": 0, "state": state})
}

/// Lets a pod whose processes have ended go.
pub fn release(store: &Store, pod: &Value) {
    let same = |now: &Value| now["metadata"]["uid"] == pod["metadata"]["uid"];
    let _ = store.update("pods", namespace(pod), object::name(pod), |now| {
        if same(now)
            && let Some(all) = now["metadata"]["finalizers"].as_array_mut()
        {
            all.retain(|finalizer| finalizer != FINALIZER);
        }
    });
}

pub fn delete(store: &Store, pod: &Value) {
    if !object::leaving(pod) {
        told("pods", pod, store.delete("pods", namespace(pod), object::name(pod)));
    }
}

/// metadata.labels that a selector's matchLabels asks for.
pub fn add_label(template: &mut Value, key: &str, value: &str) {
    if !template["metadata"].is_object() {
        template["metadata"] = json!({});
    }
    if !template["metadata"]["labels"].is_object() {
        template["metadata"]["labels"] = json!({});
    }
    template["metadata"]["labels"][key] = value.into();
}
