//! The source: found, running, with a leader, and left alone by everybody else.

use super::*;
use crate::{
    facts::{history::Turn, zalando::CONTROLLER},
    steps::{detach_operator, detach_operator::DetachOperator, fix::TakeBack},
};

pub const CHECKS: &[Check] = &[
    check(
        "source-found",
        "the source is there, with a leader",
        "everything is copied from its leader; a standby cluster or one without a leader can't be moved",
        found,
    ),
    check(
        "source-databases",
        "every database of the file is there",
        "the plan is made from the databases, and SQL on the leader is how everything is proved",
        databases,
    ),
    check(
        "source-members",
        "every member runs",
        "the way back is a restart of these members; one that is broken now will not be better at night",
        members,
    ),
    check(
        "source-lag",
        "the source's own replicas follow",
        "a replica that lags is on a slot that keeps WAL, and is no help should the leader fail before the window",
        lag,
    ),
    check(
        "source-failovers",
        "the leader has not changed lately",
        "who has just failed over may do so again, and in the window that is a way back; apps may still be unwell from it",
        failovers,
    ),
    check(
        "source-paused",
        "Patroni is not paused",
        "a pause that somebody else made hides a failover; it is put back as it was afterwards",
        paused,
    ),
    check(
        "source-detached",
        "the Zalando operator serves the source",
        "somebody has detached the cluster; the annotation is put back as it was afterwards",
        detached,
    )
    .fixed_by(attach),
    check(
        "source-restart-pending",
        "no setting waits for a restart",
        "the way back restarts the source: it would come back with other settings than it has now",
        restart_pending,
    ),
    check(
        "source-checksums",
        "no page of the source is damaged",
        "a physical copy carries the damage along, and a dump stops at it in the window",
        damaged,
    ),
    check(
        "long-transactions",
        "no long transaction",
        "it is cut when the source is stopped, or holds a dump's locks up",
        long,
    ),
    check(
        "prepared-transactions",
        "no prepared transaction",
        "it can commit at any time later, and its locks hold up a restore",
        prepared,
    ),
];

fn found(looks: &Looks) -> Judged<'_> {
    Ok(match &looks.source {
        Ok(s) => pass(format!("leader {}, timeline {}", s.leader, s.timeline)),
        Err(error) => because(error),
    })
}

fn databases(looks: &Looks) -> Judged<'_> {
    looks.source()?;
    Ok(match &looks.facts {
        Ok(facts) if facts.databases.is_empty() => fail(
            "it has none besides postgres",
            format!("kubectl exec -n {} {} -c postgres -- psql -U postgres -l", looks.namespace(), facts.source.leader),
        ),
        Ok(facts) => pass(facts.databases.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ")),
        Err(error) => because(error),
    })
}

fn members(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    Ok(match source.fit() {
        Err(error) => because(&error),
        Ok(()) => match source.members.iter().find(|m| m.timeline.is_some_and(|t| t != source.timeline)) {
            Some(m) => fail(
                format!("{} is on timeline {}, the leader on {}", m.pod, m.timeline.unwrap_or(0), source.timeline),
                format!("kubectl exec -n {} {} -c postgres -- patronictl list", source.namespace, source.leader),
            ),
            None => pass(format!("{} running", source.members.len())),
        },
    })
}

fn lag(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    let limit = looks.migration.guardrails.lag_before;
    let behind: Vec<String> = source
        .members
        .iter()
        .filter_map(|m| Some((m, m.lag.filter(|lag| *lag > limit)?)))
        .map(|(m, lag)| format!("{} by {}", m.pod, image::size(lag)))
        .collect();
    Ok(match behind.as_slice() {
        [] => pass(format!("none by more than {}", image::size(limit))),
        behind => warn(
            format!("behind: {}", behind.join(", ")),
            format!("kubectl exec -n {} {} -c postgres -- patronictl list", source.namespace, source.leader),
        ),
    })
}

/// Hours.
const LATELY: f64 = 24.0;

fn failovers(looks: &Looks) -> Judged<'_> {
    let (turns, source) = (looks.history.as_ref()?, looks.source()?);
    let lately: Vec<f64> = turns.iter().filter_map(|turn| turn.hours()).filter(|hours| *hours < LATELY).collect();
    Ok(match (turns.last(), lately.last()) {
        (None, _) => pass(format!("timeline {}, the first", source.timeline)),
        (Some(last), None) => {
            pass(format!("{} since {}", led(last), last.at.as_deref().unwrap_or("a time not recorded")))
        }
        (Some(last), Some(hours)) => warn(
            format!("{} changes in {LATELY:.0} hours, the last {hours:.1} hours ago: {}", lately.len(), led(last)),
            format!("kubectl exec -n {} {} -c postgres -- patronictl history", source.namespace, source.leader),
        ),
    })
}

fn led(turn: &Turn) -> String {
    format!("{} leads timeline {}", turn.leader.as_deref().unwrap_or("its leader"), turn.timeline + 1)
}

const OURS: &str = "by this migration: its cutover is under way, or done";

fn paused(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    Ok(match source.paused {
        false => pass("not paused"),
        true if looks.own.paused => pass(OURS),
        true => warn(
            "paused",
            format!("kubectl exec -n {} {} -c postgres -- patronictl resume", source.namespace, source.leader),
        ),
    })
}

fn detached(looks: &Looks) -> Judged<'_> {
    let source = looks.source()?;
    Ok(match source.detached.as_deref() {
        None => pass("no other controller"),
        Some(detach_operator::OURS) if looks.own.detached => pass(OURS),
        Some(by) => warn(
            format!("annotation {CONTROLLER} = {by}"),
            format!("kubectl annotate postgresql -n {} {} {CONTROLLER}-", source.namespace, source.cluster),
        ),
    })
}

/// Ours alone: who else has detached it has a reason.
fn attach(looks: &Looks) -> Option<Arc<dyn Step>> {
    let (source, facts) = (looks.source().ok()?, looks.facts().ok()?);
    let ours = source.detached.as_deref() == Some(detach_operator::OURS);
    let title = format!("give {} back to the Zalando operator", source.cluster);
    let step = Arc::new(DetachOperator { source: source.cluster.clone() });
    let fix = TakeBack { id: "fix-source-detached", title, step };
    (ours && !looks.begun && !source.paused && facts.target.is_none()).then(|| Arc::new(fix) as _)
}

fn restart_pending(looks: &Looks) -> Judged<'_> {
    let pending = &looks.server()?.pending_restart;
    Ok(match pending.as_slice() {
        [] => pass("none"),
        pending => warn(
            pending.join(", "),
            format!(
                "kubectl exec -n {} {} -c postgres -- patronictl restart {} (an outage of some seconds)",
                looks.namespace(),
                looks.source()?.leader,
                looks.migration.source
            ),
        ),
    })
}

fn damaged(looks: &Looks) -> Judged<'_> {
    let failures = &looks.server()?.checksum_failures;
    Ok(match failures.first() {
        None => pass("no checksum has failed"),
        Some(f) => fail(
            format!("{} checksum failures in {}", f.failures, f.database.as_deref().unwrap_or("shared catalogues")),
            "find the relation with pg_amcheck --all --heapallindexed, restore it, then SELECT pg_stat_reset()",
        ),
    })
}

fn long(looks: &Looks) -> Judged<'_> {
    let limit = looks.migration.guardrails.longest_transaction.as_secs_f64();
    let open = &looks.sql()?.transactions;
    Ok(match open.iter().find(|t| t.kind != "prepared" && t.seconds > limit) {
        None => pass(format!("none over {limit:.0} s")),
        Some(t) => warn(
            format!("process {} of {}: {:.0} s", t.id, t.user.as_deref().unwrap_or("?"), t.seconds),
            format!("SELECT pg_terminate_backend({})", t.id),
        ),
    })
}

fn prepared(looks: &Looks) -> Judged<'_> {
    Ok(match looks.sql()?.transactions.iter().find(|t| t.kind == "prepared") {
        None => pass("none"),
        Some(t) => fail(
            format!("{} in {}", t.id, t.database.as_deref().unwrap_or("?")),
            format!("ROLLBACK PREPARED '{}' or COMMIT PREPARED it", t.id),
        ),
    })
}
