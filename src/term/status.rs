//! Where a migration stands, from its journal: phase, step, outage, who holds it, what to type next.

use super::{Page, Table, paint, plan::wrap, table::columns};
use crate::{
    journal::{Phase, Standing, State},
    kube::lease::Holder,
    plan::Plan,
};
use console::Style;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Everything that is shown.
pub struct Status<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    pub state: &'a State,
    /// None: not begun, or made by another version.
    pub plan: Option<&'a Plan>,
    pub holder: Option<&'a Holder>,
    /// What a look says of a target that is a replica by the journal; None: it was not looked at.
    pub target: Option<&'a Target>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Follows,
    /// By nobody whom the journal knows: by what it shows.
    Promoted(String),
    /// A replica that receives nothing, as one that its operator took back after somebody had promoted it.
    Idle,
    /// Why that is not known.
    Unknown(String),
}

/// Columns that a paragraph is broken at on a wider terminal, and where stdout is none.
const COLUMNS: usize = 100;

const PHASES: [Phase; 3] = [Phase::Prepare, Phase::Cutover, Phase::Finalize];

impl Status<'_> {
    /// The phase that has begun and not ended.
    pub fn under_way(&self) -> Option<Phase> {
        PHASES.into_iter().rev().find(|p| self.state.has_begun(*p) && !self.state.has_ended(*p))
    }

    fn held(&self) -> bool {
        self.holder.is_some_and(|h| !h.expired)
    }

    fn is_astray(&self) -> bool {
        matches!(self.target, Some(Target::Promoted(_)))
    }

    /// One phrase for where it stands.
    pub fn standing(&self) -> String {
        let phrase = self.phrase();
        if self.is_astray() { format!("{phrase}, but the target was promoted by somebody else") } else { phrase }
    }

    fn phrase(&self) -> String {
        match self.under_way() {
            Some(phase) if self.held() => format!("{phase} is running"),
            Some(phase) => format!("{phase} began and did not end"),
            None if self.state.has_ended(Phase::Finalize) => "finalized".into(),
            None if self.state.has_ended(Phase::Cutover) => "cut over; the source is kept".into(),
            None if self.state.restored.is_some() => "prepared; the last cutover was taken back".into(),
            None if self.state.has_ended(Phase::Prepare) => "prepared".into(),
            None => "not begun".into(),
        }
    }

    /// The command to type next; None: nothing is left to do.
    pub fn next(&self) -> Option<String> {
        let verb = match self.under_way() {
            Some(_) if self.held() => return Some(format!("kubectl pgmigrate status {} --watch", self.name)),
            Some(_) => "resume",
            None if self.state.has_ended(Phase::Finalize) => return None,
            None if self.state.has_ended(Phase::Cutover) => "finalize",
            None if matches!(self.target, Some(Target::Idle | Target::Promoted(_))) => "check",
            None if self.state.has_ended(Phase::Prepare) => "cutover",
            None => "prepare",
        };
        Some(format!("kubectl pgmigrate {verb} {}", self.name))
    }

    /// What to do from here, for a verb that comes too late.
    pub fn advice(&self) -> String {
        let over = self.under_way().is_none() && self.state.has_ended(Phase::Cutover);
        match self.next() {
            None => format!("the certificate: kubectl pgmigrate report {}", self.name),
            Some(finalize) if over => format!(
                "next: kubectl pgmigrate verify {}, and when the way back is not needed any more: {finalize}",
                self.name
            ),
            Some(next) => format!("next: {next}"),
        }
    }

    /// The target does not follow, and no step of ours made it so.
    fn problem(&self) -> Option<String> {
        match self.target? {
            Target::Promoted(seen) => Some(format!(
                "the target follows the source no more: {seen}, and the journal has no promotion. Whether an app is on \
                 it was not looked at: what is written there is lost when it is removed (rollback {} --remove-target) \
                 and made anew",
                self.name
            )),
            Target::Idle => Some(
                "the target receives nothing from the source now. It may be connecting again; if it stays so, the source \
                 is out of its reach, or somebody has promoted it meanwhile"
                    .into(),
            ),
            Target::Follows | Target::Unknown(_) => None,
        }
    }

    /// Steps of the phase that is shown: the one under way, else the last that ended.
    fn steps(&self) -> Vec<(String, String)> {
        let phase = self.under_way().or(PHASES.into_iter().rev().find(|p| self.state.has_ended(*p)));
        match (self.plan, phase) {
            (Some(plan), Some(phase)) => {
                plan.steps(phase).iter().map(|step| (step.id(), step.describe().title)).collect()
            }
            _ => self.state.order.iter().map(|id| (id.clone(), id.clone())).collect(),
        }
    }

    /// Seconds without the app: measured, or so far.
    pub fn outage_seconds(&self) -> Option<f64> {
        match (self.state.outage_millis, self.state.outage_began) {
            (Some(millis), _) => Some(millis as f64 / 1000.0),
            (None, Some(began)) => Some((Timestamp::now().duration_since(began).as_millis() as f64 / 1000.0).max(0.0)),
            _ => None,
        }
    }

    pub fn page(&self) -> Page {
        Page { document: self.document(), names: vec![format!("migration/{}", self.name)], text: self.text() }
    }

    fn document(&self) -> Value {
        let steps = self.steps();
        let at = steps.iter().position(|(id, _)| !settled(self.state, id));
        let step = at.map(|at| json!({ "number": at + 1, "of": steps.len(), "id": steps[at].0, "title": steps[at].1 }));
        let rows: Vec<Value> = steps
            .iter()
            .map(|(id, title)| {
                let record = self.state.step(id);
                json!({
                    "id": id, "title": title, "standing": record.standing, "started": record.started,
                    "seconds": record.millis.map(|m| m as f64 / 1000.0), "error": record.error,
                })
            })
            .collect();
        json!({
            "migration": self.name, "namespace": self.namespace, "state": self.standing(), "phase": self.under_way(),
            "step": step, "steps": rows, "lag": self.lag(), "problem": self.problem(),
            "outageSeconds": self.outage_seconds(),
            "down": self.state.outage_began.is_some() && self.state.outage_millis.is_none(),
            "restored": self.state.restored, "lock": self.holder, "last": self.state.last, "by": self.state.by,
            "next": self.next(),
        })
    }

    fn text(&self) -> String {
        let mut head = Table::new(&[]);
        head.row(["migration", &format!("{} (namespace {})", self.name, self.namespace)]);
        head.row(["state", &paint(Style::new().bold(), &self.standing())]);
        if let Some(reason) = &self.state.restored {
            head.row(["taken back", &format!("because of: {reason}")]);
        }
        if let Some(Target::Unknown(why)) = self.target {
            head.row(["target", &format!("not looked at: {why}")]);
        }
        if let Some(lag) = self.lag() {
            head.row(["lag", &format!("{lag}, when a step last looked")]);
        }
        if let Some(seconds) = self.outage_seconds() {
            let over = if self.state.outage_millis.is_some() { "" } else { " so far: the app is down" };
            head.row(["outage", &format!("{seconds:.1} s{over}")]);
        }
        if let Some(holder) = self.holder {
            let expired = if holder.expired { ", expired" } else { "" };
            head.row(["lock", &format!("{} since {}{expired}", holder.identity, holder.since)]);
        }
        if let (Some(last), Some(by)) = (self.state.last, &self.state.by) {
            head.row(["last entry", &format!("{last:.0} by {by}")]);
        }
        let mut text = head.render(0);
        if let Some(problem) = self.problem() {
            // Not a row: those are cut at the terminal's edge.
            let problem = format!("{}: {problem}", paint(Style::new().red().bold(), "PROBLEM"));
            text.push('\n');
            text.extend(wrap(&problem, columns().min(COLUMNS)).iter().map(|line| format!("{line}\n")));
        }
        if !self.state.steps.is_empty() {
            text.push_str(&format!("\n{}", self.step_table()));
        }
        match self.next() {
            Some(next) => text.push_str(&format!("\nnext: {next}\n")),
            None => text.push_str("\nnothing is left to do\n"),
        }
        text
    }

    /// The last lag that a step wrote down, in its own words; it says nothing of a target that follows no more.
    fn lag(&self) -> Option<String> {
        let seen = |id: &String| match &self.state.step(id).evidence["lag"] {
            Value::String(text) => Some(text.clone()),
            Value::Number(bytes) => Some(format!("{bytes} bytes")),
            _ => None,
        };
        if self.problem().is_some() { None } else { self.state.order.iter().rev().find_map(seen) }
    }

    fn step_table(&self) -> String {
        let mut table = Table::new(&["STEP", "STANDING", "SECONDS", "TITLE"]);
        let steps = self.steps();
        for (number, (id, title)) in steps.iter().enumerate() {
            let record = self.state.step(id);
            let seconds = record.millis.map_or("-".into(), |m| format!("{:.2}", m as f64 / 1000.0));
            let title = record.error.as_ref().map_or(title.clone(), |e| format!("{title}: {e}"));
            table.row([format!("{}/{}", number + 1, steps.len()), mark(record.standing), seconds, title]);
        }
        table.render(0)
    }
}

fn settled(state: &State, id: &str) -> bool {
    matches!(state.step(id).standing, Standing::Done | Standing::Found)
}

fn mark(standing: Standing) -> String {
    let (style, word) = match standing {
        Standing::Never => (Style::new().dim(), "-"),
        Standing::Started => (Style::new().yellow(), "started"),
        Standing::Failed => (Style::new().red().bold(), "FAILED"),
        Standing::Done => (Style::new().green(), "done"),
        Standing::Found => (Style::new().green(), "was so"),
        Standing::Reverting => (Style::new().yellow(), "undoing"),
        Standing::Reverted => (Style::new().dim(), "undone"),
    };
    paint(style, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, What};

    fn state(whats: &[What]) -> State {
        let entry = |(n, what): (usize, &What)| Entry {
            seq: n as u64 + 1,
            at: Timestamp::UNIX_EPOCH,
            by: "me".into(),
            what: what.clone(),
        };
        State::fold(&whats.iter().enumerate().map(entry).collect::<Vec<_>>())
    }

    fn status(state: &State) -> Status<'_> {
        Status { name: "m", namespace: "n", state, plan: None, holder: None, target: None }
    }

    #[test]
    fn a_promotion_by_somebody_else_is_a_problem() {
        let done = What::Done { step: "streaming".into(), evidence: json!({ "lag": 0 }), millis: 1 };
        let state = state(&[done, What::PhaseEnded { phase: Phase::Prepare }]);
        let follows = Status { target: Some(&Target::Follows), ..status(&state) }.page();
        assert!(follows.text.contains("0 bytes") && follows.document["problem"].is_null(), "{}", follows.text);
        let promoted = Target::Promoted("it is not in recovery".into());
        let astray = Status { target: Some(&promoted), ..status(&state) }.page();
        assert!(astray.text.contains("PROBLEM") && !astray.text.contains("0 bytes"), "{}", astray.text);
        assert!(astray.text.contains("the source no more") && astray.document["lag"].is_null(), "{}", astray.text);
        let idle = Status { target: Some(&Target::Idle), ..status(&state) }.page();
        assert!(idle.text.contains("receives nothing") && idle.text.ends_with("check m\n"), "{}", idle.text);
        assert!(astray.text.ends_with("next: kubectl pgmigrate check m\n"), "{}", astray.text);
    }

    #[test]
    fn there_is_always_a_next_command() {
        use Phase::*;
        let (began, ended) = (|phase| What::PhaseBegan { phase }, |phase| What::PhaseEnded { phase });
        let restored = What::Restored { reason: "the budget".into() };
        let life = [
            (began(Prepare), "resume"),
            (ended(Prepare), "cutover"),
            (began(Cutover), "resume"),
            (restored, "cutover"),
            (began(Cutover), "resume"),
            (ended(Cutover), "finalize"),
            (began(Finalize), "resume"),
        ];
        let mut so_far = Vec::new();
        for (what, verb) in life {
            so_far.push(what);
            let state = state(&so_far);
            let status = status(&state);
            assert_eq!(status.next(), Some(format!("kubectl pgmigrate {verb} m")), "{so_far:?}");
        }
        so_far.push(ended(Finalize));
        let state = state(&so_far);
        let status = status(&state);
        assert_eq!((status.next(), status.standing().as_str()), (None, "finalized"));
    }
}
