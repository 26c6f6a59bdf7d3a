//! As much OpenAPI as kubectl needs to leave validation to the server (that a PATCH of each type takes `fieldValidation`),
//! and the schemas of custom types: the lab's own, or those of a CustomResourceDefinition that somebody has put there.

use super::{resources::RESOURCES, schema, store::Store};
use serde_json::{Map, Value, json};

pub fn v2() -> Value {
    json!({ "swagger": "2.0", "info": { "title": "pgmigrate lab", "version": "v1" }, "paths": {}, "definitions": {} })
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Where the document of each group and version is.
pub fn index<'a>(groups: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut paths = Map::new();
    for (group, version) in groups {
        let path = path(group, version);
        paths.insert(path.clone(), json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash=lab") }));
    }
    json!({ "paths": paths })
}

pub fn of(group: &str, version: &str, store: &Store) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in RESOURCES.iter().filter(|r| r.group == group && r.version == version) {
        let namespace = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let path = format!("/{}/{namespace}{}/{{name}}", path(group, version), resource.plural);
        let parameter =
            |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
        let kind = json!({ "group": group, "version": version, "kind": resource.kind });
        let defined = store.get("customresourcedefinitions.apiextensions.k8s.io", "", &resource.key());
        let defined = defined.map(|crd| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone());
        if let Some(mut schema) = defined.or_else(|| schema::published(resource)) {
            schema["x-kubernetes-group-version-kind"] = json!([kind]);
            schemas.insert(format!("{group}.{version}.{}", resource.kind), schema);
        }
        paths.insert(
            path,
            json!({ "patch": {
                "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation"), parameter("force")],
                "responses": { "200": { "description": "OK" } },
                "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": kind,
            } }),
        );
    }
    json!({ "openapi": "3.0.0", "info": { "title": "pgmigrate lab", "version": "v1" }, "paths": paths, "components": { "schemas": schemas } })
}
