//! What to do with a step, going forwards: a pure table.

use crate::{
    journal::Standing,
    step::{Hazard, Observed},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take a receipt, write the intent, apply.
    Apply,
    /// Apply again under the receipt of the first time.
    Reapply,
    /// The effect is there: write that it is done.
    Finish,
    /// It was so before us: write that, undo nothing later.
    Adopt,
    /// Done before; nothing to do.
    Skip,
    /// A human must look: why.
    Ask(String),
}

/// `standing` is the journal's word, `observed` the world's.
pub fn decide(hazard: Hazard, standing: Standing, observed: &Observed) -> Action {
    use Action::*;
    use Standing::*;
    match (hazard, standing, observed) {
        (_, _, Observed::Unknown(why)) => Ask(format!("can't see whether this step is done: {why}")),
        // A gate is looked at afresh each time it is reached, unless it was passed.
        (Hazard::ReadOnly, Done | Found, _) => Skip,
        (Hazard::ReadOnly, _, _) => Apply,

        (_, Done | Found, Observed::Done) => Skip,
        (Hazard::OneWay, Done | Found, _) => {
            Ask("the journal says that the point of no return was passed, the cluster says that it was not".into())
        }
        (_, Done, _) => Reapply,
        (_, Found, _) => Apply,

        (Hazard::OneWay, Never | Reverted, Observed::Done | Observed::Partial(_)) => {
            Ask("somebody else has already done this one-way step".into())
        }
        (_, Never | Reverted, Observed::Done) => Adopt,
        (_, Never | Reverted, _) => Apply,

        (_, Started | Failed | Reverting, Observed::Done) => Finish,
        (_, Started | Failed | Reverting, _) => Reapply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action as A;
    use Hazard as H;
    use Standing as S;

    fn shape(action: &Action) -> &'static str {
        match action {
            A::Apply => "apply",
            A::Reapply => "reapply",
            A::Finish => "finish",
            A::Adopt => "adopt",
            A::Skip => "skip",
            A::Ask(_) => "ask",
        }
    }

    /// The whole table: hazard, standing -> absent, partial, done. Unknown always asks.
    #[test]
    fn table() {
        let rows = [
            (H::ReadOnly, S::Never, ["apply", "apply", "apply"]),
            (H::ReadOnly, S::Started, ["apply", "apply", "apply"]),
            (H::ReadOnly, S::Failed, ["apply", "apply", "apply"]),
            (H::ReadOnly, S::Done, ["skip", "skip", "skip"]),
            (H::ReadOnly, S::Found, ["skip", "skip", "skip"]),
            (H::ReadOnly, S::Reverting, ["apply", "apply", "apply"]),
            (H::ReadOnly, S::Reverted, ["apply", "apply", "apply"]),
            (H::Additive, S::Never, ["apply", "apply", "adopt"]),
            (H::Additive, S::Started, ["reapply", "reapply", "finish"]),
            (H::Additive, S::Failed, ["reapply", "reapply", "finish"]),
            (H::Additive, S::Done, ["reapply", "reapply", "skip"]),
            (H::Additive, S::Found, ["apply", "apply", "skip"]),
            (H::Additive, S::Reverting, ["reapply", "reapply", "finish"]),
            (H::Additive, S::Reverted, ["apply", "apply", "adopt"]),
            (H::Disruptive, S::Never, ["apply", "apply", "adopt"]),
            (H::Disruptive, S::Started, ["reapply", "reapply", "finish"]),
            (H::Disruptive, S::Failed, ["reapply", "reapply", "finish"]),
            (H::Disruptive, S::Done, ["reapply", "reapply", "skip"]),
            (H::Disruptive, S::Found, ["apply", "apply", "skip"]),
            (H::Disruptive, S::Reverting, ["reapply", "reapply", "finish"]),
            (H::Disruptive, S::Reverted, ["apply", "apply", "adopt"]),
            (H::OneWay, S::Never, ["apply", "ask", "ask"]),
            (H::OneWay, S::Started, ["reapply", "reapply", "finish"]),
            (H::OneWay, S::Failed, ["reapply", "reapply", "finish"]),
            (H::OneWay, S::Done, ["ask", "ask", "skip"]),
            (H::OneWay, S::Found, ["ask", "ask", "skip"]),
            (H::OneWay, S::Reverting, ["reapply", "reapply", "finish"]),
            (H::OneWay, S::Reverted, ["apply", "ask", "ask"]),
        ];
        assert_eq!(rows.len(), 4 * 7);
        for (hazard, standing, expected) in rows {
            let seen = [Observed::Absent, Observed::Partial("half".into()), Observed::Done];
            for (observed, expected) in seen.iter().zip(expected) {
                assert_eq!(
                    shape(&decide(hazard, standing, observed)),
                    expected,
                    "{hazard:?} {standing:?} {observed:?}"
                );
            }
            let unknown = Observed::Unknown("no answer".into());
            assert_eq!(shape(&decide(hazard, standing, &unknown)), "ask", "{hazard:?} {standing:?}");
        }
    }
}
