//! Where the source's settings come from: Patroni, files that nobody looks after, the operator that rules over both.

use super::*;
use crate::facts::{ground::Configuration, zalando::secret_name};

pub const CHECKS: &[Check] = &[
    check(
        "settings-by-hand",
        "no setting was made by ALTER SYSTEM",
        "Patroni knows nothing of it. A physical copy takes postgresql.auto.conf along, where it wins over the target's manifest; an import loses it",
        by_hand,
    ),
    check(
        "settings-files",
        "the source's configuration files can be read",
        "a server that runs goes on; the way back is a restart, which would stop at it",
        files,
    ),
    check(
        "operator-configuration",
        "the Zalando operator's configuration is one that a migration can work with",
        "names of Secrets and labels are looked for as the operator makes them by default; a password that it rotates in the window is one too many",
        operator,
    ),
];

/// What PostgreSQL itself writes there when a standby is made.
const OF_STANDBYS: [&str; 3] = ["primary_conninfo", "primary_slot_name", "restore_command"];

fn by_hand(looks: &Looks) -> Judged<'_> {
    let auto =
        |(name, file): &(&String, &String)| *file == "postgresql.auto.conf" && !OF_STANDBYS.contains(&name.as_str());
    let names: Vec<&str> = looks.server()?.sources.iter().filter(auto).map(|(name, _)| name.as_str()).collect();
    let reset: Vec<String> = names.iter().map(|name| format!("ALTER SYSTEM RESET {name}")).collect();
    Ok(match names.as_slice() {
        [] => pass("none"),
        names => warn(
            names.join(", "),
            format!(
                "{}; and what is meant to stay into spec.postgresql.parameters of the target's template",
                reset.join("; ")
            ),
        ),
    })
}

fn files(looks: &Looks) -> Judged<'_> {
    let wrong = &looks.server()?.file_errors;
    let one = |e: &crate::facts::survey::FileError| {
        format!("{} line {}: {} {}", e.file, e.line, e.name.as_deref().unwrap_or_default(), e.error)
    };
    Ok(match wrong.iter().map(one).collect::<Vec<_>>().join("; ") {
        seen if seen.is_empty() => pass("all of them"),
        seen => fail(
            seen,
            format!(
                "kubectl exec -it -n {} {} -c postgres -- patronictl edit-config; what is in no file of Patroni's by ALTER SYSTEM RESET",
                looks.namespace(),
                looks.source()?.leader
            ),
        ),
    })
}

fn operator(looks: &Looks) -> Judged<'_> {
    let look = "kubectl get operatorconfigurations -A -o yaml";
    let configuration = match &looks.ground.zalando {
        Ok(Some(configuration)) => configuration,
        Ok(None) => return Ok(warn("neither an OperatorConfiguration nor a ConfigMap of it was found", look)),
        Err(error) if crate::kube::is_forbidden(error) => {
            return Ok(warn("can't be seen from here (it is in the operator's namespace)", look));
        }
        Err(error) => return Err(error),
    };
    let (impossible, trouble) = judge_settings(configuration, looks);
    let remedy = format!("change it in {} for as long as the migration takes", configuration.object);
    Ok(match (impossible.as_slice(), trouble.as_slice()) {
        ([], []) => pass(configuration.object.clone()),
        ([], trouble) => warn(trouble.join("; "), remedy),
        (impossible, _) => fail(impossible.join("; "), remedy),
    })
}

/// What a migration cannot live with, and what may get in its way.
fn judge_settings(configuration: &Configuration, looks: &Looks) -> (Vec<String>, Vec<String>) {
    let (mut impossible, mut trouble) = (Vec::new(), Vec::new());
    let template = configuration.get("secret_name_template");
    let source = &looks.migration.source;
    let filled =
        [("{username}", "u"), ("{cluster}", source), ("{tprkind}", "postgresql"), ("{tprgroup}", "acid.zalan.do")];
    let named = filled.iter().fold(template.to_owned(), |name, (key, value)| name.replace(key, value));
    if !template.is_empty() && named != secret_name(source, "u") {
        impossible.push(format!("secret_name_template: {template} (the default is understood)"));
    }
    let role = configuration.get("pod_role_label");
    if !matches!(role, "" | "spilo-role") {
        trouble.push(format!("pod_role_label: {role}: a stopped source's leader is known by spilo-role"));
    }
    let watched: Vec<&str> = configuration.get("watched_namespace").split(',').map(str::trim).collect();
    if !watched.iter().any(|name| matches!(*name, "" | "*") || *name == looks.namespace()) {
        trouble.push(format!(
            "watched_namespace: {}: it does not look after {}",
            watched.join(", "),
            looks.namespace()
        ));
    }
    if configuration.get("enable_password_rotation") == "true" {
        trouble.push("enable_password_rotation: true: roles and passwords change under way".into());
    }
    (impossible, trouble)
}
