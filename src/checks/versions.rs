//! Versions of everything, and what must be the same on both ends of a physical copy.

use super::*;
use crate::facts::cnpg::{self, Operator};

pub const CHECKS: &[Check] = &[
    check(
        "cnpg-operator",
        "the CloudNativePG operator is ready",
        "it makes the target, and restarts it after the promotion: without it the window does not end",
        operator,
    ),
    check(
        "cnpg-version",
        "the CloudNativePG operator is new enough",
        "before 1.29 a copy of Spilo's postgresql.conf does not start as a replica",
        operator_version,
    ),
    check(
        "postgres-version",
        "the target's PostgreSQL takes this source",
        "a physical copy needs the same major version, an import the same or a later one",
        majors,
    ),
    check(
        "locale",
        "the target's image has the databases' locales",
        "without the locale nobody can connect: \"database locale is incompatible with operating system\"",
        locale,
    ),
    check(
        "collation-version",
        "text is sorted alike on both ends",
        "an index made with another C library finds rows wrongly, and a unique one takes duplicates",
        collation,
    )
    .of(REPLICA),
    check(
        "collation-damage",
        "the source's indexes fit its own C library",
        "Spilo's image was changed under them: the damage is there already, and would be copied",
        collation_damage,
    ),
    check(
        "page-checksums",
        "the source's pages have checksums",
        "without them a damaged page is copied unnoticed, and the copy has none either",
        page_checksums,
    ),
];

/// The first whose instance manager includes custom.conf in a copied postgresql.conf (cnpg.md 6.2).
const CNPG_LEAST: [u32; 2] = [1, 29];
/// Of the images that CloudNativePG still builds.
const POSTGRES_LEAST: u32 = 14;

fn operator(looks: &Looks) -> Judged<'_> {
    let look = "kubectl get deployments -A -l app.kubernetes.io/name=cloudnative-pg";
    Ok(match &looks.facts()?.operator {
        Operator::Ready { namespace, image } => pass(format!("{image} in {namespace}")),
        Operator::NotReady { namespace, why } => fail(format!("in {namespace}: {why}"), look),
        Operator::Absent => fail("no such Deployment", look),
        Operator::Unknown { why } => warn(format!("can't be seen from here: {why}"), look),
    })
}

fn operator_version(looks: &Looks) -> Judged<'_> {
    let upgrade = "https://cloudnative-pg.io/documentation/current/installation_upgrade/";
    let Operator::Ready { image, .. } = &looks.facts()?.operator else {
        return Ok(warn("not known: see cnpg-operator", upgrade));
    };
    let version = cnpg::version(image);
    Ok(match version.as_slice() {
        [] => warn(format!("{image} does not say its version"), upgrade),
        v if looks.migration.strategy == Strategy::Replica && v < &CNPG_LEAST[..] => {
            fail(format!("{image}; strategy replica needs 1.29"), upgrade)
        }
        _ => pass(image.clone()),
    })
}

fn majors(looks: &Looks) -> Judged<'_> {
    let facts = looks.facts()?;
    let (source, image) = (facts.settings.version_num / 10000, image::of(&looks.migration, facts));
    let name = "name the image under spec.target.cnpg.image, with a tag that says the version";
    let said = looks.contents()?.map(|contents| contents.major);
    Ok(match (said.or(image::major(&image)), looks.migration.strategy) {
        _ if source < POSTGRES_LEAST && looks.migration.strategy == Strategy::Replica => fail(
            format!("the source has {source}: CloudNativePG has no image older than {POSTGRES_LEAST}"),
            "strategy: dump, with an image of a later version",
        ),
        (None, _) => warn(format!("the source has {source}; the image does not say what it has"), name),
        (Some(target), Strategy::Replica) if target != source => fail(
            format!("the source has {source}, {image} has {target}"),
            format!("spec.target.cnpg.image: ghcr.io/cloudnative-pg/postgresql:{source}; or strategy: dump"),
        ),
        (Some(target), _) if target < source => {
            fail(format!("the source has {source}, {image} has {target}"), "an image of the same or a later version")
        }
        (Some(target), _) => pass(format!("{source} to {target}")),
    })
}

fn locale(looks: &Looks) -> Judged<'_> {
    let facts = looks.facts()?;
    let image = image::of(&looks.migration, facts);
    let plain = |name: &str| matches!(name.to_lowercase().as_str(), "c" | "posix" | "c.utf-8" | "c.utf8");
    let mut others: Vec<&str> = facts
        .databases
        .iter()
        .flat_map(|d| [d.collate.as_str(), d.ctype.as_str()])
        .filter(|name| !plain(name))
        .collect();
    others.sort_unstable();
    others.dedup();
    let missing: Option<Vec<&str>> =
        looks.contents()?.map(|contents| others.iter().filter(|name| !contents.has_locale(name)).copied().collect());
    Ok(match others.as_slice() {
        [] => pass("C only"),
        others if missing.as_ref().is_some_and(Vec::is_empty) => pass(format!("{} in {image}", others.join(", "))),
        _ if missing.is_some() => fail(
            format!("not in {image}: {}", missing.unwrap_or_default().join(", ")),
            "an image that has it, under spec.target.cnpg.image",
        ),
        others if image::is_minimal(&image) => fail(
            format!("{} in {image}: minimal images have C alone", others.join(", ")),
            "the same image without -minimal: -standard or -system",
        ),
        others if image::is_cnpgs(&image) => pass(format!("{} (the image has all of glibc's)", others.join(", "))),
        others => warn(
            format!("{image} is not one of CloudNativePG's own; make sure that it has {}", others.join(", ")),
            image::ask(looks),
        ),
    })
}

/// Databases whose order of text comes from the C library.
fn sorted_by_glibc(looks: &Looks) -> std::result::Result<Vec<(&str, &str)>, &Error> {
    let all = looks.server()?.collations.iter();
    let of = |c: &'_ crate::facts::survey::Collation| c.provider.as_deref() == Some("c");
    Ok(all.filter(|c| of(c)).filter_map(|c| Some((c.name.as_str(), c.recorded.as_deref()?))).collect())
}

fn collation(looks: &Looks) -> Judged<'_> {
    let facts = looks.facts()?;
    let plain = facts.databases.iter().all(|d| matches!(d.collate.as_str(), "C" | "POSIX"));
    if plain {
        return Ok(pass("locale C: the same everywhere"));
    }
    let (source, image) = (&looks.inside.as_ref()?.glibc, image::of(&looks.migration, facts));
    let said = looks.contents()?.map(|contents| contents.glibc.as_str()).filter(|version| !version.is_empty());
    Ok(match said.or(image::glibc(&image)) {
        Some(target) if target == source => pass(format!("glibc {source} on both ends")),
        Some(target) => {
            let seen = format!("glibc {source} in Spilo, {target} in {image}");
            // 2.28 changed the order of nearly everything; since then it was little.
            let far = |version: &str| version.strip_prefix("2.").and_then(|n| n.parse::<u32>().ok()) < Some(28);
            let repair = repair(looks, target)?;
            if far(source) != far(target) { fail(seen, repair) } else { warn(seen, repair) }
        }
        None => {
            warn(format!("glibc {source} in Spilo; the tag of {image} does not say what it has"), image::ask(looks))
        }
    })
}

/// Statements that a remedy lists; the plan has all of them.
const STATEMENTS: usize = 10;

fn repair<'a>(looks: &'a Looks, glibc: &str) -> std::result::Result<String, &'a Error> {
    let all: Vec<String> = looks.schemas()?.iter().flat_map(|s| s.collated.repair(&s.database, glibc)).collect();
    if all.is_empty() {
        return Ok("nothing to build anew: no index sorts by the C library".into());
    }
    let mut text = String::from("after the cutover, in this order; or strategy: dump");
    all.iter().take(STATEMENTS).for_each(|statement| text.push_str(&format!("\n{statement}")));
    if all.len() > STATEMENTS {
        let (more, name) = (all.len() - STATEMENTS, &looks.migration.name);
        text.push_str(&format!("\nand {more} more: kubectl pgmigrate plan {name}"));
    }
    Ok(text)
}

fn collation_damage(looks: &Looks) -> Judged<'_> {
    let glibc = looks.inside.as_ref()?.glibc.as_str();
    let wrong: Vec<String> = sorted_by_glibc(looks)?
        .into_iter()
        .filter(|(_, recorded)| glibc != "unknown" && *recorded != glibc)
        .map(|(database, recorded)| format!("{database} was made with glibc {recorded}, the pod has {glibc}"))
        .collect();
    Ok(match wrong.as_slice() {
        [] => pass("as recorded"),
        wrong => {
            warn(wrong.join("; "), "pg_amcheck --all --heapallindexed; REINDEX DATABASE CONCURRENTLY what it names")
        }
    })
}

fn page_checksums(looks: &Looks) -> Judged<'_> {
    Ok(match looks.facts()?.settings.data_checksums {
        true => pass("on"),
        false => warn(
            "off",
            "pg_checksums --enable on the stopped source, before or after; with strategy dump a new cluster can have them",
        ),
    })
}
