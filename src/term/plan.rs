//! A plan for reading: every step in words, its hazard, how it is undone, and where the way back ends.

use super::{Page, paint, sent};
use crate::{
    journal::Phase,
    plan::Plan,
    spec::Migration,
    step::{Hazard, Outage, Step},
    strategy::estimate::{Basis, Estimate},
};
use console::Style;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is known besides the plan itself.
pub struct Forecast {
    pub basis: Basis,
    pub there: Vec<There>,
    pub reindex: Vec<Reindex>,
    /// Where the migration stands once a cutover has begun: the plan is history by then, or being made true.
    pub standing: Option<String>,
    /// With every object, patch and statement.
    pub all: bool,
}

/// A manifest that the plan applies.
pub struct There {
    pub wanted: Value,
    /// The object of that name; Ok(None): there is none. Err: why that is not known.
    pub now: Result<Option<Value>, String>,
}

/// What makes one database's indexes right after a physical copy, where text sorts otherwise at the target.
pub struct Reindex {
    pub database: String,
    /// How it is known, or why it is not.
    pub basis: String,
    /// For the promoted target, in this order. None: not known.
    pub statements: Option<Vec<String>>,
}

pub fn page(migration: &Migration, plan: &Plan, forecast: &Forecast) -> Page {
    let names = plan.all().map(|(_, step)| step.id()).collect();
    Page {
        document: document(migration, plan, forecast),
        names,
        text: render(migration, plan, forecast, super::table::columns()),
    }
}

/// Columns that a paragraph is broken at on a wider terminal, and where stdout is none.
const COLUMNS: usize = 100;

/// The word for a hazard, as in the steps' JSON.
pub fn hazard(hazard: Hazard) -> &'static str {
    match hazard {
        Hazard::ReadOnly => "read-only",
        Hazard::Additive => "additive",
        Hazard::Disruptive => "disruptive",
        Hazard::OneWay => "one-way",
    }
}

/// `about 20 s (5 s to 3 min)`
pub fn range(time: Estimate) -> String {
    format!("about {} ({} to {})", span(time.likely), span(time.low), span(time.high))
}

/// The same of an estimate in a document.
pub(super) fn range_of(document: &Value) -> String {
    serde_json::from_value(document.clone()).map_or_else(|_| "unknown".into(), range)
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

const PHASES: [(Phase, &str); 3] =
    [(Phase::Prepare, "the app stays up"), (Phase::Cutover, "the window"), (Phase::Finalize, "gives up the way back")];

fn document(migration: &Migration, plan: &Plan, forecast: &Forecast) -> Value {
    let mut number = 0;
    let phases: Vec<Value> = PHASES
        .iter()
        .map(|(phase, _)| {
            let steps: Vec<Value> = plan
                .steps(*phase)
                .iter()
                .map(|step| {
                    number += 1;
                    let words = step.describe();
                    let mut line = json!({
                        "number": number, "id": step.id(), "title": words.title, "details": words.details,
                        "objects": words.objects, "hazard": hazard(step.hazard()), "outage": step.outage(),
                        "deadlineSeconds": step.deadline().as_secs_f64(),
                        "estimateSeconds": forecast.basis.step(&step.id()),
                        "assumes": forecast.basis.assumes(&step.id()),
                    });
                    if forecast.all {
                        line["sends"] = json!(step.sends());
                    }
                    line
                })
                .collect();
            json!({ "phase": phase, "steps": steps })
        })
        .collect();
    json!({
        "migration": migration.name, "namespace": migration.namespace, "strategy": migration.strategy.to_string(),
        "digest": plan.digest(), "pointOfNoReturn": plan.one_way().id(), "outageSeconds": forecast.basis.outage(plan), "phases": phases,
        "reindex": forecast.reindex.iter().map(Reindex::document).collect::<Vec<_>>(),
        "standing": forecast.standing,
        "manifests": forecast.there.iter().map(There::document).collect::<Vec<_>>(),
    })
}

pub fn render(migration: &Migration, plan: &Plan, forecast: &Forecast, columns: usize) -> String {
    let columns = columns.min(COLUMNS);
    let mut text = format!(
        "{}: {} -> {}, strategy {}, namespace {}\nplan {}\n",
        migration.name,
        migration.source,
        migration.target.cluster,
        migration.strategy,
        migration.namespace,
        plan.digest()
    );
    if let Some(standing) = &forecast.standing {
        let standing = format!("{standing}. This is the plan as it was begun.");
        text.extend(wrap(&standing, columns).iter().map(|line| format!("{line}\n")));
    }
    let bold = Style::new().bold();
    let mut number = 0;
    for (phase, words) in PHASES {
        text.push_str(&format!("\n{} ({words})\n", paint(bold.clone(), &phase.to_string().to_uppercase())));
        for step in plan.steps(phase) {
            number += 1;
            if step.hazard() == Hazard::OneWay && phase == Phase::Cutover {
                let line = "  ----- POINT OF NO RETURN: from the next step on there is no way back without loss -----";
                text.push_str(&format!("{}\n", paint(Style::new().red().bold(), line)));
            }
            text.push_str(&step_text(number, step, forecast, columns));
        }
    }
    if forecast.standing.is_none() {
        text.extend(forecast.there.iter().map(There::text));
    }
    text.extend(forecast.reindex.iter().map(Reindex::text));
    if forecast.standing.is_none() {
        text.push_str(&before(migration, plan, forecast, columns));
    }
    text
}

/// What there is to know before the window: how long it will be, and that there is a way back.
fn before(migration: &Migration, plan: &Plan, forecast: &Forecast, columns: usize) -> String {
    let outage = forecast.basis.outage(plan);
    let budget = migration.guardrails.downtime_budget.as_secs();
    let from = if outage.measured {
        "from earlier runs here"
    } else {
        "a guess from the size; times of earlier runs replace it"
    };
    let tight =
        if outage.likely > budget as f64 { "; MORE THAN THE BUDGET: raise guardrails.downtimeBudget" } else { "" };
    let outage = format!("outage: {}, {from}; the budget is {budget} s{tight}", range(outage));
    let back = format!(
        "A failure before the point of no return brings the app back on the source by itself, and so do {budget} s without the app."
    );
    let lines = [outage, back].into_iter().flat_map(|paragraph| wrap(&paragraph, columns));
    std::iter::once(String::from("\n")).chain(lines.map(|line| format!("{line}\n"))).collect()
}

fn step_text(number: usize, step: &Arc<dyn Step>, forecast: &Forecast, columns: usize) -> String {
    let columns = columns.saturating_sub(6);
    let words = step.describe();
    let outage = match step.outage() {
        Outage::Same => "",
        Outage::Begins => ", the outage begins here",
        Outage::Ends => ", the outage ends here",
    };
    let mark = format!("[{}{outage}]", hazard(step.hazard()));
    let style = match step.hazard() {
        Hazard::ReadOnly => Style::new().dim(),
        Hazard::Additive => Style::new().green(),
        Hazard::Disruptive => Style::new().yellow(),
        Hazard::OneWay => Style::new().red().bold(),
    };
    let time = forecast.basis.step(&step.id());
    let time = match (time.measured, forecast.basis.assumes(&step.id())) {
        (true, _) => format!("took {}", span(time.likely)),
        (false, None) => format!("about {}", span(time.likely)),
        (false, Some(assumed)) => format!("{}, assuming {assumed}", range(time)),
    };
    let time = paint(Style::new().dim(), &time);
    let mut text = format!("{number:>4}. {}  {}  {time}\n", words.title, paint(style, &mark));
    for line in wrap(&words.details, columns) {
        text.push_str(&format!("      {line}\n"));
    }
    if !words.objects.is_empty() {
        let objects = format!("touches {}", words.objects.join(", "));
        for line in wrap(&objects, columns) {
            text.push_str(&format!("      {}\n", paint(Style::new().dim(), &line)));
        }
    }
    if forecast.all {
        let sent = step.sends().into_iter().map(|sent| sent::text(&sent, 6).unwrap_or_default());
        text.extend(sent);
    }
    text
}

impl There {
    fn document(&self) -> Value {
        let now = match &self.now {
            Ok(None) => json!("absent"),
            Ok(Some(now)) => json!({ "diff": sent::diff(now, &self.wanted).unwrap_or_default() }),
            Err(why) => json!({ "unknown": why }),
        };
        json!({ "object": sent::name(&self.wanted), "now": now })
    }

    fn text(&self) -> String {
        let name = sent::name(&self.wanted);
        match &self.now {
            Ok(None) => {
                format!("\n{name} is not there yet; it will be made (--show all prints it, --emit writes it)\n")
            }
            Ok(Some(now)) => match sent::diff(now, &self.wanted).unwrap_or_default() {
                text if text.is_empty() => format!("\n{name} is there, as the plan makes it\n"),
                text => format!("\n{name} is there; what the plan makes differs from it (-: now, +: made):\n{text}"),
            },
            Err(why) => format!("\n{name}: whether it is there is not known: {why}\n"),
        }
    }
}

impl Reindex {
    fn document(&self) -> Value {
        json!({ "database": self.database, "basis": self.basis, "statements": self.statements })
    }

    fn text(&self) -> String {
        let Reindex { database, basis, statements } = self;
        match statements.as_deref() {
            None => format!("\nwhether indexes of database {database} must be built anew is not known: {basis}\n"),
            Some([]) => format!("\nno index of database {database} must be built anew: {basis}\n"),
            Some(statements) => {
                let lines: String = statements.iter().map(|statement| format!("  {statement}\n")).collect();
                format!(
                    "\nafter the promotion, in database {database} of the target, in this order ({basis}):\n{lines}"
                )
            }
        }
    }
}

/// Breaks at spaces; a word longer than a line stays whole.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if console::measure_text_width(line) + 1 + console::measure_text_width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn wraps_at_spaces() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible a", 4), ["incomprehensible", "a"]);
        assert!(wrap("", 4).is_empty());
    }
}
