//! `kind/name` as kubectl writes it, and what conditions mean for each kind.

use crate::{
    error::{Error, Result},
    kube::{Kind, Probe, kind},
    spec::{Migration, Workload, WorkloadKind, nearest},
};
use serde_json::Value;

const KINDS: [(&str, &Kind); 14] = [
    ("deployment", &kind::DEPLOYMENT),
    ("statefulset", &kind::STATEFUL_SET),
    ("cronjob", &kind::CRON_JOB),
    ("job", &kind::JOB),
    ("pod", &kind::POD),
    ("service", &kind::SERVICE),
    ("configmap", &kind::CONFIG_MAP),
    ("persistentvolumeclaim", &kind::PVC),
    ("horizontalpodautoscaler", &kind::HPA),
    ("cluster", &kind::CLUSTER),
    ("pooler", &kind::POOLER),
    ("backup", &kind::BACKUP),
    ("scheduledbackup", &kind::SCHEDULED_BACKUP),
    ("postgresql", &kind::POSTGRESQL),
];

/// Secrets are not among them: a script never sees what they hold.
pub(super) fn object(text: &str) -> Result<(&'static Kind, &str)> {
    let Some((word, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Err(Error::usage(format!("{text:?} is not kind/name")));
    };
    let known = KINDS.iter().find(|(kind, _)| *kind == word.to_lowercase());
    known.map(|(_, kind)| (*kind, name)).ok_or_else(|| {
        let near = nearest(word, KINDS.iter().map(|(kind, _)| *kind));
        let near = near.map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
        Error::usage(format!("a script cannot touch the kind {word:?}{near}"))
    })
}

/// The two database clusters belong to the strategy: a script that starts the fenced source again, or promotes or
/// unfences the target, would make the second primary that the whole program exists to prevent.
pub(super) fn not_an_end(migration: &Migration, kind: &Kind, name: &str) -> Result<()> {
    let (source, target) = (migration.source.as_str(), migration.target.cluster.as_str());
    let member = |cluster: &str| {
        let number = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-'));
        !cluster.is_empty() && number.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
    };
    let theirs = match *kind {
        kind::POSTGRESQL | kind::STATEFUL_SET => !source.is_empty() && name == source,
        kind::CLUSTER => name == target,
        kind::POD => member(source) || member(target),
        _ => false,
    };
    if theirs {
        let what = format!(
            "a script may not change {}/{name}: the source and the target are the strategy's",
            kind.kind.to_lowercase()
        );
        return Err(Error::usage(what));
    }
    Ok(())
}

pub(super) fn kind_of(workload: &Workload) -> &'static Kind {
    match workload.kind {
        WorkloadKind::Deployment => &kind::DEPLOYMENT,
        WorkloadKind::StatefulSet => &kind::STATEFUL_SET,
        WorkloadKind::CronJob => &kind::CRON_JOB,
    }
}

pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}
pub(super) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The pods of a workload: `a=b,c=d` from `spec.selector.matchLabels`.
pub(super) fn selector(object: &Value) -> Result<String> {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs: Vec<String> =
        labels.into_iter().flatten().filter_map(|(key, value)| value.as_str().map(|v| format!("{key}={v}"))).collect();
    // An empty selector would mean every pod of the namespace.
    if pairs.is_empty() {
        return Err(Error::failed(format!("{} has no spec.selector.matchLabels", text(object, "/metadata/name"))));
    }
    Ok(pairs.join(","))
}

/// Whether the object is as `condition` says: `ready`, `gone`, `complete`, `Type=Status`.
pub(super) fn probe(kind: &Kind, condition: &str, object: Option<&Value>) -> Probe {
    let Some(object) = object else {
        return if condition == "gone" { Probe::Done } else { Probe::Pending("not there".into()) };
    };
    match condition {
        "gone" => Probe::Pending("still there".into()),
        "ready" if *kind == kind::DEPLOYMENT || *kind == kind::STATEFUL_SET => rolled_out(kind, object),
        "ready" => typed(object, "Ready", "True"),
        "complete" if *kind == kind::BACKUP => match text(object, "/status/phase") {
            "completed" => Probe::Done,
            "failed" => Probe::Failed(format!("failed: {}", text(object, "/status/error"))),
            phase => Probe::Pending(format!("phase {phase:?}")),
        },
        "complete" => match typed(object, "Failed", "True") {
            Probe::Done => Probe::Failed(format!("failed: {}", message(object, "Failed"))),
            _ => typed(object, "Complete", "True"),
        },
        other => match other.split_once('=') {
            Some((name, status)) => typed(object, name, status),
            None => {
                Probe::Failed(format!("unknown condition {other:?}: ready, gone, stopped, complete or Type=Status"))
            }
        },
    }
}

/// Every wanted pod ready and of the newest template, and none besides.
fn rolled_out(kind: &Kind, object: &Value) -> Probe {
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let status = |key: &str| number(object, &format!("/status/{key}")).unwrap_or(0);
    if status("observedGeneration") < number(object, "/metadata/generation").unwrap_or(0) {
        return Probe::Pending("its controller has not seen the last change yet".into());
    }
    // Under updateStrategy OnDelete a StatefulSet's old pods stay until somebody deletes them.
    let on_delete = *kind == kind::STATEFUL_SET && text(object, "/spec/updateStrategy/type") == "OnDelete";
    let new = on_delete || status("updatedReplicas") == wanted;
    if status("readyReplicas") == wanted && status("replicas") == wanted && new {
        return Probe::Done;
    }
    Probe::Pending(format!(
        "{} of {wanted} ready, {} of the newest",
        status("readyReplicas"),
        status("updatedReplicas")
    ))
}

fn condition<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|c| c["type"] == name)
}
fn message<'v>(object: &'v Value, name: &str) -> &'v str {
    condition(object, name).map(|c| text(c, "/message")).unwrap_or_default()
}
fn typed(object: &Value, name: &str, status: &str) -> Probe {
    match condition(object, name) {
        Some(c) if c["status"] == status => Probe::Done,
        Some(c) => Probe::Pending(format!("{name}={} {}", text(c, "/status"), text(c, "/message"))),
        None => Probe::Pending(format!("no condition {name} yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_ready_when_every_pod_is_new_and_seen() {
        let object = |generation: i64, ready: i64, updated: i64, all: i64| {
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": generation,
                "readyReplicas": ready, "updatedReplicas": updated, "replicas": all}})
        };
        let done = |o: &Value| matches!(probe(&kind::DEPLOYMENT, "ready", Some(o)), Probe::Done);
        assert!(done(&object(2, 2, 2, 2)));
        // Not yet observed; an old pod still serves; one too many.
        assert!(!done(&object(1, 2, 2, 2)) && !done(&object(2, 2, 1, 2)) && !done(&object(2, 2, 2, 3)));
        assert!(done(&json!({"spec": {"replicas": 0}, "status": {}})));
    }

    #[test]
    fn a_failed_job_ends_the_wait() {
        let job = json!({"status": {"conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]}});
        assert!(matches!(probe(&kind::JOB, "complete", Some(&job)), Probe::Failed(why) if why.contains("Backoff")));
        assert!(matches!(probe(&kind::JOB, "complete", None), Probe::Pending(_)));
        assert!(matches!(probe(&kind::JOB, "gone", None), Probe::Done));
        assert!(matches!(probe(&kind::JOB, "redy", Some(&job)), Probe::Failed(_)));
    }

    #[test]
    fn both_ends_are_out_of_a_scripts_reach() {
        let migration = crate::spec::find(Some("mastodon"), None, None).expect("built in");
        let may = |text: &str| {
            let (kind, name) = object(text).expect("known");
            not_an_end(&migration, kind, name).is_ok()
        };
        for ours in [
            "statefulset/mastodon-postgresql",
            "postgresql/mastodon-postgresql",
            "cluster/database-cnpg",
            "pod/database-cnpg-1",
        ] {
            assert!(!may(ours), "{ours}");
        }
        for free in [
            "deployment/mastodon-web",
            "cluster/other",
            "pod/mastodon-postgresql-exporter",
            "configmap/mastodon-database",
        ] {
            assert!(may(free), "{free}");
        }
    }

    #[test]
    fn kinds_are_known_or_refused_with_the_nearest() {
        assert_eq!(object("deployment/web").map(|(k, n)| (k.plural, n)).ok(), Some(("deployments", "web")));
        assert!(object("deploymnt/web").unwrap_err().to_string().contains("\"deployment\""));
        assert!(object("secret/web").is_err() && object("web").is_err());
    }
}
