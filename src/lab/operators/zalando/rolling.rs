//! A change of what Spilo reads from its environment (pg_hba, initdb, local parameters, major): the StatefulSet's template is
//! replaced and every pod made anew, replicas first, then the leader after a switchover (zalando.md, 1).
use super::{
    Context, actions,
    dcs::Dcs,
    manifest::{Manifest, text},
    member::{Member, of_cluster},
    objects,
};
use crate::lab::servers::Failure;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long one pod may take to be a member again.
const LIMIT: Duration = Duration::from_secs(120);

pub async fn settle(context: &Context, manifest: &Manifest) -> Result<(), Failure> {
    let (store, namespace) = (&context.store, &manifest.namespace);
    let Some(set) = store.get("statefulsets.apps", namespace, &manifest.name) else { return Ok(()) };
    let wanted = objects::stateful_set(manifest);
    if local(&set["spec"]["template"]) != local(&wanted["spec"]["template"]) {
        let template = wanted["spec"]["template"].clone();
        let change = |set: &mut Value| set["spec"]["template"] = template;
        store.update("statefulsets.apps", namespace, &manifest.name, change).map_err(|r| Failure(r.message))?;
    }
    let dcs = Dcs::new(store.clone(), namespace, &manifest.name);
    let stale = |member: &Arc<Member>| {
        let pod = store.get("pods", namespace, &member.name);
        pod.is_some_and(|pod| local(&pod) != local(&wanted["spec"]["template"]))
    };
    let leader = dcs.leader();
    let members = of_cluster(context, &dcs);
    let (leaders, replicas): (Vec<_>, Vec<_>) = members.iter().partition(|m| Some(&m.name) == leader.as_ref());
    for member in replicas.iter().filter(|member| stale(member)) {
        renew(context, member).await?;
    }
    for member in leaders.into_iter().filter(|member| stale(member)) {
        if let Some(candidate) = replicas.first() {
            let body = json!({"leader": member.name, "candidate": candidate.name});
            let (code, said) = actions::switchover(member, &body).await;
            if code != 200 {
                return Err(Failure(format!("could not switch over: {said}")));
            }
        }
        renew(context, member).await?;
    }
    Ok(())
}

/// What of a pod (or template) comes from the manifest and is no dynamic configuration: that is compared nowhere but in Patroni.
fn local(pod: &Value) -> (String, Value) {
    let text_of = |name: &str| objects::env_value(pod, name).unwrap_or_default();
    let mut configuration: Value = serde_json::from_str(&text_of("SPILO_CONFIGURATION")).unwrap_or_default();
    if let Some(bootstrap) = configuration["bootstrap"].as_object_mut() {
        bootstrap.remove("dcs");
    }
    (text_of("PGVERSION"), configuration)
}

async fn renew(context: &Context, member: &Arc<Member>) -> Result<(), Failure> {
    let (store, namespace, name) = (&context.store, &member.dcs.namespace, &member.name);
    let uid = |pod: Option<Arc<Value>>| pod.map(|pod| text(&pod["metadata"]["uid"]));
    let before = uid(store.get("pods", namespace, name));
    store.delete("pods", namespace, name).map_err(|refusal| Failure(refusal.message))?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let pod = store.get("pods", namespace, name);
        let labelled = pod.as_ref().is_some_and(|pod| pod["metadata"]["labels"]["spilo-role"].is_string());
        if labelled && uid(pod) != before {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure(format!("pod {name} is no member again after {} s", LIMIT.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
