//! The lab's API server by its clients: the kube crate, and stock kubectl where there is one.
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::{authorization::v1::SelfSubjectAccessReview, core::v1::ConfigMap};
use kube::{
    Api, Client, Config, Error,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
        ValidationDirective, WatchEvent, WatchParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
    core::GroupVersionKind,
};
use pgmigrate::lab::{
    api::{
        rbac::{Rule, User},
        server::{ADMIN, NoFaults, Server},
        store::Store,
    },
    node::Node,
};
use serde_json::{Value, json};
use std::{process::Command, sync::Arc};

struct World {
    store: Store,
    node: Node,
    server: Server,
    dir: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.node.stop();
    }
}

impl World {
    async fn new() -> World {
        let (store, dir) = (Store::new(), tempfile::tempdir().expect("a directory"));
        // No Service is made here, so no address of this subnet is used.
        let node = Node::new(store.clone(), dir.path().to_owned(), 250);
        let server = Server::start(store.clone(), node.clone(), Arc::new(NoFaults), 0).await.expect("a server");
        store.create("namespaces", json!({ "metadata": { "name": "shop" } })).expect("a namespace");
        World { store, node, server, dir }
    }

    async fn client(&self, user: &str) -> Client {
        let config = Kubeconfig::from_yaml(&self.server.kubeconfig(user, "shop")).expect("a kubeconfig");
        let config =
            Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.expect("a configuration");
        Client::try_from(config).expect("a client")
    }

    async fn api(&self, group: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural);
        Api::namespaced_with(self.client(ADMIN).await, "shop", &resource)
    }

    async fn configmaps(&self) -> Api<ConfigMap> {
        Api::default_namespaced(self.client(ADMIN).await)
    }
}

fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of this type")
}

fn map(name: &str, data: Value) -> ConfigMap {
    of(
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "app": name } }, "data": data }),
    )
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (u16, String) {
    match outcome {
        Err(Error::Api(status)) => (status.code, status.message.clone()),
        other => panic!("no refusal but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_made_changed_listed_and_deleted() {
    let world = World::new().await;
    let api = world.configmaps().await;
    let post = PostParams::default();
    let made = api.create(&post, &map("a", json!({ "k": "1" }))).await.unwrap();
    assert!(made.metadata.uid.is_some() && made.metadata.managed_fields.is_some());
    assert_eq!(refusal(api.create(&post, &map("a", json!({}))).await).0, 409);
    assert_eq!(refusal(api.create(&post, &map("A_b", json!({}))).await).0, 422);

    let mut newer = made.clone();
    newer.data.as_mut().unwrap().insert("k".into(), "2".into());
    api.replace("a", &post, &newer).await.unwrap();
    let (code, message) = refusal(api.replace("a", &post, &newer).await);
    assert_eq!(code, 409);
    assert!(message.contains("Operation cannot be fulfilled on configmaps \"a\""), "{message}");

    let patch = json!({ "metadata": { "resourceVersion": "1" }, "data": { "k": "3" } });
    assert_eq!(refusal(api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await).0, 409);
    let operations: json_patch::Patch =
        of(json!([{ "op": "test", "path": "/data/k", "value": "2" }, { "op": "remove", "path": "/data/k" }]));
    let patched = api.patch("a", &PatchParams::default(), &Patch::Json::<()>(operations)).await.unwrap();
    assert_eq!(patched.data.unwrap_or_default().len(), 0);

    for name in ["b", "c", "d"] {
        api.create(&post, &map(name, json!({}))).await.unwrap();
    }
    let page = api.list(&ListParams::default().limit(3)).await.unwrap();
    let token = page.metadata.continue_.expect("there is more");
    assert_eq!((page.items.len(), page.metadata.remaining_item_count), (3, Some(1)));
    assert_eq!(api.list(&ListParams::default().limit(3).continue_token(&token)).await.unwrap().items.len(), 1);
    assert_eq!(api.list(&ListParams::default().labels("app in (b,c),app!=c")).await.unwrap().items.len(), 1);
    assert_eq!(refusal(api.list(&ListParams::default().fields("data.k=1")).await).0, 400);

    let other = DeleteParams {
        preconditions: Some(Preconditions { uid: Some("another".into()), ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(refusal(api.delete("a", &other).await).0, 409);
    api.delete("a", &DeleteParams { dry_run: true, ..DeleteParams::default() }).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(api.get("a").await), (404, "configmaps \"a\" not found".into()));
    let elsewhere: Api<ConfigMap> = Api::namespaced(world.client(ADMIN).await, "nowhere");
    assert_eq!(
        refusal(elsewhere.create(&post, &map("a", json!({}))).await),
        (404, "namespaces \"nowhere\" not found".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owned_goes_with_its_owner_also_when_it_comes_too_late() {
    let world = World::new().await;
    let api = world.configmaps().await;
    let post = PostParams::default();
    let owner = api.create(&post, &map("owner", json!({}))).await.unwrap();
    let reference = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid });
    let of_owner = |name: &str| -> ConfigMap {
        of(json!({ "metadata": { "name": name, "ownerReferences": [reference] }, "data": {} }))
    };
    api.create(&post, &of_owner("early")).await.unwrap();
    assert!(api.get("early").await.is_ok());
    api.delete("owner", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(api.get("early").await).0, 404);
    // Whoever makes this has not seen the owner go.
    assert!(api.create(&post, &of_owner("late")).await.unwrap().metadata.uid.is_some());
    assert_eq!(refusal(api.get("late").await).0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_from_a_version_and_its_selector_decides() {
    let world = World::new().await;
    let api = world.configmaps().await;
    api.create(&PostParams::default(), &map("a", json!({}))).await.unwrap();
    let version = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut watch = api.watch(&WatchParams::default().labels("app=a").timeout(20), &version).await.unwrap().boxed();
    api.create(&PostParams::default(), &map("b", json!({}))).await.unwrap();
    for label in ["b", "a"] {
        let patch = json!({ "metadata": { "labels": { "app": label } } });
        api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        match watch.try_next().await.unwrap().expect("the watch goes on") {
            WatchEvent::Added(o) => told.push(format!("added {}", o.metadata.name.unwrap())),
            WatchEvent::Deleted(o) => told.push(format!("deleted {}", o.metadata.name.unwrap())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["deleted a", "added a", "deleted a"]);

    // More changes than are remembered.
    let noise = json!({ "metadata": { "name": "noise", "namespace": "shop" } });
    world.store.create("configmaps", noise).unwrap();
    for i in 0..4100 {
        world.store.update("configmaps", "shop", "noise", |map| map["data"]["n"] = json!(i.to_string())).unwrap();
    }
    let outcome = api.watch(&WatchParams::default(), &version).await;
    let code = match outcome {
        Err(Error::Api(status)) => status.code,
        Err(other) => panic!("{other}"),
        Ok(stream) => match stream.boxed().try_next().await.unwrap() {
            Some(WatchEvent::Error(status)) => status.code,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(code, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn applies_conflict_and_let_go() {
    let world = World::new().await;
    let api = world.api("postgresql.cnpg.io", "Cluster", "clusters").await;
    let cluster = |spec: Value| json!({ "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": { "name": "db" }, "spec": spec });
    let apply = |manager: &str| PatchParams::apply(manager);
    let spec = json!({ "instances": 1, "storage": { "size": "1Gi" }, "smartShutdownTimeout": 1 });
    api.patch("db", &apply("one"), &Patch::Apply(cluster(spec))).await.unwrap();
    let (code, message) =
        refusal(api.patch("db", &apply("two"), &Patch::Apply(cluster(json!({ "instances": 2 })))).await);
    assert_eq!((code, message.as_str()), (409, "Apply failed with 1 conflict: conflict with \"one\": .spec.instances"));
    api.patch("db", &apply("two").force(), &Patch::Apply(cluster(json!({ "instances": 2 })))).await.unwrap();
    let less =
        api.patch("db", &apply("one"), &Patch::Apply(cluster(json!({ "storage": { "size": "1Gi" } })))).await.unwrap();
    assert_eq!(less.data["spec"], json!({ "instances": 2, "storage": { "size": "1Gi" } }));
    assert_eq!(less.metadata.generation, Some(3));

    // A dry run changes nothing; neither does what is there already.
    let before = api.get("db").await.unwrap().metadata.resource_version;
    let dry = api
        .patch("db", &apply("one").dry_run(), &Patch::Apply(cluster(json!({ "storage": { "size": "2Gi" } }))))
        .await
        .unwrap();
    assert_eq!(dry.data["spec"]["storage"]["size"], "2Gi");
    api.patch("db", &apply("one"), &Patch::Apply(cluster(json!({ "storage": { "size": "1Gi" } })))).await.unwrap();
    assert_eq!(api.get("db").await.unwrap().metadata.resource_version, before);

    // An Update under the manager's own name is another owner.
    let params = PatchParams { field_manager: Some("one".into()), ..PatchParams::default() };
    api.patch("db", &params, &Patch::Merge(json!({ "spec": { "storage": { "size": "3Gi" } } }))).await.unwrap();
    let (code, message) =
        refusal(api.patch("db", &apply("one"), &Patch::Apply(cluster(json!({ "storage": { "size": "1Gi" } })))).await);
    assert_eq!(code, 409);
    assert!(message.contains("conflict with \"one\" using postgresql.cnpg.io/v1 at "), "{message}");

    // Status and spec do not see each other; scale is a view of one number.
    api.patch_status(
        "db",
        &PatchParams::default(),
        &Patch::Merge(json!({ "status": { "phase": "x" }, "spec": { "instances": 9 } })),
    )
    .await
    .unwrap();
    let scale = api
        .patch_scale("db", &PatchParams::default(), &Patch::Merge(json!({ "spec": { "replicas": 3 } })))
        .await
        .unwrap();
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(3));
    let now = api.get("db").await.unwrap();
    assert_eq!((&now.data["spec"]["instances"], &now.data["status"]["phase"]), (&json!(3), &json!("x")));
    let strategic = api.patch("db", &PatchParams::default(), &Patch::Strategic(json!({}))).await;
    assert_eq!(refusal(strategic).0, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_refused_each_in_its_way() {
    let world = World::new().await;
    let api = world.api("postgresql.cnpg.io", "Cluster", "clusters").await;
    let cluster = |spec: Value| json!({ "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": { "name": "db" }, "spec": spec });
    let strict = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("one") };
    let (code, message) = refusal(api.patch("db", &strict, &Patch::Apply(cluster(json!({ "instnces": 1 })))).await);
    assert_eq!(code, 500);
    assert!(
        message
            .contains("(shop/db; postgresql.cnpg.io/v1, Kind=Cluster): .spec.instnces: field not declared in schema"),
        "{message}"
    );
    // The kube crate's create has no such parameter.
    let client = world.client(ADMIN).await;
    let create = |path: &str, object: Value| {
        let uri = format!("/apis/{path}?fieldValidation=Strict");
        let request = http::Request::post(uri).header("Content-Type", "application/json");
        let request = request.body(object.to_string().into_bytes()).expect("a request");
        let client = client.clone();
        async move { client.request::<Value>(request).await }
    };
    let clusters = "postgresql.cnpg.io/v1/namespaces/shop/clusters";
    let (code, message) = refusal(create(clusters, cluster(json!({ "instnces": 1 }))).await);
    assert_eq!(code, 400);
    assert!(message.ends_with("strict decoding error: unknown field \"spec.instnces\""), "{message}");
    assert_eq!(refusal(create(clusters, cluster(json!({ "instances": "1" }))).await).0, 422);
    let fixed = json!({ "instances": 1, "postgresql": { "parameters": { "hba_file": "x" } } });
    let (code, message) = refusal(create(clusters, cluster(fixed)).await);
    assert_eq!(code, 422);
    assert!(message.contains("admission webhook \"vcluster.cnpg.io\" denied the request"), "{message}");
    // Not strict: dropped without a word.
    let made = api.create(&PostParams::default(), &of(cluster(json!({ "instances": 1, "foo": 1 })))).await.unwrap();
    assert_eq!(made.data["spec"], json!({ "instances": 1 }));
    let merge = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
    assert_eq!(refusal(api.patch("db", &merge, &Patch::Merge(json!({ "spec": { "foo": 1 } }))).await).0, 422);

    let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": { "replcas": 1 } });
    assert_eq!(refusal(create("apps/v1/namespaces/shop/deployments", deployment).await).0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_roles_decide() {
    let world = World::new().await;
    let some = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    let rule = Rule {
        verbs: some(&["get"]),
        groups: some(&[""]),
        resources: some(&["configmaps"]),
        names: some(&["a"]),
        namespace: Some("shop".into()),
    };
    world.server.access().set(User { name: "reader".into(), token: "t".into(), rules: vec![rule], ..User::default() });
    world.configmaps().await.create(&PostParams::default(), &map("a", json!({}))).await.unwrap();
    let client = world.client("reader").await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "shop");
    api.get("a").await.unwrap();
    let expected = "configmaps \"b\" is forbidden: User \"reader\" cannot get resource \"configmaps\" in API group \"\" in the namespace \"shop\"";
    assert_eq!(refusal(api.get("b").await), (403, expected.into()));
    assert_eq!(refusal(api.list(&ListParams::default()).await).0, 403);

    let group = "rbac.authorization.k8s.io";
    let role = json!({ "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": { "name": "lister" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"] }] });
    let binding = json!({ "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": { "name": "lister" },
        "subjects": [{ "kind": "User", "name": "reader" }], "roleRef": { "kind": "Role", "name": "lister", "apiGroup": group } });
    world.api(group, "Role", "roles").await.create(&PostParams::default(), &of(role)).await.unwrap();
    world.api(group, "RoleBinding", "rolebindings").await.create(&PostParams::default(), &of(binding)).await.unwrap();
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);

    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    for (verb, allowed) in [("list", true), ("delete", false)] {
        let review = of(
            json!({ "spec": { "resourceAttributes": { "namespace": "shop", "verb": verb, "resource": "configmaps" } } }),
        );
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.map(|status| status.allowed), Some(allowed), "{verb}");
    }
    world.server.access().set(User { name: "reader".into(), token: "another".into(), ..User::default() });
    assert_eq!(refusal(api.get("a").await).0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_kubectl_is_content() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        eprintln!("no kubectl here");
        return;
    }
    let world = World::new().await;
    let config = world.dir.path().join("kubeconfig");
    std::fs::write(&config, world.server.kubeconfig(ADMIN, "shop")).unwrap();
    let (cache, file) = (world.dir.path().join("cache"), world.dir.path().join("deployment.yaml"));
    let run = |arguments: &str| {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &config).arg("--cache-dir").arg(&cache).args(arguments.split(' '));
        let output = command.output().expect("kubectl runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let good = |arguments: &str| match run(arguments) {
        (true, text) => text,
        (false, text) => panic!("kubectl {arguments}: {text}"),
    };
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: web:1}]}\n";
    std::fs::write(&file, deployment).unwrap();
    let apply = format!("apply -f {}", file.display());
    assert_eq!(good(&apply), "deployment.apps/web created\n");
    assert_eq!(good(&apply), "deployment.apps/web unchanged\n");
    good("scale deploy web --replicas 3");
    good("set image deploy/web web=web:2");
    assert!(good("get deploy -o wide").contains("web:2"));
    let shown = good("describe deployment web");
    assert!(shown.contains("3 desired") && shown.contains("web:2"), "{shown}");
    std::fs::write(&file, deployment.replace("image:", "imagee:")).unwrap();
    let (done, text) = run(&apply);
    assert!(!done && text.contains("unknown field \"spec.template.spec.containers[0].imagee\""), "{text}");
    assert_eq!(good("get pg,clusters,pods -o wide").trim(), "No resources found in shop namespace.");
    assert_eq!(good("auth can-i delete clusters.postgresql.cnpg.io").trim(), "yes");
    good("create configmap settings --from-literal=a=b");
    good("create secret generic login --from-literal=password=x");
    assert_eq!(good("get secret login -o jsonpath={.data.password}"), "eA==");
    let mut watch = Command::new("kubectl");
    watch.env("KUBECONFIG", &config).arg("--cache-dir").arg(&cache);
    let watch = watch.args(["get", "cm", "settings", "-w", "--request-timeout=2s"]).output();
    let shown = String::from_utf8_lossy(&watch.expect("kubectl runs").stdout).into_owned();
    assert!(shown.starts_with("NAME       DATA   AGE\nsettings   1"), "{shown}");
    assert_eq!(good("get cm settings -o jsonpath={.data.a}"), "b");
    assert_eq!(good("delete deploy web"), "deployment.apps \"web\" deleted\n");
}
