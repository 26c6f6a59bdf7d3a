//! What there is to go back to when everything else fails, and where the target's WAL will go.

use super::*;
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
        (true, false) => pass(format!("{} segments archived", archiver.archived)),
        (false, false) => pass("there is none: see source-backup"),
    })
}

fn backup(looks: &Looks) -> Judged<'_> {
    let name = format!("logical-backup-{}", looks.migration.source);
    let dump = looks.workloads.as_ref()?.cronjobs.iter().find(|job| job["metadata"]["name"] == name.as_str());
    let last = dump.and_then(|job| job["status"]["lastSuccessfulTime"].as_str()?.parse::<Timestamp>().ok());
    let hours = last.map(|last| (Timestamp::now().as_second() - last.as_second()) / 3600);
    let take = format!(
        "kubectl exec -n {} {} -c postgres -- pg_dumpall -U postgres > source.sql",
        looks.namespace(),
        looks.source()?.leader
    );
    Ok(match (hours, archives(looks)?) {
        (Some(hours), _) if hours <= FRESH => pass(format!("cronjob {name}, {hours} hours ago")),
        (_, true) if !looks.server()?.archiver.failing && looks.server()?.archiver.archived > 0 => {
            pass("a WAL archive that works; the age of its base backups can't be seen from here")
        }
        (Some(hours), _) => warn(format!("cronjob {name} succeeded {hours} hours ago"), take),
        (None, _) => warn("no WAL archive, and no logical backup has succeeded", take),
    })
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
