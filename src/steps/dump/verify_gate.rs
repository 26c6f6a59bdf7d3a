//! The gate in front of the switch: every row, every sequence and every fact of the catalogue is the same on both sides.
//!
//! Anything else, also what could not be looked at, ends the cutover, and the app goes back to the source. Looks only.

use super::several;
use crate::{
    error::{Context, Error, Result},
    postgres::Ident,
    step::*,
    verify::{self, Expectations, Item, Report, Verdict, What},
};
use serde_json::json;
use std::time::Duration;

/// On each side: the app is down meanwhile, and the source has nothing else to do.
const SESSIONS: usize = 4;
/// Problems that an error lists.
const LINES: usize = 20;

pub struct VerifyGate {
    pub databases: Vec<String>,
    /// Roles whose md5 password was made anew as scram.
    pub rehashed: Vec<String>,
    pub limit: Duration,
}

impl VerifyGate {
    async fn compare(&self, world: &World, database: &str) -> Result<Report> {
        let (mut source, mut target) = several(world, database, SESSIONS).await?;
        let expectations =
            Expectations { rehashed: self.rehashed.clone(), refreshed: true, ..Expectations::zalando_to_cnpg() };
        // No app is on the target yet.
        let what = What { refresh: true, ..What::all() };
        let mut report = verify::compare(&mut source, &mut target, database, what, &expectations).await?;
        report.accept(&world.journal.state().accepted);
        Ok(report)
    }
}

#[async_trait::async_trait]
impl Step for VerifyGate {
    fn id(&self) -> String {
        "verify".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "compare every row and the whole catalogue".into(),
            details: format!(
                "of {}; anything but equal ends the cutover; looks only: a materialised view that differs is made anew and rolled back",
                self.databases.join(", ")
            ),
            objects: vec![],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::ReadOnly
    }
    fn deadline(&self) -> Duration {
        self.limit
    }
    async fn observe(&self, _world: &World) -> Result<Observed> {
        Ok(Observed::Absent)
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let mut reports = Vec::new();
        for database in &self.databases {
            world.events.detail(format!("comparing {database}"));
            reports
                .push(self.compare(world, database).await.with_context(|| format!("comparing database {database}"))?);
        }
        if let Some(error) = refused(&world.migration.name, &reports) {
            return Err(error);
        }
        let note: Vec<String> = reports.iter().map(Report::summary).collect();
        Ok(json!({ "note": note.join("; "), "reports": reports.iter().map(Report::record).collect::<Vec<_>>() }))
    }
}

/// What does not pass, a line each below the first. What could not be compared can be let pass by name, once somebody has
/// looked at it; what differs can't: the runner's own hint is all that there is to do then, for the target is gone.
fn refused(migration: &str, reports: &[Report]) -> Option<Error> {
    let bad: Vec<&Report> = reports.iter().filter(|report| report.overall != Verdict::Pass).collect();
    let problems = || bad.iter().flat_map(|report| report.problems());
    let mut lines = vec![bad.iter().map(|report| report.summary()).collect::<Vec<_>>().join("; ")];
    lines.extend(problems().take(LINES).map(|item| format!("{}: {item}", item.verdict)));
    let more = problems().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let error = (!bad.is_empty()).then(|| Error::check(lines.join("\n")))?;
    let open =
        problems().count() > 0 && problems().all(|item| item.is_table() && item.verdict == Verdict::Inconclusive);
    let name = |item: &Item| format!(" --accept-inconclusive '{}.{}'", Ident::new(&item.database), item.name);
    let command = |names: String| format!("to let it pass unproved: kubectl pgmigrate cutover {migration}{names}");
    Some(if open { error.hint(command(problems().map(name).collect())) } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Code;

    #[test]
    fn each_problem_is_told_once() {
        let item = |name: &str, verdict| Item::new("app", "data", name, verdict, Code::Stale);
        let mut report = Report::of_one(item("odd", Verdict::Inconclusive));
        let error = refused("m", std::slice::from_ref(&report)).expect("no pass");
        assert_eq!(error.chain(), "app: INCONCLUSIVE: 1 INCONCLUSIVE of 1\nINCONCLUSIVE: data odd was not compared");
        let hint = "to let it pass unproved: kubectl pgmigrate cutover m --accept-inconclusive '\"app\".odd'";
        assert_eq!(error.hint.as_deref(), Some(hint));
        report.items.extend((0..LINES).map(|n| item(&format!("t{n}"), Verdict::Fail)));
        report.judge();
        let error = refused("m", &[report]).expect("no pass");
        assert!(
            error.what.starts_with("app: FAIL: 20 FAIL, 1 INCONCLUSIVE of 21\n")
                && error.what.ends_with("\nand 1 more")
        );
        assert_eq!((error.chain().matches("t3 ").count(), error.hint), (1, None));
        assert!(refused("m", &[]).is_none());
    }
}
