//! The operator's side of one `postgresql` resource: objects, roles, databases, status, deletion.
use super::{CLUSTERS, Context, dcs::Dcs, login, manifest::Manifest, objects, roles, rolling};
use crate::lab::servers::Failure;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::lab::api::store::Change;

/// How long a new cluster may take to get a leader.
const LEADER: Duration = Duration::from_secs(300);

/// Until the resource is gone.
pub async fn run(context: Context, namespace: String, name: String) {
    let mut changes = context.store.changes();
    let mut last: Option<Manifest> = None;
    let mut due = Instant::now();
    loop {
        let Some(object) = context.store.get(CLUSTERS, &namespace, &name) else {
            if let Some(manifest) = last.filter(|manifest| !manifest.detached) {
                remove(&context, &manifest).await;
            }
            return;
        };
        let manifest = Manifest::read(&object);
        let edited = last
            .as_ref()
            .is_none_or(|last| last.generation != manifest.generation || last.detached != manifest.detached);
        if !manifest.detached && (edited || Instant::now() >= due) {
            let running = sync(&context, &manifest, edited).await;
            due = Instant::now() + if running { context.options.resync } else { context.options.repair };
        }
        last = Some(manifest);
        wait(&mut changes, &namespace, &name, due).await;
    }
}

/// For a change of this resource, or until `due`.
async fn wait(changes: &mut Receiver<Change>, namespace: &str, name: &str, due: Instant) {
    let news = async {
        loop {
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => return std::future::pending().await,
            };
            let about = &change.object["metadata"];
            if change.resource == CLUSTERS && about["namespace"] == namespace && about["name"] == name {
                return;
            }
        }
    };
    // A detached cluster has no due date, but looking costs nothing.
    let rest = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
    let _ = tokio::time::timeout(rest, news).await;
}

/// True when the cluster is Running afterwards.
async fn sync(context: &Context, manifest: &Manifest, edited: bool) -> bool {
    let before = status(context, manifest);
    if before.is_empty() {
        set_status(context, manifest, "Creating");
    } else if edited {
        set_status(context, manifest, "Updating");
    }
    ensure_objects(context, manifest);
    if manifest.instances == 0 {
        set_status(context, manifest, "Running");
        return true;
    }
    let creating = matches!(before.as_str(), "" | "Creating");
    match settle(context, manifest, creating).await {
        Ok(()) => {
            set_status(context, manifest, "Running");
            true
        }
        Err(failure) => {
            tracing::warn!("{}/{}: {failure}", manifest.namespace, manifest.name);
            set_status(context, manifest, if creating { "CreateFailed" } else { "UpdateFailed" });
            false
        }
    }
}

async fn settle(context: &Context, manifest: &Manifest, creating: bool) -> Result<(), Failure> {
    let dcs = Dcs::new(context.store.clone(), &manifest.namespace, &manifest.name);
    if creating {
        wait_for_leader(&dcs).await?;
    }
    patch_patroni(&dcs, manifest);
    let mut tries = 0;
    let client = loop {
        match login::connect(context, manifest).await {
            Ok(client) => break client,
            Err(failure) if tries >= 3 => return Err(failure),
            Err(failure) => {
                tries += 1;
                tracing::warn!(
                    "{}/{}: could not connect to Postgres database: {failure}",
                    manifest.namespace,
                    manifest.name
                );
                if !creating {
                    set_status(context, manifest, "Updating");
                }
                tokio::time::sleep(context.options.login).await;
            }
        }
        // The annotation may have come meanwhile: a sync under way ends here, not with a write.
        if is_detached(context, manifest) {
            return Ok(());
        }
    };
    roles::settle(context, manifest, &client).await?;
    drop(client);
    restart_pending(context, manifest).await;
    rolling::settle(context, manifest).await
}

fn is_detached(context: &Context, manifest: &Manifest) -> bool {
    let object = context.store.get(CLUSTERS, &manifest.namespace, &manifest.name);
    object.is_none_or(|object| Manifest::read(&object).detached)
}

async fn wait_for_leader(dcs: &Dcs) -> Result<(), Failure> {
    let deadline = Instant::now() + LEADER;
    while dcs.leader().is_none() || dcs.initialize().is_none() {
        if Instant::now() > deadline {
            return Err(Failure(format!("no leader of {} after {} s", dcs.cluster, LEADER.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Only keys that the manifest has: what others put into /config (pause, ignore_slots ...) stays.
fn patch_patroni(dcs: &Dcs, manifest: &Manifest) {
    let wanted = objects::dynamic_configuration(manifest);
    let mut patched = dcs.config();
    patched.iter_mut().for_each(|config| super::dcs::merge(config, &wanted));
    if patched != dcs.config() {
        dcs.patch_config(&wanted);
    }
}

/// Parameters that need it: every member is restarted in place, replicas first.
async fn restart_pending(context: &Context, manifest: &Manifest) {
    let dcs = Dcs::new(context.store.clone(), &manifest.namespace, &manifest.name);
    let leader = dcs.leader();
    let mut members = super::member::of_cluster(context, &dcs);
    members.sort_by_key(|member| Some(&member.name) == leader.as_ref());
    for member in members {
        if !dcs.paused() && member.restart_needed().await {
            super::actions::restart(&member, &json!({})).await;
        }
    }
}

fn ensure_objects(context: &Context, manifest: &Manifest) {
    let (store, namespace) = (&context.store, &manifest.namespace);
    for user in manifest.login_users() {
        // A Secret that is there is never given another password.
        if store.get("secrets", namespace, &manifest.secret(user)).is_none() {
            create(context, "secrets", objects::secret(manifest, user, &objects::password()));
        }
    }
    let absent = |resource: &str, object: &Value| {
        store.get(resource, namespace, object["metadata"]["name"].as_str().unwrap_or_default()).is_none()
    };
    for (resource, object) in objects::services(manifest)
        .map(|object| ("services", object))
        .into_iter()
        .chain(objects::endpoints(manifest).map(|object| ("endpoints", object)))
        .chain([
            ("poddisruptionbudgets.policy", objects::disruption_budget(manifest)),
            ("statefulsets.apps", objects::stateful_set(manifest)),
        ])
    {
        if absent(resource, &object) {
            create(context, resource, object);
        }
    }
    let scale = |set: &mut Value| set["spec"]["replicas"] = manifest.instances.into();
    let _ = store.update("statefulsets.apps", namespace, &manifest.name, scale);
}

fn create(context: &Context, resource: &str, object: Value) {
    if let Err(refusal) = context.store.create(resource, object) {
        tracing::warn!("{resource}: {}", refusal.message);
    }
}

fn status(context: &Context, manifest: &Manifest) -> String {
    let object = context.store.get(CLUSTERS, &manifest.namespace, &manifest.name);
    object.map(|object| super::manifest::text(&object["status"]["PostgresClusterStatus"])).unwrap_or_default()
}

fn set_status(context: &Context, manifest: &Manifest, status: &str) {
    let change = |object: &mut Value| object["status"]["PostgresClusterStatus"] = status.into();
    // The resource may just have been deleted.
    let _ = context.store.update(CLUSTERS, &manifest.namespace, &manifest.name, change);
}

/// The operator's defaults: Secrets and volumes go too (zalando.md, 1).
async fn remove(context: &Context, manifest: &Manifest) {
    let (store, namespace, name) = (&context.store, &manifest.namespace, &manifest.name);
    let _ = store.delete("statefulsets.apps", namespace, name);
    let labels = [("application", "spilo"), ("cluster-name", name.as_str())];
    let kinds = ["pods", "persistentvolumeclaims", "secrets", "services", "endpoints", "poddisruptionbudgets.policy"];
    for resource in kinds {
        for object in store.list_labelled(resource, namespace, &labels) {
            let _ = store.delete(resource, namespace, object["metadata"]["name"].as_str().unwrap_or_default());
        }
    }
}
