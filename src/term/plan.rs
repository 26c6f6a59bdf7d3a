//! A plan for reading: every step in words, its hazard, how it is undone, and where the way back ends.

use super::{Page, paint};
use crate::{
    journal::Phase,
    plan::Plan,
    spec::Migration,
    step::{Hazard, Outage, Step},
};
use console::Style;
use serde_json::{Value, json};
use std::sync::Arc;

pub fn page(migration: &Migration, plan: &Plan) -> Page {
    let names = plan.all().map(|(_, step)| step.id()).collect();
    Page { document: document(migration, plan), names, text: text(migration, plan) }
}

/// The word for a hazard, as in the steps' JSON.
pub fn hazard(hazard: Hazard) -> &'static str {
    match hazard {
        Hazard::ReadOnly => "read-only",
        Hazard::Additive => "additive",
        Hazard::Disruptive => "disruptive",
        Hazard::OneWay => "one-way",
    }
}

const PHASES: [(Phase, &str); 3] =
    [(Phase::Prepare, "the app stays up"), (Phase::Cutover, "the window"), (Phase::Finalize, "gives up the way back")];

fn document(migration: &Migration, plan: &Plan) -> Value {
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
                    json!({
                        "number": number, "id": step.id(), "title": words.title, "details": words.details,
                        "objects": words.objects, "hazard": hazard(step.hazard()), "outage": step.outage(),
                        "deadlineSeconds": step.deadline().as_secs_f64(),
                    })
                })
                .collect();
            json!({ "phase": phase, "steps": steps })
        })
        .collect();
    json!({
        "migration": migration.name, "namespace": migration.namespace, "strategy": migration.strategy.to_string(),
        "digest": plan.digest(), "pointOfNoReturn": plan.one_way().id(), "phases": phases,
    })
}

fn text(migration: &Migration, plan: &Plan) -> String {
    let mut text = format!(
        "{}: {} -> {}, strategy {}, namespace {}\nplan {}\n",
        migration.name,
        migration.source,
        migration.target.cluster,
        migration.strategy,
        migration.namespace,
        plan.digest()
    );
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
            text.push_str(&step_text(number, step));
        }
    }
    let budget = migration.guardrails.downtime_budget.as_secs();
    text.push_str(&format!(
        "\nA failure before the point of no return brings the app back on the source by itself, {budget} s after its stop at the latest.\n"
    ));
    text
}

fn step_text(number: usize, step: &Arc<dyn Step>) -> String {
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
    let mut text = format!("{number:>4}. {}  {}\n", words.title, paint(style, &mark));
    for line in wrap(&words.details, 94) {
        text.push_str(&format!("      {line}\n"));
    }
    if !words.objects.is_empty() {
        let objects = format!("touches {}", words.objects.join(", "));
        for line in wrap(&objects, 94) {
            text.push_str(&format!("      {}\n", paint(Style::new().dim(), &line)));
        }
    }
    text
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
