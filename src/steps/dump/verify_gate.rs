//! The gate in front of the switch: every row, every sequence and every fact of the catalogue is the same on both sides.
//!
//! Anything else, also what could not be looked at, ends the cutover, and the app goes back to the source. Looks only.

use super::several;
use crate::{
    error::{Context, Error, Result},
    postgres::Ident,
    step::*,
    verify::{self, Expectations, Report, Verdict, What},
};
use serde_json::json;
use std::time::Duration;

/// On each side: the app is down meanwhile, and the source has nothing else to do.
const SESSIONS: usize = 4;

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
        if let Some(bad) = reports.iter().find(|r| r.overall != Verdict::Pass) {
            let lines: Vec<String> = bad.problems().take(20).map(|i| format!("{}: {i}", i.verdict)).collect();
            return Err(Error::check(bad.summary()).cause(lines.join("\n")).hint(remedy(&world.migration.name, bad)));
        }
        let told = |r: &Report| {
            let accepted: Vec<&str> = r.accepted().map(|item| item.name.as_str()).collect();
            json!({ "database": r.database, "overall": r.overall, "code": r.code, "items": r.items.len(), "at": r.at,
                    "accepted": accepted, "sourceLsn": r.source_lsn, "targetLsn": r.target_lsn, "sourceVersion": r.source_version,
                    "targetVersion": r.target_version, "summary": r.summary() })
        };
        let note: Vec<String> = reports.iter().map(Report::summary).collect();
        Ok(json!({ "note": note.join("; "), "reports": reports.iter().map(told).collect::<Vec<_>>() }))
    }
}

/// What could not be compared can be let pass by name, once somebody has looked at it; what differs can't.
fn remedy(migration: &str, bad: &Report) -> String {
    match bad.problems().all(|item| item.is_table() && item.verdict == Verdict::Inconclusive) {
        true => {
            let names = bad
                .problems()
                .map(|item| format!(" --accept-inconclusive '{}.{}'", Ident::new(&bad.database), item.name));
            format!("to let it pass unproved: kubectl pgmigrate cutover {migration}{}", names.collect::<String>())
        }
        false => format!("kubectl pgmigrate verify {migration} -o json"),
    }
}
