//! Roles, passwords, and what is set for them.

use super::*;
use crate::{
    facts::{main_database, zalando::secret_name},
    postgres::sql_error,
};

pub const CHECKS: &[Check] = &[
    check(
        "passwords",
        "every login role's password works under CloudNativePG",
        "it asks for SCRAM; an md5 hash whose password is in no Secret can't be made SCRAM",
        passwords,
    ),
    check(
        "owner-login",
        "the database's owner logs in with its Secret's password",
        "the window ends with this login on the target; the apps' own may be this one",
        owner,
    ),
    check(
        "app-superuser",
        "no app logs in as postgres",
        "CloudNativePG gives postgres no password: such an app can't connect after the move",
        app_superuser,
    ),
    check(
        "superusers",
        "no app role is a superuser",
        "it can pass every fence; and under CloudNativePG, archiving and replication are a superuser's to break",
        superusers,
    ),
    check(
        "reserved-roles",
        "no role has a name that CloudNativePG keeps for itself",
        "the operator takes such a role over, or stops at it",
        reserved,
    ),
    check(
        "preloaded-by-setting",
        "no role or database preloads a library",
        "where the target's image does not have it, every login of that role or database fails",
        preloads,
    ),
];

fn passwords(looks: &Looks) -> Judged<'_> {
    Ok(match looks.facts()?.unknown_passwords.as_slice() {
        [] => pass("every md5 role has its password in a Secret"),
        unknown => warn(
            format!("md5 and in no Secret: {}", unknown.join(", ")),
            "the target gets the line 'host all all all md5'; or set these passwords anew with password_encryption = scram-sha-256",
        ),
    })
}

fn owner(looks: &Looks) -> Judged<'_> {
    let facts = looks.facts()?;
    let Ok(main) = main_database(&looks.migration, facts) else { return Ok(pass("no database")) };
    let (owner, namespace) = (&main.owner, looks.namespace());
    let secret = secret_name(&looks.migration.source, owner);
    if facts.roles.iter().any(|role| &role.name == owner && !role.login) {
        return Ok(fail(
            format!("{owner}, the owner of {}, may not log in", main.name),
            format!(
                "ALTER ROLE \"{owner}\" LOGIN and give it a Secret (spec.users of postgresql {}); or ALTER DATABASE \"{}\" OWNER TO a role that has one",
                looks.migration.source, main.name
            ),
        ));
    }
    Ok(match &looks.owner {
        Ok(()) => pass(format!("{owner} with secret {secret}")),
        Err(error) if sql_error(error).is_some_and(|said| said.code == "28P01") => fail(
            format!("the password in secret {secret} is refused"),
            format!(
                "kubectl get secret -n {namespace} {secret} -o yaml; then ALTER ROLE \"{owner}\" PASSWORD with that one"
            ),
        ),
        Err(error) => because(error),
    })
}

fn app_superuser(looks: &Looks) -> Judged<'_> {
    let asked = looks.sql()?;
    let connected =
        asked.clients.iter().filter(|c| c.user.as_deref() == Some("postgres")).filter_map(|c| c.workload.clone());
    let configured = looks.consumers.iter().filter(|consumer| {
        let secret = format!("secret/{}", secret_name(&looks.migration.source, "postgres"));
        consumer.mentions.iter().any(|m| m.object == secret)
    });
    let own = format!("statefulset/{}", looks.migration.source);
    let mut who: Vec<String> = connected.filter(|w| *w != own).chain(configured.map(|c| c.workload.clone())).collect();
    who.sort();
    who.dedup();
    Ok(match who.as_slice() {
        [] => pass("none seen"),
        who => fail(
            who.join(", "),
            "give it a role of its own; or spec.enableSuperuserAccess: true in the target's template, and its Secret under spec.connections",
        ),
    })
}

fn superusers(looks: &Looks) -> Judged<'_> {
    let all: Vec<&str> = looks
        .facts()?
        .roles
        .iter()
        .filter(|role| role.superuser && role.login && !role.system())
        .map(|role| role.name.as_str())
        .collect();
    Ok(match all.as_slice() {
        [] => pass("none besides postgres"),
        all => warn(all.join(", "), format!("ALTER ROLE \"{}\" NOSUPERUSER, if it need not be one", all[0])),
    })
}

fn reserved(looks: &Looks) -> Judged<'_> {
    let taken: Vec<&str> = looks
        .facts()?
        .roles
        .iter()
        .map(|role| role.name.as_str())
        .filter(|name| matches!(*name, "cnpg_pooler_pgbouncer" | "cnpg_metrics_exporter"))
        .collect();
    Ok(match taken.as_slice() {
        [] => pass("none"),
        taken => fail(taken.join(", "), format!("ALTER ROLE \"{}\" RENAME TO something else", taken[0])),
    })
}

fn preloads(looks: &Looks) -> Judged<'_> {
    let settings = ["session_preload_libraries=", "local_preload_libraries="];
    let found: Vec<String> = looks
        .server()?
        .overrides
        .iter()
        .filter(|o| settings.iter().any(|s| o.setting.starts_with(s) && o.setting.len() > s.len()))
        .map(|o| {
            let of = o.role.as_ref().map(|r| format!("role {r}"));
            format!(
                "{} has {}",
                of.or(o.database.as_ref().map(|d| format!("database {d}"))).unwrap_or_default(),
                o.setting
            )
        })
        .collect();
    Ok(match found.as_slice() {
        [] => pass("none"),
        found => fail(
            found.join("; "),
            "ALTER ROLE .. RESET session_preload_libraries (ALTER DATABASE .. RESET), or an image that has it",
        ),
    })
}
