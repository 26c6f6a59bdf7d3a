//! The Secrets and ConfigMaps to change, and every client that is connected now.

use super::*;
use std::collections::BTreeSet;

pub const CHECKS: &[Check] = &[
    check(
        "connections",
        "every connection of the file exists",
        "a key that is not there is not read by the app: it would stay on the source",
        exist,
    ),
    check(
        "connections-complete",
        "every place that names the source is switched",
        "an app that reads the source's address from elsewhere comes back on the source, which is stopped",
        complete,
    ),
    check(
        "clients",
        "every connected client is an app of the file",
        "whoever else is connected writes until the fence, and is cut off afterwards",
        clients,
    ),
];

fn exist(looks: &Looks) -> Judged<'_> {
    let (mut keys, mut wrong) = (0, Vec::new());
    for (connection, seen) in looks.migration.connections.iter().zip(&looks.connections) {
        let object = &connection.object;
        match seen.as_ref()? {
            None => wrong.push(format!("{object} is not there")),
            Some(found) => {
                let missing: Vec<&str> = connection
                    .set
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .filter(|key| found["data"][*key].is_null())
                    .collect();
                keys += connection.set.len() - missing.len();
                if !missing.is_empty() {
                    wrong.push(format!("{object} has no key {}", missing.join(", ")));
                }
            }
        }
    }
    Ok(match wrong.as_slice() {
        [] => pass(format!("{keys} keys in {} objects", looks.connections.len())),
        wrong => fail(wrong.join("; "), format!("kubectl get secrets,configmaps -n {}", looks.namespace())),
    })
}

/// A key that the file changes, whichever way.
fn switched(looks: &Looks, object: &str, key: &str) -> bool {
    looks.migration.connections.iter().any(|c| c.object.to_string() == object && c.set.iter().any(|(k, _)| k == key))
}

fn complete(looks: &Looks) -> Judged<'_> {
    looks.workloads.as_ref()?;
    let operators = format!(".{}.credentials.", looks.migration.source);
    let (mut hosts, mut borrowed) = (BTreeSet::new(), BTreeSet::new());
    let apps = &looks.migration.apps;
    for consumer in looks.consumers.iter().filter(|c| apps.iter().any(|a| a.workload == c.target)) {
        for mention in consumer.mentions.iter().filter(|m| !switched(looks, &m.object, &m.key)) {
            match mention.object.as_str() {
                "env" => hosts.insert(format!("{} in the template of {}", mention.key, consumer.workload)),
                object if object.contains(&operators) => borrowed.insert(object.to_owned()),
                object => hosts.insert(format!("{} of {object}", mention.key)),
            };
        }
    }
    let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    Ok(match (hosts.is_empty(), borrowed.is_empty()) {
        (true, true) => pass(format!("{} objects", looks.migration.connections.len())),
        (true, false) => warn(
            format!(
                "apps read {} itself: it works on the target too, and goes away with the Zalando cluster",
                join(&borrowed)
            ),
            "before finalize: let the app read a Secret of its own, and name that under spec.connections",
        ),
        (false, _) => fail(
            format!("not under spec.connections: {}", join(&hosts)),
            "add the key under spec.connections; a value in a template has to move into a ConfigMap first",
        ),
    })
}

fn clients(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    looks.pods.as_ref()?;
    let own: Vec<&str> = source.members.iter().map(|m| m.ip.as_str()).collect();
    let apps: Vec<String> = looks.migration.apps.iter().map(|app| app.workload.to_string()).collect();
    let pooler = format!("deployment/{}-pooler", source.cluster);
    let (mut strangers, mut outside) = (BTreeSet::new(), BTreeSet::new());
    let all = &looks.sql()?.clients;
    for client in all {
        let address = client.address.as_deref().unwrap_or("127.0.0.1");
        if own.contains(&address) || matches!(address, "127.0.0.1" | "::1") {
            continue;
        }
        let who = format!("{} to {}", client.user.as_deref().unwrap_or("?"), client.database.as_deref().unwrap_or("?"));
        match (&client.workload, &client.pod) {
            (Some(workload), _) if apps.contains(workload) || workload.starts_with(&pooler) => {}
            (Some(owner), _) => drop(strangers.insert(format!("{owner} ({who})"))),
            (None, Some(pod)) => drop(strangers.insert(format!("pod/{pod} ({who})"))),
            (None, None) => drop(outside.insert(format!("{address} ({who})"))),
        }
    }
    let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    let look = "SELECT usename, datname, client_addr, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'";
    Ok(match (strangers.is_empty(), outside.is_empty()) {
        (true, true) => pass(format!("{} sessions, all of them the apps' or the source's own", all.len())),
        (true, false) => warn(
            format!(
                "from outside of this namespace: {} (the operators connect now and then, as postgres)",
                join(&outside)
            ),
            look,
        ),
        (false, _) => fail(join(&strangers), format!("add its workload under spec.apps, or stop it; {look}")),
    })
}
