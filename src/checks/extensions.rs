//! Extensions that the target's image must have, and what Spilo leaves in every database.

use super::*;

pub const CHECKS: &[Check] = &[
    check(
        "extensions",
        "the target's image has every extension",
        "an import stops at the missing one; a physical copy comes up with tables and functions that fail when used",
        extensions,
    ),
    check(
        "spilo-dependants",
        "nothing of the app depends on Spilo's extensions",
        "they are left behind or dropped on the target, and what depends on them would go with them",
        dependants,
    ),
    check(
        "cron-jobs",
        "pg_cron runs nothing",
        "its jobs are rows in database postgres and need its library: on the target they stop without a word",
        cron,
    ),
];

fn extensions(looks: &Looks) -> Judged<'_> {
    let (image, contents) = (image::of(&looks.migration, looks.facts()?), looks.contents()?);
    let known = |name: &str| match contents {
        Some(contents) => Some(contents.extensions.contains(name)),
        None => image::has_extension(&image, name),
    };
    let (mut missing, mut doubtful) = (Vec::new(), Vec::new());
    let mut all = 0;
    for schema in looks.schemas()? {
        for extension in schema.extensions.iter().filter(|e| !image::SPILO.contains(&e.name.as_str())) {
            all += 1;
            match known(&extension.name) {
                Some(true) => {}
                Some(false) => missing.push(format!("{} in {}", extension.name, schema.database)),
                None => doubtful.push(extension.name.as_str()),
            }
        }
    }
    let named = if image.is_empty() { "the catalog's image" } else { &image };
    doubtful.sort_unstable();
    doubtful.dedup();
    Ok(match (missing.as_slice(), doubtful.as_slice()) {
        ([], []) => pass(format!("{all}, all in {named}")),
        ([], doubtful) => warn(
            format!("{named} is not one of CloudNativePG's own; make sure that it has {}", doubtful.join(", ")),
            image::ask(looks),
        ),
        (missing, _) => fail(
            format!("not in {named}: {}", missing.join(", ")),
            "an image with it under spec.target.cnpg.image, or DROP EXTENSION on the source",
        ),
    })
}

fn dependants(looks: &Looks) -> Judged<'_> {
    let all: Vec<String> = looks
        .schemas()?
        .iter()
        .flat_map(|s| s.spilo_dependants.iter().map(move |what| format!("{}: {what}", s.database)))
        .collect();
    Ok(match all.as_slice() {
        [] => pass("nothing"),
        all => fail(all.join("; "), "DROP VIEW it, or make it anew after the move on pg_stat_statements alone"),
    })
}

fn cron(looks: &Looks) -> Judged<'_> {
    Ok(match looks.sql()?.cron_jobs {
        0 => pass("no active job"),
        n => warn(
            format!("{n} active jobs"),
            "SELECT jobname, schedule, database, command FROM cron.job WHERE active; make CronJobs of them",
        ),
    })
}
