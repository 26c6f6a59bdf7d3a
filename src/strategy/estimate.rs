//! How long each step will take: a guess from what moves, the limits in the file, and round figures.
//! An earlier run of the same step, from a journal, replaces the guess.

use crate::{
    journal::Phase,
    plan::Plan,
    spec::{Guardrails, Strategy},
    step::Outage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Seconds: at best, likely, at worst.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub low: f64,
    pub likely: f64,
    pub high: f64,
    /// Likely is what an earlier run took.
    pub measured: bool,
}

impl Estimate {
    const fn of(low: f64, likely: f64, high: f64) -> Estimate {
        Estimate { low, likely, high, measured: false }
    }
    fn add(self, other: Estimate) -> Estimate {
        let measured = self.measured && other.measured;
        let sum = Estimate::of(self.low + other.low, self.likely + other.likely, self.high + other.high);
        Estimate { measured, ..sum }
    }
}

/// What the times depend on.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// Bytes of the databases to move.
    pub bytes: u64,
    pub guardrails: Guardrails,
    /// Seconds that a step took in an earlier run, by its id.
    pub earlier: BTreeMap<String, f64>,
    /// Bytes a second that such a step moved in other migrations of this namespace: the slowest.
    pub reached: BTreeMap<String, f64>,
}

/// Bytes a second; None: of too little, where the time is that of starting things.
pub fn reached(bytes: u64, seconds: f64) -> Option<f64> {
    (bytes >= 1 << 30 && seconds > 0.0).then(|| bytes as f64 / seconds)
}

const MIB: f64 = 1024.0 * 1024.0;

/// Steps whose time grows with the data: MiB a second that are assumed, quickest first. A base backup and a comparison
/// go by disks and network; an import builds its indexes, too.
fn rates(id: &str) -> Option<[f64; 3]> {
    match id {
        "make-bootable" | "verify" => Some([200.0, 60.0, 8.0]),
        "import" => Some([40.0, 15.0, 2.0]),
        _ => None,
    }
}

pub fn moves_data(id: &str) -> bool {
    rates(id).is_some()
}

impl Basis {
    /// What a step that moves data adds to the rest of it.
    fn moving(&self, id: &str) -> Estimate {
        let seconds = self.rates(id).unwrap_or([f64::INFINITY; 3]).map(|rate| self.bytes as f64 / (rate * MIB));
        Estimate::of(seconds[0], seconds[1], seconds[2])
    }

    /// A rate that was reached here, give or take, in place of what is assumed anywhere.
    fn rates(&self, id: &str) -> Option<[f64; 3]> {
        let reached = self.reached.get(id).map(|rate| rate / MIB);
        Some(reached.map_or(rates(id)?, |rate| [rate * 2.0, rate, rate / 4.0]))
    }

    /// `1.0 GiB at 60 MiB/s, 8 to 200`: what the time of a step rests on, where it was not measured.
    pub fn assumes(&self, id: &str) -> Option<String> {
        let [quick, likely, slow] = self.rates(id).filter(|_| !self.earlier.contains_key(id))?;
        let gibibytes = self.bytes as f64 / MIB / 1024.0;
        let whose = if self.reached.contains_key(id) { " as in another migration here" } else { "" };
        Some(format!("{gibibytes:.1} GiB at {likely:.0} MiB/s{whose}, {slow:.0} to {quick:.0}"))
    }

    /// Round figures, above what cutovers of small test clusters took; the worst is a limit that would end it.
    pub fn step(&self, id: &str) -> Estimate {
        let guess = match id {
            "make-bootable" => self.moving(id).add(Estimate::of(8.0, 25.0, 180.0)),
            "import" => self.moving(id).add(Estimate::of(8.0, 25.0, 180.0)),
            "verify" => self.moving(id).add(Estimate::of(0.5, 1.0, 10.0)),
            "rehearse" => Estimate::of(10.0, 30.0, 240.0),
            "restart-target" | "grow-target" => Estimate::of(2.0, 15.0, 120.0),
            "stop-apps" => Estimate::of(1.0, 5.0, self.guardrails.stop_apps.as_secs_f64()),
            // A process that must warm up is not ready sooner than it is.
            "start-apps" => Estimate::of(2.0, 20.0, 120.0),
            "fence-source" => Estimate::of(0.4, 1.2, 10.0),
            "prove-caught-up" => Estimate::of(0.3, 0.7, self.guardrails.catch_up.as_secs_f64()),
            "prove-quiet" => Estimate::of(0.0, 0.5, 5.0).add(exactly(self.guardrails.quiet.as_secs_f64())),
            "promote" => Estimate::of(0.7, 2.0, 10.0),
            // The operator restarts the promoted server once.
            "settle" => Estimate::of(1.4, 3.0, 30.0),
            _ => Estimate::of(0.1, 0.5, 5.0),
        };
        match self.earlier.get(id) {
            Some(&took) => {
                Estimate { low: guess.low.min(took), likely: took, high: guess.high.max(took), measured: true }
            }
            None => guess,
        }
    }

    /// From the step that stops the apps to the one that has them up again.
    pub fn outage(&self, plan: &Plan) -> Estimate {
        let steps = plan.steps(Phase::Cutover);
        let begins = steps.iter().position(|s| s.outage() == Outage::Begins).unwrap_or(0);
        let ends = steps.iter().rposition(|s| s.outage() == Outage::Ends).map_or(steps.len(), |at| at + 1);
        let ids: Vec<String> = steps[begins..ends].iter().map(|step| step.id()).collect();
        self.sum(ids.iter().map(String::as_str))
    }

    /// The same where there is no plan yet.
    pub fn outage_of(&self, strategy: Strategy) -> Estimate {
        const REPLICA: [&str; 8] = [
            "stop-apps",
            "fence-source",
            "prove-caught-up",
            "promote",
            "settle",
            "repair-logins",
            "switch-connections",
            "start-apps",
        ];
        const DUMP: [&str; 7] =
            ["stop-apps", "fence-source", "prove-quiet", "import", "verify", "switch-connections", "start-apps"];
        self.sum(if strategy == Strategy::Dump { DUMP.to_vec() } else { REPLICA.to_vec() })
    }

    fn sum<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Estimate {
        let all = ids.into_iter().map(|id| self.step(id));
        all.reduce(Estimate::add).unwrap_or(exactly(0.0))
    }
}

fn exactly(seconds: f64) -> Estimate {
    Estimate::of(seconds, seconds, seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_matters_to_a_dump_alone_and_an_earlier_run_counts() {
        let small = Basis { bytes: 1 << 20, ..Basis::default() };
        let large = Basis { bytes: 100 << 30, ..Basis::default() };
        assert_eq!(small.outage_of(Strategy::Replica), large.outage_of(Strategy::Replica));
        assert!(large.outage_of(Strategy::Dump).likely > 100.0 * small.outage_of(Strategy::Dump).likely);
        let seen = Basis { earlier: [("start-apps".to_string(), 300.0)].into(), ..Basis::default() };
        let start = seen.step("start-apps");
        assert_eq!((start.likely, start.high, start.measured), (300.0, 300.0, true));
        // What another migration's copy reached, if it was large enough to tell.
        assert_eq!((reached(1 << 20, 8.0), reached(1 << 30, 0.0)), (None, None));
        let rate = reached(20 << 30, 1024.0).expect("large");
        let near = Basis { reached: [("import".to_string(), rate)].into(), ..large.clone() };
        assert_eq!(near.step("import").likely, 5.0 * 1024.0 + 25.0);
        assert!(!near.step("import").measured, "it is a guess all the same");
        assert_eq!(
            near.assumes("import").as_deref(),
            Some("100.0 GiB at 20 MiB/s as in another migration here, 5 to 40")
        );
        assert_eq!(near.step("verify"), large.step("verify"));
        for id in ["stop-apps", "import", "gate"] {
            let e = large.step(id);
            assert!(e.low <= e.likely && e.likely <= e.high, "{id}: {e:?}");
        }
    }
}
