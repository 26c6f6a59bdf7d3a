//! What a physical copy needs of the source: senders, slots, the role, a line in pg_hba.conf, and WAL that is kept.

use super::{
    hba::{Attempt, Verdict, simulate},
    image::size,
    *,
};
use crate::{
    postgres::sql_error,
    steps::replica::wal_retention::{self, WalRetention},
};

pub const CHECKS: &[Check] = &[
    check("wal-level", "the WAL can feed a standby", "with wal_level = minimal there is no physical copy", wal_level)
        .of(REPLICA),
    check(
        "wal-senders",
        "WAL senders are free",
        "the base backup needs two, the stream one; without them the copy waits for ever and says so only in its log",
        senders,
    )
    .of(REPLICA)
    .at(Moment::BeforePrepare),
    check(
        "replication-slots",
        "replication slots are free",
        "the copy and the stream hold a temporary slot each: without one the WAL between them can be gone",
        slots,
    )
    .of(REPLICA)
    .at(Moment::BeforePrepare),
    check(
        "wal-retention",
        "WAL is kept for as long as the copy takes",
        "what is recycled before the target has it means a new copy from the beginning",
        retention,
    )
    .of(REPLICA)
    .at(Moment::BeforePrepare)
    .fixed_by(keep_more),
    check(
        "standby-login",
        "the role standby logs in with its Secret's password",
        "the base backup retries a refused login for ever and never fails",
        standby,
    )
    .of(REPLICA),
    check(
        "replication-hba",
        "pg_hba.conf lets the target replicate",
        "a refused line looks like a hanging copy; spec.patroni.pg_hba replaces Spilo's own lines altogether",
        replication_hba,
    )
    .of(REPLICA),
    check(
        "import-hba",
        "pg_hba.conf lets the target dump",
        "the import fails at its first connection; spec.patroni.pg_hba replaces Spilo's own lines altogether",
        import_hba,
    )
    .of(DUMP),
    check(
        "foreign-slots",
        "nobody else reads the source's WAL",
        "a consumer of logical changes is not moved: its slot is not on the target, and its position is lost",
        foreign_slots,
    ),
    check(
        "subscriptions",
        "the source subscribes to nothing",
        "a physical copy wakes up with the same subscription; a dump leaves it disabled: both need a hand",
        subscriptions,
    ),
    check(
        "target-follows",
        "the target streams, and is close behind",
        "the window opens only then; what is missing is paid for in downtime",
        follows,
    )
    .of(REPLICA)
    .at(Moment::BeforeCutover),
];

/// Senders that the copy takes at its peak: base backup, its WAL stream, the target's receiver.
const SENDERS: i64 = 3;
const SLOTS: i64 = 2;
/// Bytes a second of a base backup that is slow, but not stuck.
const SLOW_COPY: u64 = 20 << 20;

fn patroni(looks: &Looks, what: &str) -> String {
    format!(
        "kubectl patch postgresql -n {} {} --type merge -p '{{\"spec\":{{\"postgresql\":{{\"parameters\":{{{what}}}}}}}}}' (the members restart)",
        looks.namespace(),
        looks.migration.source
    )
}

fn wal_level(looks: &Looks) -> Judged<'_> {
    Ok(match looks.server()?.setting("wal_level") {
        level @ ("replica" | "logical") => pass(level),
        level => fail(level, patroni(looks, "\"wal_level\":\"replica\"")),
    })
}

fn room(looks: &Looks, most: i64, used: usize, setting: &str, needed: i64) -> Outcome {
    let free = most - used as i64;
    let seen = format!("{free} of {most} free");
    match free >= needed {
        true => pass(seen),
        false => fail(seen, patroni(looks, &format!("\"{setting}\":\"{}\"", most + needed))),
    }
}

fn senders(looks: &Looks) -> Judged<'_> {
    let server = looks.server()?;
    Ok(room(looks, server.number("max_wal_senders"), server.senders.len(), "max_wal_senders", SENDERS))
}

fn slots(looks: &Looks) -> Judged<'_> {
    let server = looks.server()?;
    Ok(room(looks, server.number("max_replication_slots"), server.slots.len(), "max_replication_slots", SLOTS))
}

/// Bytes of WAL that a copy needs, and that the step wal-retention keeps.
struct Wal {
    rate: u64,
    seconds: u64,
    needed: u64,
    kept: u64,
    /// A slot that asks for more is dropped.
    limit: Option<u64>,
}

impl Wal {
    fn of(looks: &Looks) -> std::result::Result<Wal, &Error> {
        let (inside, rate) = (looks.inside.as_ref()?, looks.wal_rate()?);
        let seconds = (inside.data / SLOW_COPY).max(60);
        let needed = (rate * seconds as f64) as u64;
        let kept = wal_retention::wanted(inside.free) << 20;
        let limit = u64::try_from(looks.server()?.number(wal_retention::SLOTS)).ok().map(|mib| mib << 20);
        Ok(Wal { rate: rate as u64, seconds, needed, kept, limit })
    }
    /// What a slot should be allowed: the rate of now may be that of a lull.
    fn comfortable(&self) -> u64 {
        self.needed.max(1 << 30)
    }
}

fn keep_more(looks: &Looks) -> Option<Arc<dyn Step>> {
    let (wal, source) = (Wal::of(looks).ok()?, looks.source().ok()?);
    // What the manifest says the operator would set again.
    let own = source.spec["postgresql"]["parameters"][wal_retention::SLOTS].is_null();
    let fix = WalRetention::of_slots(&source.cluster);
    (own && wal.limit? < wal.kept && wal.kept >= wal.comfortable()).then(|| Arc::new(fix) as _)
}

fn retention(looks: &Looks) -> Judged<'_> {
    let wal = Wal::of(looks)?;
    let seen = format!(
        "{}/s of WAL now; a copy of {} s needs {}, {} can be kept",
        size(wal.rate),
        wal.seconds,
        size(wal.needed),
        size(wal.kept)
    );
    let remedy = "begin when less is written, or make the source's volume larger";
    let narrow = wal.limit.filter(|limit| *limit < wal.comfortable());
    Ok(match narrow {
        _ if wal.needed > wal.kept => fail(seen, remedy),
        Some(limit) => warn(
            format!("{seen}, but max_slot_wal_keep_size drops slots at {}", size(limit)),
            patroni(looks, "\"max_slot_wal_keep_size\":\"-1\""),
        ),
        None => pass(seen),
    })
}

fn standby(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    let secret = crate::facts::zalando::secret_name(&source.cluster, "standby");
    let namespace = looks.namespace();
    Ok(match &looks.standby {
        Ok(()) => pass(format!("with secret {secret}")),
        Err(error) if sql_error(error).is_some_and(|said| said.code == "28P01") => fail(
            format!("the password in secret {secret} is refused"),
            format!(
                "SELECT rolvaliduntil FROM pg_authid WHERE rolname = 'standby'; then ALTER ROLE standby PASSWORD with the one in: kubectl get secret -n {namespace} {secret} -o yaml"
            ),
        ),
        Err(error) => because(error),
    })
}

/// A pod's address of the source's own network: the target's pod will have one like it.
fn near(looks: &Looks) -> std::result::Result<Option<std::net::IpAddr>, &Error> {
    Ok(looks.source()?.members.iter().find_map(|m| m.ip.parse().ok()))
}

fn hba<'a>(looks: &'a Looks, database: &str, user: &str) -> Judged<'a> {
    let Some(from) = near(looks)? else { return Ok(unknown("no member has an address", "kubectl get pods -o wide")) };
    let server = looks.server()?;
    let who = format!("{user} to {database} from {from} over TLS");
    let remedy = format!(
        "in spec.patroni.pg_hba of postgresql {}, before any reject: hostssl {database} {user} all md5",
        looks.migration.source
    );
    Ok(match simulate(&server.hba, &server.memberships, &Attempt { database, user, from }) {
        Verdict::Method(line, method @ ("md5" | "scram-sha-256" | "password" | "trust")) => {
            pass(format!("{who}: line {line}, {method}"))
        }
        Verdict::Method(line, method) => fail(format!("{who}: line {line} asks for {method}"), remedy),
        Verdict::Rejected(line) => fail(format!("{who}: line {line} rejects it"), remedy),
        Verdict::NoLine => fail(format!("{who}: no line matches"), remedy),
        Verdict::Unclear(line) => unknown(
            format!("{who}: line {line} can't be judged here (a host name, samenet, or an error)"),
            "SELECT * FROM pg_hba_file_rules ORDER BY line_number",
        ),
    })
}

fn replication_hba(looks: &Looks) -> Judged<'_> {
    hba(looks, "replication", "standby")
}

fn import_hba(looks: &Looks) -> Judged<'_> {
    match looks.facts()?.databases.first() {
        // The role that prepare makes is in no group.
        Some(database) => hba(looks, &database.name, "pgmigrate"),
        None => Ok(pass("no database to dump")),
    }
}

fn foreign_slots(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    // Patroni names the slots of its members after their pods, with _ for what a slot may not have.
    let members: Vec<String> = source.members.iter().map(|m| m.pod.replace(['-', '.'], "_")).collect();
    let foreign: Vec<String> = looks
        .server()?
        .slots
        .iter()
        .filter(|slot| !slot.temporary && !members.contains(&slot.name))
        .map(|slot| {
            let state = if slot.active { "in use" } else { "not in use, it keeps WAL" };
            format!("{} ({}, {state})", slot.name, slot.plugin.as_deref().unwrap_or(&slot.kind))
        })
        .collect();
    Ok(match foreign.as_slice() {
        [] => pass("only Patroni's own slots"),
        foreign => warn(
            foreign.join(", "),
            "move its consumer by hand after the cutover, or SELECT pg_drop_replication_slot('NAME')",
        ),
    })
}

fn subscriptions(looks: &Looks) -> Judged<'_> {
    let all: Vec<&str> = looks.server()?.subscriptions.iter().filter(|s| s.enabled).map(|s| s.name.as_str()).collect();
    Ok(match all.as_slice() {
        [] => pass("none"),
        all => warn(all.join(", "), format!("before the window: ALTER SUBSCRIPTION {} DISABLE", all[0])),
    })
}

fn follows(looks: &Looks) -> Judged<'_> {
    let name = format!("pgmigrate-{}", looks.migration.target.cluster);
    let limit = looks.migration.guardrails.lag_before;
    let look = format!("kubectl logs -n {} {}-1", looks.namespace(), looks.migration.target.cluster);
    Ok(match looks.server()?.senders.iter().find(|sender| sender.name == name) {
        None => fail("it does not stream from the source", look),
        Some(sender) if sender.state.as_deref() != Some("streaming") => {
            fail(format!("its state is {}", sender.state.as_deref().unwrap_or("unknown")), look)
        }
        Some(sender) => match sender.lag {
            Some(lag) if lag <= limit as i64 => pass(format!("{} behind", size(lag.max(0) as u64))),
            Some(lag) => warn(format!("{} behind, {} allowed", size(lag as u64), size(limit)), look),
            None => unknown("its position is not known", look),
        },
    })
}
