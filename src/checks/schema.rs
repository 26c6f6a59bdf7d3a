//! What is in the databases that a copy or a dump does not carry, or not quietly.

use super::*;
use crate::facts::survey::Schema;
use crate::steps::fix::DropInvalid;

pub const CHECKS: &[Check] = &[
    check(
        "unlogged-tables",
        "no table is unlogged",
        "a physical copy has them empty after the promotion: their rows are lost",
        unlogged,
    )
    .of(REPLICA),
    check(
        "tablespaces",
        "no tablespace of the source's own",
        "its path is not there in the target's pod: base backup and restore stop at it",
        tablespaces,
    ),
    check(
        "large-objects",
        "few large objects",
        "each is a lock and an entry of its own in a restore: many make the window long, or run out of locks",
        large_objects,
    )
    .of(DUMP),
    check(
        "invalid-indexes",
        "no index is invalid",
        "a CREATE INDEX CONCURRENTLY has failed; a restore builds it anew, and a unique one stops it at the duplicate",
        invalid,
    )
    .fixed_by(drop_left_over),
    check(
        "not-valid-constraints",
        "every constraint is valid",
        "rows that break it are in the table: a restore of a CHECK that another session validates meanwhile stops",
        not_valid,
    )
    .of(DUMP),
    check(
        "volatile-views",
        "every materialised view gives the same rows again",
        "an import makes it anew: one that calls now() or random() differs then, which is INCONCLUSIVE and holds the window up",
        volatile_views,
    )
    .of(DUMP),
    check(
        "event-triggers",
        "no event trigger",
        "it fires at the statements that repair the target and clean Spilo's leftovers away, and can refuse them",
        event_triggers,
    ),
    check(
        "foreign-servers",
        "no foreign server",
        "the target's pod must reach it, with a password that a dump shows in clear text when it fails",
        foreign_servers,
    ),
];

/// From here on it is told: each takes a lock while its batch is restored.
const MANY_OBJECTS: u64 = 50_000;

/// `shop: public.a, public.b; stock: ...`, of the databases that have any.
fn listed(looks: &Looks, of: impl Fn(&Schema) -> Vec<String>) -> std::result::Result<String, &Error> {
    let all = looks.schemas()?.iter().map(|schema| (&schema.database, of(schema)));
    let some = all.filter(|(_, found)| !found.is_empty());
    Ok(some.map(|(database, found)| format!("{database}: {}", found.join(", "))).collect::<Vec<_>>().join("; "))
}

fn none_or(seen: String, found: impl FnOnce(String) -> Outcome) -> Outcome {
    if seen.is_empty() { pass("none") } else { found(seen) }
}

fn unlogged(looks: &Looks) -> Judged<'_> {
    let seen = listed(looks, |s| s.unlogged.clone())?;
    Ok(none_or(seen, |seen| {
        fail(seen, "ALTER TABLE .. SET LOGGED; or, where the rows need not be kept, --skip unlogged-tables")
    }))
}

fn tablespaces(looks: &Looks) -> Judged<'_> {
    let all = looks.server()?.tablespaces.join(", ");
    let declared = looks.template("/spec/tablespaces").as_array().is_some_and(|t| !t.is_empty());
    Ok(none_or(all, |all| match declared {
        true => {
            warn(format!("{all}; the template declares some"), "compare them with spec.tablespaces of the template")
        }
        false => fail(all, "ALTER TABLE .. SET TABLESPACE pg_default, then DROP TABLESPACE"),
    }))
}

fn large_objects(looks: &Looks) -> Judged<'_> {
    let count: u64 = looks.schemas()?.iter().map(|s| s.large_objects).sum();
    Ok(match count {
        0..MANY_OBJECTS => pass(format!("{count}")),
        _ => warn(
            format!("{count}"),
            "strategy: replica; or spec.postgresql.parameters.max_locks_per_transaction: \"1024\" in the template",
        ),
    })
}

fn invalid(looks: &Looks) -> Judged<'_> {
    let unique = looks.schemas()?.iter().flat_map(|s| &s.invalid_indexes).any(|i| i.unique);
    let seen = listed(looks, |s| s.invalid_indexes.iter().map(|i| i.name.clone()).collect())?;
    let remedy = "REINDEX INDEX CONCURRENTLY, or DROP INDEX CONCURRENTLY";
    Ok(none_or(seen, |seen| match unique && looks.migration.strategy == Strategy::Dump {
        true => fail(seen, remedy),
        false => warn(seen, remedy),
    }))
}

fn drop_left_over(looks: &Looks) -> Option<Arc<dyn Step>> {
    let with = looks.schemas().ok()?.iter().filter(|s| s.invalid_indexes.iter().any(|i| i.left_over.is_some()));
    let databases: Vec<String> = with.map(|s| s.database.clone()).collect();
    (!databases.is_empty()).then(|| Arc::new(DropInvalid { databases }) as _)
}

fn not_valid(looks: &Looks) -> Judged<'_> {
    let seen = listed(looks, |s| s.not_valid.clone())?;
    Ok(none_or(seen, |seen| warn(seen, "ALTER TABLE .. VALIDATE CONSTRAINT, or drop it")))
}

fn volatile_views(looks: &Looks) -> Judged<'_> {
    let seen = listed(looks, |s| s.volatile_views.clone())?;
    let first = looks.schemas()?.iter().flat_map(|s| &s.volatile_views).next().cloned().unwrap_or_default();
    let name = &looks.migration.name;
    Ok(none_or(seen, |seen| {
        warn(
            seen,
            format!(
                "see why, then say so in the window: kubectl pgmigrate cutover {name} --accept-inconclusive {first}"
            ),
        )
    }))
}

fn event_triggers(looks: &Looks) -> Judged<'_> {
    let one = |t: &crate::facts::survey::EventTrigger| format!("{} on {} of {}", t.name, t.event, t.owner);
    let seen = listed(looks, |s| s.event_triggers.iter().map(one).collect())?;
    Ok(none_or(seen, |seen| warn(seen, "ALTER EVENT TRIGGER .. DISABLE before the window, ENABLE after it")))
}

fn foreign_servers(looks: &Looks) -> Judged<'_> {
    let files = looks.schemas()?.iter().flat_map(|s| &s.foreign_servers).any(|f| f.wrapper == "file_fdw");
    let seen = listed(looks, |s| s.foreign_servers.iter().map(|f| format!("{} ({})", f.name, f.wrapper)).collect())?;
    Ok(none_or(seen, |seen| match files {
        true => fail(seen, "file_fdw reads files of the source's pod: copy what is needed into a table, DROP SERVER"),
        false => warn(
            seen,
            "from a pod of the target's namespace: psql to the host of SELECT srvoptions FROM pg_foreign_server",
        ),
    }))
}
