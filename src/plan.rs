//! A plan: the steps of each phase, in order. Pure: made by a strategy from the file and the facts.

use crate::{
    error::{Error, Result},
    journal::Phase,
    step::{Hazard, Step},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub struct Plan {
    pub prepare: Vec<Arc<dyn Step>>,
    pub cutover: Vec<Arc<dyn Step>>,
    pub finalize: Vec<Arc<dyn Step>>,
}

impl Plan {
    /// Refuses what would be a bug: two steps of one name, or a cutover without exactly one point of no return.
    pub fn new(prepare: Vec<Arc<dyn Step>>, cutover: Vec<Arc<dyn Step>>, finalize: Vec<Arc<dyn Step>>) -> Result<Plan> {
        let plan = Plan { prepare, cutover, finalize };
        let mut ids: Vec<String> = plan.all().map(|(_, s)| s.id()).collect();
        ids.sort();
        if let Some(twice) = ids.windows(2).find(|w| w[0] == w[1]) {
            return Err(Error::bug(format!("the plan has two steps named {}", twice[0])));
        }
        let one_way = plan.cutover.iter().filter(|s| s.hazard() == Hazard::OneWay).count();
        if one_way != 1 {
            return Err(Error::bug(format!("a cutover has exactly one point of no return, this plan has {one_way}")));
        }
        Ok(plan)
    }

    pub fn steps(&self, phase: Phase) -> &[Arc<dyn Step>] {
        match phase {
            Phase::Prepare => &self.prepare,
            Phase::Cutover => &self.cutover,
            Phase::Finalize => &self.finalize,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = (Phase, &Arc<dyn Step>)> {
        [Phase::Prepare, Phase::Cutover, Phase::Finalize]
            .into_iter()
            .flat_map(|phase| self.steps(phase).iter().map(move |step| (phase, step)))
    }

    /// The cutover's point of no return.
    pub fn one_way(&self) -> &Arc<dyn Step> {
        self.cutover.iter().find(|s| s.hazard() == Hazard::OneWay).expect("checked by Plan::new")
    }

    /// What was reviewed is what runs: a digest of every step's name, hazard and words, and of what it sends.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (phase, step) in self.all() {
            let words = step.describe();
            hash.update(format!(
                "{phase}\n{}\n{:?}\n{}\n{}\n{:?}\n{}\n",
                step.id(),
                step.hazard(),
                words.title,
                words.details,
                words.objects,
                serde_json::to_string(&step.sends()).unwrap_or_default(),
            ));
        }
        hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}
