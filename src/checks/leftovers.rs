//! What an earlier try has left, ours or by hand.

use super::*;
use crate::{
    facts::cnpg::OURS,
    steps::{dump::migration_role::MigrationRole, fix::TakeBack},
};
use serde_json::Value;

pub const CHECKS: &[Check] = &[
    check(
        "old-volumes",
        "no volume or job of an earlier target",
        "CloudNativePG takes a volume of that name for its own: \"PGDATA already exists\", for ever",
        volumes,
    )
    .at(Moment::BeforePrepare),
    check(
        "old-fence",
        "no read-only setting is left",
        "ALTER ROLE or DATABASE .. SET default_transaction_read_only travels: the target would come up read-only",
        fence,
    ),
    check("old-roles", "no role of an earlier try", "it can still log in, with rights to read everything", roles)
        .at(Moment::BeforePrepare)
        .fixed_by(drop_role),
];

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn volumes(looks: &Looks) -> Judged<'_> {
    let cluster = &looks.migration.target.cluster;
    // With the journal there, they are this migration's.
    if looks.begun {
        return Ok(pass("this migration has begun: what is there is its own"));
    }
    let of_target = |object: &&Value| {
        let labels = &object["metadata"]["labels"];
        labels["cnpg.io/cluster"] == cluster.as_str() || labels[OURS] == looks.migration.name.as_str()
    };
    let claims = looks.claims.as_ref()?.iter().filter(of_target).map(|o| format!("pvc/{}", name(o)));
    let jobs = looks.jobs.as_ref()?.iter().filter(of_target).map(|o| format!("job/{}", name(o)));
    let all: Vec<String> = claims.chain(jobs).collect();
    Ok(match all.as_slice() {
        [] => pass("none"),
        all => fail(all.join(", "), format!("kubectl delete -n {} {}", looks.namespace(), all.join(" "))),
    })
}

fn fence(looks: &Looks) -> Judged<'_> {
    let read_only = ["default_transaction_read_only=on", "default_transaction_read_only=true"];
    let mut remedies = Vec::new();
    for o in looks.server()?.overrides.iter().filter(|o| read_only.contains(&o.setting.as_str())) {
        let whose = match (&o.role, &o.database) {
            (Some(role), Some(database)) => format!("ROLE \"{role}\" IN DATABASE \"{database}\""),
            (Some(role), None) => format!("ROLE \"{role}\""),
            (None, database) => format!("DATABASE \"{}\"", database.as_deref().unwrap_or_default()),
        };
        remedies.push(format!("ALTER {whose} RESET default_transaction_read_only"));
    }
    Ok(match remedies.as_slice() {
        [] => pass("none"),
        remedies => fail(format!("{} settings", remedies.len()), remedies.join("; ")),
    })
}

fn roles(looks: &Looks) -> Judged<'_> {
    let all: Vec<&str> =
        looks.facts()?.roles.iter().map(|r| r.name.as_str()).filter(|n| n.starts_with("pgmigrate")).collect();
    Ok(match all.as_slice() {
        _ if looks.begun => pass("this migration has begun: what is there is its own"),
        [] => pass("none"),
        all => warn(all.join(", "), format!("if no other migration runs: DROP ROLE \"{}\"", all.join("\", \""))),
    })
}

/// The role of this very migration, which has no journal and no target that could still use it.
fn drop_role(looks: &Looks) -> Option<Arc<dyn Step>> {
    let facts = looks.facts().ok()?;
    let made = MigrationRole::of(&looks.migration);
    let there = facts.roles.iter().any(|role| role.name == made.role && role.superuser && role.login);
    let title = format!("drop the role {} of an earlier try, and its Secret", made.role);
    let fix = TakeBack { id: "fix-old-roles", title, step: Arc::new(made) };
    (there && !looks.begun && facts.target.is_none()).then(|| Arc::new(fix) as _)
}
