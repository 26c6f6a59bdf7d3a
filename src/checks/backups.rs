//! What there is to go back to when everything else fails, and where the target's WAL will go.

use super::*;
use crate::facts::survey::Archiver;
use jiff::Timestamp;

pub const CHECKS: &[Check] = &[
    check(
        "archiving",
        "the source's WAL archive works",
        "an archiver that fails keeps every segment: the volume fills, faster with a target that copies",
        archiving,
    ),
    check(
        "source-backup",
        "there is a backup of the source",
        "everything here can be undone, except what was broken before",
        backup,
    ),
    check(
        "object-store",
        "the target's object store exists",
        "a Cluster whose archiver has no ObjectStore is never healthy, and its WAL piles up",
        store,
    ),
];

/// Hours.
const FRESH: i64 = 48;

/// Segments: from here on the archiver does not keep up.
const MANY_WAITING: u64 = 16;

fn ago(archiver: &Archiver) -> String {
    archiver.age_seconds.map_or_else(|| "never".into(), |seconds| format!("{:.0} minutes ago", seconds / 60.0))
}

/// Whether archive_command does something.
fn archives(looks: &Looks) -> std::result::Result<bool, &Error> {
    let server = looks.server()?;
    let command = server.setting("archive_command");
    Ok(server.setting("archive_mode") != "off" && !matches!(command, "" | "/bin/true" | "true" | "(disabled)"))
}

fn archiving(looks: &Looks) -> Judged<'_> {
    let archiver = &looks.server()?.archiver;
    Ok(match (archives(looks)?, archiver.failing) {
        (_, true) => fail(
            format!("the last try failed, at {}", archiver.last_failed.as_deref().unwrap_or("?")),
            format!("kubectl logs -n {} {} -c postgres | grep archive", looks.namespace(), looks.source()?.leader),
        ),
        (true, false) if archiver.waiting > MANY_WAITING => warn(
            format!("{} segments wait to be archived; the last one was {}", archiver.waiting, ago(archiver)),
            format!("kubectl logs -n {} {} -c postgres | grep archive", looks.namespace(), looks.source()?.leader),
        ),
        (true, false) => pass(format!("{} segments archived, the last one {}", archiver.archived, ago(archiver))),
        (false, false) => pass("there is none: see source-backup"),
    })
}

fn backup(looks: &Looks) -> Judged<'_> {
    let name = format!("logical-backup-{}", looks.migration.source);
    let dump = looks.workloads.as_ref()?.cronjobs.iter().find(|job| job["metadata"]["name"] == name.as_str());
    let dumped = dump.and_then(|job| hours_since(job["status"]["lastSuccessfulTime"].as_str()?));
    let inside = looks.inside.as_ref().ok();
    let copied = inside.and_then(|inside| hours_since(inside.last_backup.as_deref()?));
    let take = format!(
        "kubectl exec -n {} {} -c postgres -- pg_dumpall -U postgres > source.sql",
        looks.namespace(),
        looks.source()?.leader
    );
    let archiver = &looks.server()?.archiver;
    let works = archives(looks)? && !archiver.failing && archiver.archived > 0;
    Ok(match (dumped, copied) {
        (Some(hours), _) if hours <= FRESH => pass(format!("cronjob {name}, {hours} hours ago")),
        (_, Some(hours)) if works && hours <= FRESH => pass(format!("a base backup {hours} hours ago, and its WAL")),
        (_, Some(hours)) if works => warn(
            format!("the last base backup is {hours} hours old"),
            format!(
                "kubectl exec -n {} {} -c postgres -- envdir /run/etc/wal-e.d/env /scripts/postgres_backup.sh \"$PGDATA\"; or {take}",
                looks.namespace(),
                looks.source()?.leader
            ),
        ),
        (_, None) if works => pass("a WAL archive that works; the age of its base backups can't be seen from here"),
        (Some(hours), _) => warn(format!("cronjob {name} succeeded {hours} hours ago"), take),
        (None, _) => warn("no WAL archive, and no logical backup has succeeded", take),
    })
}

fn hours_since(time: &str) -> Option<i64> {
    let time: Timestamp = time.parse().ok()?;
    Some((Timestamp::now().as_second() - time.as_second()) / 3600)
}

fn store(looks: &Looks) -> Judged<'_> {
    let Some(backup) = &looks.migration.target.backup else { return Ok(pass("the file names none")) };
    let name = &backup.object_store;
    Ok(match &looks.store {
        Some(Ok(Some(_))) => pass(name.clone()),
        Some(Err(error)) => return Err(error),
        _ => fail(
            format!("objectstore {name} is not there"),
            format!("kubectl get objectstores.barmancloud.cnpg.io -n {}", looks.namespace()),
        ),
    })
}
