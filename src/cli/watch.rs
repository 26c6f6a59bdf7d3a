//! `verify --watch`: round after round while a replica follows, giving way to the app.

use super::{context::Context, global::Which, verify::judged};
use crate::{
    error::{Kind, Result},
    facts::zalando,
    journal::Journal,
    spec::units,
    step::World,
    term::verify::Verified,
    verify::{Limits, Report, Throttle},
};
use std::time::{Duration, Instant};

/// Sessions at work at the source, and bytes behind, when nothing else is said.
const ACTIVE: u64 = 32;
const LAG: u64 = 64 << 20;

#[derive(clap::Args)]
pub struct Watch {
    /// Compare again and again until Ctrl-C; the exit code is the last verdict's
    #[arg(short, long)]
    watch: bool,
    /// Pause between two rounds
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration, requires = "watch")]
    every: Duration,
    /// Begin no piece of a table while more sessions than this are at work at the source (with --watch: 32)
    #[arg(long, value_name = "N")]
    max_active: Option<u64>,
    /// Begin none while a standby of the source has more than this to replay (with --watch: 64MiB)
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    max_lag: Option<u64>,
}

impl Watch {
    pub fn asked(&self) -> bool {
        self.watch
    }

    /// Prints every round. Ending to watch is no interruption: what was seen last counts, and is returned with the world
    /// that it was seen in.
    pub async fn rounds(
        &self,
        context: &Context,
        which: &Which,
        look: impl AsyncFn(&World) -> Result<Verified>,
    ) -> (Result<()>, Option<(World, Verified)>) {
        let (mut last, mut seen) = (None, None);
        let rounds = async |world: &World| loop {
            let began = Instant::now();
            match round(world, &look).await {
                Ok((world, verified)) => {
                    let result = judged(&verified, &world.migration.name);
                    context.ui.print_with(verified.round(&world.migration.name, began.elapsed()), &result)?;
                    last = Some(result);
                    seen = Some((world, verified));
                }
                // The API server may be away for a moment; at the start it is an error.
                Err(error) if last.is_some() => {
                    context.ui.warn(format!("this round saw nothing: {}", error.chain()));
                    last = Some(Err(error));
                }
                Err(error) => return Err(error),
            }
            world.sleep(self.every).await?;
        };
        let ended: Result<()> = context.look(which, rounds).await;
        let result = match (ended, last) {
            (Err(error), Some(last)) if error.kind == Kind::Interrupted => last,
            (ended, _) => ended,
        };
        (result, seen)
    }

    fn limits(&self) -> Option<Limits> {
        let asked = self.watch || self.max_active.is_some() || self.max_lag.is_some();
        let or = |limit: Option<u64>, default| limit.unwrap_or(if self.watch { default } else { u64::MAX });
        asked.then(|| Limits { active: or(self.max_active, ACTIVE), lag: or(self.max_lag, LAG) })
    }

    /// The comparison, held back while the source is busy.
    pub async fn throttled(
        &self,
        world: &World,
        database: &str,
        compare: impl AsyncFnOnce(Option<&Throttle>) -> Result<Report>,
    ) -> Result<Report> {
        let Some(limits) = self.limits() else { return compare(None).await };
        let throttle = Throttle::new(limits);
        let open = || async {
            let source = zalando::source(&world.kube, &world.migration.source).await?;
            zalando::open_source(&world.kube, &source, database).await
        };
        tokio::select! {
            report = compare(Some(&throttle)) => report,
            never = throttle.gauge(|| Box::pin(open()), |text| world.events.detail(text)) => match never {},
        }
    }
}

/// With the journal as it is by now: a cutover may have begun meanwhile, or ended.
async fn round(world: &World, look: &impl AsyncFn(&World) -> Result<Verified>) -> Result<(World, Verified)> {
    let journal = Journal::read(&world.kube, &world.migration.name).await?;
    let world = World { journal, ..world.clone() };
    let verified = look(&world).await?;
    Ok((world, verified))
}
