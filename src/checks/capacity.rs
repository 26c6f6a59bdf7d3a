//! Disks, and connections.

use super::{image::size, *};
use serde_json::Value;

pub const CHECKS: &[Check] = &[
    check(
        "target-storage",
        "the target's volume is large enough",
        "a copy needs the data and the WAL beside it; an import keeps the dump next to what it restores: twice the size",
        storage,
    ),
    check(
        "source-disk",
        "the source's volume has room for WAL",
        "a target that falls behind makes the source keep WAL: a full volume stops the source",
        disk,
    ),
    check(
        "storage-class",
        "the target's storage class exists, and has room",
        "without it the target's volume waits for ever, and the target with it",
        class,
    ),
    check(
        "volume-growth",
        "the target's volume can be made larger later",
        "a volume of such a class keeps its size: when it fills up, everything has to move once more",
        growth,
    )
    .at(Moment::BeforePrepare),
    check(
        "max-connections",
        "the target takes as many connections",
        "CloudNativePG's default is 100: \"sorry, too many clients already\" when the apps come back",
        connections,
    ),
];

/// Never less free than this on the source's volume.
const LEAST_FREE: u64 = 1 << 30;

/// Bytes that the target's volume has to have.
fn needed(looks: &Looks) -> std::result::Result<u64, &Error> {
    let databases: u64 = looks.facts()?.databases.iter().map(|d| d.size).sum();
    Ok(match looks.migration.strategy {
        // pg_dump's directory and the restored data are in one volume (observed-import-logical.md 1).
        Strategy::Dump => databases * 22 / 10 + (512 << 20),
        _ => looks.inside.as_ref()?.data * 12 / 10,
    })
}

/// As the manifest will say.
pub(super) fn wanted(looks: &Looks) -> std::result::Result<String, &Error> {
    let target = &looks.migration.target;
    let template = looks.template("/spec/storage/size").as_str().map(str::to_owned);
    Ok(match target.storage.clone().or(template) {
        Some(size) => size,
        None => looks.source()?.volume_size.clone(),
    })
}

fn storage(looks: &Looks) -> Judged<'_> {
    let (wanted, needed) = (wanted(looks)?, needed(looks)?);
    let Some(bytes) = image::bytes(&wanted) else {
        return Ok(unknown(format!("{wanted} is no size"), "spec.target.cnpg.storage: 20Gi"));
    };
    let seen = format!("{wanted}; {} needed", size(needed));
    // For a remedy that can be typed.
    let gibibytes = needed.div_ceil(1 << 30);
    Ok(match bytes >= needed {
        true => pass(seen),
        false => {
            fail(seen, format!("spec.target.cnpg.storage: {gibibytes}Gi or more (in the template: spec.storage.size)"))
        }
    })
}

fn disk(looks: &Looks) -> Judged<'_> {
    let inside = looks.inside.as_ref()?;
    let seen = format!("{} of {} free", size(inside.free), size(inside.disk));
    let remedy = format!(
        "kubectl patch postgresql -n {} {} --type merge -p '{{\"spec\":{{\"volume\":{{\"size\":\"...\"}}}}}}'",
        looks.namespace(),
        looks.migration.source
    );
    Ok(match inside.free {
        free if free < LEAST_FREE / 4 => fail(seen, remedy),
        free if free < LEAST_FREE || free < inside.disk / 20 => warn(seen, remedy),
        _ => pass(seen),
    })
}

const LOOK: &str = "kubectl get storageclasses";

fn class(looks: &Looks) -> Judged<'_> {
    let class = match find_class(looks)? {
        Ok(class) => class,
        Err(outcome) => return Ok(outcome),
    };
    let text = |pointer: &str| class.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, wanted) = (text("/metadata/name"), image::bytes(&wanted(looks)?).unwrap_or(0));
    let binds = match text("/volumeBindingMode") {
        "WaitForFirstConsumer" => "binds where its pod runs",
        _ => "binds at once, wherever that is",
    };
    Ok(match room(looks, name) {
        Some(most) if most < wanted => fail(
            format!("{name} has room for a volume of {} at most, {} wanted", size(most), size(wanted)),
            format!("kubectl get csistoragecapacities -A | grep {name}; or another class: spec.storage.storageClass"),
        ),
        Some(most) => pass(format!("{name}, {binds}; room for {}", size(most))),
        None => pass(format!("{name}, {binds}; how much is free is not published")),
    })
}

/// The largest volume that the class has room for anywhere, by its CSIStorageCapacity objects; None: there are none, or
/// they can't be seen.
fn room(looks: &Looks, class: &str) -> Option<u64> {
    let all = looks.ground.capacities.as_ref().ok()?.iter().filter(|c| c["storageClassName"] == class);
    all.filter_map(|c| image::bytes(c["maximumVolumeSize"].as_str().or(c["capacity"].as_str())?)).max()
}

fn growth(looks: &Looks) -> Judged<'_> {
    let class = match find_class(looks)? {
        Ok(class) => class,
        Err(outcome) => return Ok(outcome),
    };
    let name = class["metadata"]["name"].as_str().unwrap_or_default();
    Ok(match class["allowVolumeExpansion"].as_bool() {
        Some(true) => pass(format!("{name} allows it")),
        _ => warn(
            format!("{name} does not say allowVolumeExpansion: true"),
            "spec.target.cnpg.storage with years to spare; or another class: spec.storage.storageClass in the template",
        ),
    })
}

type Class<'a> = std::result::Result<&'a Value, Outcome>;

/// The target's; what is to be said where there is none.
fn find_class(looks: &Looks) -> std::result::Result<Class<'_>, &Error> {
    let classes = match &looks.classes {
        Ok(classes) => classes,
        Err(error) if crate::kube::is_forbidden(error) => {
            return Ok(Err(warn("storage classes can't be seen from here (they are outside of namespaces)", LOOK)));
        }
        Err(error) => return Err(error),
    };
    let default = |class: &&Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"].as_str() == Some("true")
    };
    Ok(match looks.template("/spec/storage/storageClass").as_str() {
        Some(wanted) => classes
            .iter()
            .find(|class| class["metadata"]["name"] == wanted)
            .ok_or_else(|| fail(format!("{wanted}, of the template, is not there"), LOOK)),
        None => classes.iter().find(default).ok_or_else(|| {
            fail("no default, and the template names none", "spec.storage.storageClass in the target's template")
        }),
    })
}

fn connections(looks: &Looks) -> Judged<'_> {
    let settings = &looks.facts()?.settings;
    let parameter = looks.template("/spec/postgresql/parameters/max_connections");
    let named = parameter.as_str().and_then(|text| text.parse::<u32>().ok());
    let target = match looks.migration.strategy {
        // The copy may not have fewer than the source: the strategy raises it.
        Strategy::Replica => named.unwrap_or(0).max(settings.max_connections),
        _ => named.unwrap_or(100),
    };
    let seen =
        format!("{} open of {} at the source, {target} at the target", settings.connections, settings.max_connections);
    let remedy = format!(
        "in the target's template: spec.postgresql.parameters.max_connections: \"{}\"",
        settings.max_connections
    );
    Ok(match target {
        // A tenth for the operator, for us, and for the rush at the start.
        t if settings.connections * 11 / 10 + 5 > t => fail(seen, remedy),
        t if t < settings.max_connections => warn(seen, remedy),
        _ => pass(seen),
    })
}
