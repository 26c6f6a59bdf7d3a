//! The instance manager's loop while its server runs: looks, reports, reconciles.
use super::{
    Operator,
    cluster::Cluster,
    conf::{self, Role},
    instance::{Instance, Report},
    primary, promotion, shutdown, sql,
};
use std::time::{Duration, Instant};

/// Why PostgreSQL's watch ended.
pub enum Why {
    Gone,
    Died,
    Fenced,
}

/// What the manager remembers between looks.
#[derive(Default)]
pub struct Manager {
    pub wedged: bool,
    /// It has seen a fence, and that lifted.
    pub lifted: bool,
    /// No reconciliation before this.
    pub not_before: Option<Instant>,
    pub primary: primary::Memory,
    /// When the restart in place is to be called over.
    pub healthy_at: Option<Instant>,
    reported: Option<Instant>,
    answered: Option<Instant>,
}

impl Manager {
    /// Looks after a running server until something ends that.
    pub async fn watch(&mut self, operator: &Operator, instance: &Instance) -> Why {
        self.answered = None;
        self.started(operator, instance);
        loop {
            if instance.gone.is_cancelled() {
                return Why::Gone;
            }
            let Some(cluster) = instance.cluster(operator) else { return Why::Gone };
            if !instance.place.server.running() {
                return Why::Died;
            }
            if cluster.fenced(&instance.place.pod) {
                instance.place.log.info("Fencing PostgreSQL instance");
                shutdown::fast(&instance.place, || {}).await;
                return Why::Fenced;
            }
            if self.reported.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                self.look(operator, instance).await;
            }
            if !self.wedged && self.not_before.is_none_or(|at| at <= Instant::now()) {
                self.reconcile(operator, instance, &cluster).await;
            }
            tokio::select! {
                () = operator.nap(Duration::from_millis(250)) => {}
                () = instance.gone.cancelled() => {}
            }
        }
    }

    /// After every start: the first look comes at once, and what a primary applies is applied again.
    pub fn started(&mut self, operator: &Operator, instance: &Instance) {
        self.reported = None;
        self.primary = primary::Memory::default();
        instance.tell(operator, |report| {
            report.started = Some(Instant::now());
            report.running = true;
        });
    }

    /// Asks the server how it is and tells the operator; the readiness probe is part of it.
    pub async fn look(&mut self, operator: &Operator, instance: &Instance) {
        const STATE: &str = "SELECT pg_is_in_recovery(), (SELECT timeline_id FROM pg_control_checkpoint()), \
            (SELECT system_identifier FROM pg_control_system()), \
            (SELECT count(*) FROM pg_settings WHERE pending_restart), \
            CASE WHEN NOT pg_is_in_recovery() THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END";
        let Ok(rows) = sql::rows(&instance.place, "postgres", STATE).await else { return };
        let Some(row) = rows.into_iter().next() else { return };
        let field = |n: usize| row.get(n).cloned().flatten();
        self.reported = Some(Instant::now());
        let answered = *self.answered.get_or_insert_with(Instant::now);
        let seen = Report {
            manager: true,
            running: true,
            primary: field(0).as_deref() == Some("f"),
            // A primary's WAL names its timeline at once; the control file only after the next checkpoint.
            timeline: field(4).or(field(1)).and_then(|text| text.parse().ok()),
            system_id: field(2),
            pending_restart: field(3).is_some_and(|count| count != "0"),
            ..instance.report()
        };
        let before = instance.report();
        let differs = (before.primary, before.timeline, &before.system_id, before.pending_restart)
            != (seen.primary, seen.timeline, &seen.system_id, seen.pending_restart);
        if differs {
            instance.tell(operator, |report| *report = seen);
        }
        if answered.elapsed() >= operator.options.readiness_delay {
            instance.set_ready(operator, true);
        } else {
            self.reported = None;
        }
    }

    async fn reconcile(&mut self, operator: &Operator, instance: &Instance, cluster: &Cluster) {
        let role = conf::role(cluster, &instance.place.pod);
        let in_recovery = !instance.report().primary;
        if instance.report().system_id.is_none() {
            return; // not looked yet
        }
        if role == Role::Primary && in_recovery && instance.place.data().join("standby.signal").exists() {
            promotion::promote(operator, instance, self).await;
        } else if role != Role::Primary && !in_recovery {
            promotion::demote(operator, instance, self).await;
        }
        // The Cluster may have moved on meanwhile.
        let Some(cluster) = instance.cluster(operator) else { return };
        promotion::apply_configuration(operator, instance, &cluster, self).await;
        if instance.report().primary {
            self.primary.reconcile(operator, instance, &cluster).await;
        }
        promotion::restart_is_over(operator, instance, self);
        promotion::restart_if_asked(operator, instance, self).await;
    }
}
