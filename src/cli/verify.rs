use super::{
    accept,
    context::{self, Context},
    global::Which,
    script, watch,
};
use crate::{
    error::{Context as _, Error, Result},
    facts::{self, cnpg, zalando},
    journal,
    postgres::Db,
    runner,
    script::{hooks::Hook, live::Counting},
    spec::Strategy,
    step::World,
    steps::hook,
    strategy,
    term::verify::Verified,
    verify::{self, Code, Expectations, Indexes, Item, Report, Throttle, Verdict, What},
};
use std::time::Duration;

/// Looks at ends that differ before they are called different.
const ROUNDS: u32 = 3;
/// The script's own queries may count big tables.
const LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    which: Which,
    /// Compare exact row counts and sequences only, not every row's content and the catalogue
    #[arg(long)]
    counts: bool,
    /// Show what is equal, too
    #[arg(long)]
    all: bool,
    /// Leave the script's verify() out
    #[arg(long)]
    no_script: bool,
    /// Compare bytes, not values: the scale of numbers (1.0 and 1.00), 0 and -0; slower
    #[arg(long)]
    strict_bytes: bool,
    /// For auditors: a SHA-256 of each row's text, which anybody can recompute in SQL; it takes nine times as long
    #[arg(long, conflicts_with_all = ["counts", "strict_bytes"])]
    sha256: bool,
    /// Rows to name in each table that differs, by their primary keys
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,
    /// Show what is in those rows, column by column: it may be private
    #[arg(long)]
    show_values: bool,
    /// Read the indexes of a physical copy whose collations have other versions there, with amcheck: every one, and its table
    #[arg(long)]
    indexes: bool,
    /// Sessions on each end
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    #[command(flatten)]
    accept: accept::Accept,
    #[command(flatten)]
    watch: watch::Watch,
}

impl Verify {
    pub async fn run(self, context: &Context) -> Result<()> {
        if self.watch.asked() {
            let rounds = self.watch.rounds(context, &self.which, async |world| self.look(world).await);
            let (result, last) = rounds.await;
            if let Some((world, verified)) = last {
                self.record(context, &world, &verified).await;
            }
            return result;
        }
        let look = async |world: &World| Ok((world.clone(), self.look(world).await?));
        let (world, verified) = context.look(&self.which, look).await?;
        let name = &world.migration.name;
        let result = judged(&verified, name);
        context.ui.print_with(verified.page(name, self.all), &result)?;
        self.record(context, &world, &verified).await;
        result
    }

    /// In the journal, for the certificate, once the migration has begun. It changes no verdict if that can't be.
    async fn record(&self, context: &Context, world: &World, verified: &Verified) {
        let Some(begun) = world.journal.state().fingerprint else { return };
        let what = journal::What::Verified { found: verified.record(&self.options()) };
        if let Err(why) = runner::record(&world.kube, &world.migration.name, &begun, what).await {
            context.ui.say(format!("this result is not recorded for the report: {}", why.chain()));
        }
    }

    /// What makes this result say more or less than another.
    fn options(&self) -> Vec<String> {
        let flags = [
            (self.counts, "--counts"),
            (self.strict_bytes, "--strict-bytes"),
            (self.sha256, "--sha256"),
            (self.indexes, "--indexes"),
            (self.no_script, "--no-script"),
            (self.watch.asked(), "--watch"),
        ];
        flags.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned()).collect()
    }

    async fn look(&self, world: &World) -> Result<Verified> {
        let facts = match context::facts_before(&world.journal)? {
            Some(facts) => facts,
            None => facts::gather(&world.kube, &world.migration).await?,
        };
        let accepted = self.accept.acceptances(world, &facts).await?;
        let what = What {
            strict: self.strict_bytes,
            sha256: self.sha256,
            rows: self.rows,
            values: self.show_values,
            ..if self.counts { What::counts() } else { What::all() }
        };
        let expected = Expectations {
            rehashed: strategy::dump::rehashed(&facts),
            unlogged_empty: world.migration.strategy == Strategy::Replica,
            refreshed: world.migration.strategy == Strategy::Dump,
            ..Expectations::zalando_to_cnpg()
        };
        let mut verified = Verified::default();
        let parked = match hook::counting(world) {
            Counting::Proved(how) => Some(how),
            _ => None,
        };
        for database in &facts.databases {
            if let Some(how) = &parked {
                let mut report = proved(&database.name, how);
                self.copied(world, &mut report).await;
                verified.databases.push(report);
                continue;
            }
            world.events.detail(format!("comparing {}", database.name));
            let mut report = self.compare(world, &database.name, what, &expected).await?;
            for _ in 1..ROUNDS {
                if report.overall != Verdict::Fail {
                    break;
                }
                world.events.detail(format!("comparing {} again: what differs may be moving", database.name));
                let again = self.compare(world, &database.name, what, &expected).await?;
                report = witnessed(report, again);
            }
            report.accept(&accepted);
            verified.databases.push(report);
        }
        if !self.no_script {
            verified.script = scripted(world).await?;
        }
        Ok(verified)
    }

    async fn compare(&self, world: &World, database: &str, what: What<'_>, expected: &Expectations) -> Result<Report> {
        match self.sessions(world, database).await {
            Ok((mut source, mut target)) => {
                let compared = async |throttle: Option<&Throttle>| {
                    let what = What { throttle, ..what };
                    verify::compare(&mut source, &mut target, database, what, expected).await
                };
                let mut report = self.watch.throttled(world, database, compared).await?;
                if let (Strategy::Replica, Some(target)) = (world.migration.strategy, target.first_mut()) {
                    report.add(verify::indexes(source.first_mut(), target, database, self.indexes).await);
                }
                Ok(report)
            }
            // A fenced source cannot be asked; then what the cutover proved is in the report, and here is no pass.
            Err(why) => Ok(unseen(database, why.chain())),
        }
    }

    /// What can be seen of a physical copy without its source.
    async fn copied(&self, world: &World, report: &mut Report) {
        if world.migration.strategy != Strategy::Replica {
            return;
        }
        let database = report.database.clone();
        match cnpg::open_target(&world.kube, &world.migration.target.cluster, &database).await {
            Ok(mut target) => report.add(verify::indexes(None, &mut target, &database, self.indexes).await),
            Err(why) => report.add(Indexes { items: unseen(&database, why.chain()).items, repair: Vec::new() }),
        }
    }

    async fn sessions(&self, world: &World, database: &str) -> Result<(Vec<Db>, Vec<Db>)> {
        // One more holds the snapshot, where both ends are seen at one instant.
        let copy = world.migration.strategy == Strategy::Replica;
        let (number, kube) = (usize::from(self.jobs) + usize::from(copy), &world.kube);
        let found = zalando::source(kube, &world.migration.source).await?;
        let source = verify::sessions(number, || Box::pin(zalando::open_source(kube, &found, database)));
        let cluster = &world.migration.target.cluster;
        let target = verify::sessions(number, || Box::pin(cnpg::open_target(kube, cluster, database)));
        let (source, target) = tokio::join!(source, target);
        Ok((source.context("open the source")?, target.context("open the target")?))
    }
}

/// What the verdict is to the exit code.
pub fn judged(verified: &Verified, migration: &str) -> Result<()> {
    let error = match verified.overall().0 {
        Verdict::Pass => return Ok(()),
        Verdict::Inconclusive => Error::check("not everything could be compared: inconclusive is no pass"),
        Verdict::Fail => Error::check("the two ends differ"),
    };
    Err(error.hint(format!("kubectl pgmigrate verify {migration} --all")))
}

/// The second look at ends that may be moving: equal once is equal; different twice is different only where the source
/// has stood still between the looks. What moves all the time can't be compared while it does.
fn witnessed(before: Report, mut again: Report) -> Report {
    for item in again.items.iter_mut().filter(|item| item.verdict == Verdict::Fail) {
        let same = |other: &&Item| (&other.kind, &other.name) == (&item.kind, &item.name);
        let Some(first) = before.items.iter().find(same) else { continue };
        match first.verdict {
            Verdict::Pass if again.instant.is_none() || item.kind == "sequence" => {
                let position = first.position.clone().or_else(|| Some(before.position()));
                *item = Item { position, ..first.clone() };
            }
            // Seen at one instant, rows that differ do so whatever moves; sequences belong to no transaction.
            _ if again.instant.is_some() && item.kind != "sequence" => {}
            _ if first.source != item.source => {
                (item.verdict, item.code) = (Verdict::Inconclusive, Code::BeingWritten);
                item.note = Some("is being written to: can be compared at rest, as the cutover does".into());
            }
            _ => {}
        }
    }
    again.judge();
    again
}

/// The script's verify(), each of its checks an item.
async fn scripted(world: &World) -> Result<Vec<Item>> {
    let (Some(script), Some(hook)) = (&world.migration.script, Hook::named("verify")) else { return Ok(Vec::new()) };
    let outcome = script::once(world, script, hook, LIMIT).await?;
    Ok(outcome.map(|outcome| script::items(&outcome)).unwrap_or_default())
}

fn unseen(database: &str, why: String) -> Report {
    let item = Item::new(database, "data", database, Verdict::Inconclusive, Code::EndUnreachable);
    Report::of_one(Item { note: Some(why), ..item })
}

/// That the target had all of it was proved in the window.
fn proved(database: &str, how: &str) -> Report {
    let item = Item::new(database, "window", database, Verdict::Pass, Code::Proved);
    Report::of_one(Item { note: Some(how.into()), ..item })
}
