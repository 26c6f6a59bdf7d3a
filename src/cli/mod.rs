//! The command line: one file a verb, each of them thin.

mod accept;
mod check;
mod completion;
mod context;
mod cost;
mod cutover;
mod demo;
mod drive;
mod export;
mod finalize;
mod global;
mod init;
mod lab;
mod list;
mod plan;
mod prepare;
mod rbac;
mod reindex;
mod report;
mod resume;
mod rollback;
mod schema;
mod script;
mod signals;
mod status;
mod unlock;
mod verify;
mod version;
mod watch;

use crate::{
    error::{Error, Kind, Result},
    term,
};
use clap::{Parser, Subcommand, error::ErrorKind};
use context::Context;
use global::Global;
use std::{ffi::OsString, panic::AssertUnwindSafe};

/// Moves a PostgreSQL database together with its application, from the Zalando operator to CloudNativePG.
#[derive(Parser)]
#[command(
    name = "kubectl-pgmigrate",
    bin_name = "kubectl pgmigrate",
    version,
    max_term_width = 100,
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done                               5  a human must decide
    1  failed, nothing left behind        6  rollback incomplete
    2  usage                              7  another runner holds the lock
    3  a check or verification failed    70  a bug
    4  stopped, `resume` is possible    130  interrupted cleanly
  After 4 to 7 the last line is the next command to type.

A first migration: list, init, check, plan, prepare, cutover, report, finalize.";

#[derive(Subcommand)]
enum Verb {
    /// Show what is there: Zalando clusters, CNPG clusters, migrations under way
    List(list::List),
    /// Write a migration file and its script, from what is in the cluster
    Init(init::Init),
    /// Look whether the migration can work; changes nothing
    Check(check::Check),
    /// Show every step in words, with its hazard and how it is undone
    Plan(plan::PlanVerb),
    /// Do everything that can be done while the app is up
    Prepare(prepare::Prepare),
    /// Show phase, step, lag, outage and what to type next
    Status(status::Status),
    /// The window: stop, fence, catch up, promote, switch, start, verify
    Cutover(cutover::Cutover),
    /// Compare both ends, and run the script's own queries
    Verify(verify::Verify),
    /// Go back to the source, as far as that is possible without loss
    Rollback(rollback::Rollback),
    /// Go on after a crash, a lost connection, a Ctrl-C, with what was confirmed when it began
    Resume(resume::Resume),
    /// Give up the way back: retire the source, remove what the migration left
    Finalize(finalize::Finalize),
    /// Take the lock away from a runner that is gone
    Unlock(unlock::Unlock),
    /// Write the certificate: what moved, what was proved, how long the app was down
    Report(report::Report),
    /// Work on the migration's script
    #[command(subcommand)]
    Script(script::Script),
    /// A practice cluster on this machine
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Print the RBAC role that a verb, or every verb, needs
    Rbac(rbac::Rbac),
    /// Print the JSON schema of the migration file, for editors
    Schema,
    /// Print a shell's completion script
    Completion(completion::Completion),
    /// Print the version
    Version,
    /// What kubectl's completion shim calls
    #[command(name = "__complete", hide = true)]
    Complete(completion::Complete),
}

/// Runs the program: parse, run the verb, print the error. Returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if completion::answer(&args) {
        return 0;
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return refused(&args, &error),
    };
    let context = Context::new(cli.global);
    let next = context.global.next();
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| run(&context, cli.verb)));
    let result = ran.unwrap_or_else(|_| Err(Error::bug("the program panicked; what it began can be resumed")));
    match result {
        Ok(()) => 0,
        Err(error) => {
            context.ui.fail(&error, next.as_deref());
            error.kind.exit_code()
        }
    }
}

/// --help and --version are answers; everything else that clap refuses is exit code 2, in the format asked for.
fn refused(args: &[OsString], error: &clap::Error) -> u8 {
    let text = error.render();
    if !error.use_stderr() {
        term::out(&text.to_string());
        return 0;
    }
    let text = text.to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing was asked for: help is all there is to say, and it is no answer.
        term::say(&text);
        return Kind::Usage.exit_code();
    }
    let message = text.trim_start_matches("error: ").trim_end();
    let format = global::format_in(args);
    let failure = Error::new(Kind::Usage, message);
    term::Ui::new(format, term::Color::Auto, String::new()).fail(&failure, None);
    failure.kind.exit_code()
}

/// What needs neither the cluster nor a script's clock answers without a runtime.
fn run(context: &Context, verb: Verb) -> Result<()> {
    if context.ui.format == term::Format::Junit && !matches!(verb, Verb::Check(_)) {
        return Err(Error::usage("-o junit is for check alone").hint("kubectl pgmigrate check NAME -o junit"));
    }
    match verb {
        Verb::Version => version::run(context),
        Verb::Rbac(verb) => verb.run(context),
        Verb::Schema => schema::run(context),
        Verb::Completion(verb) => verb.run(),
        Verb::Complete(verb) => verb.run(),
        verb => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime = runtime.map_err(|e| Error::failed("start the runtime").cause(e))?;
            let result = runtime.block_on(run_verb(context, verb));
            // A task that waits on a dead connection must not keep the program from ending.
            runtime.shutdown_timeout(std::time::Duration::from_millis(200));
            result
        }
    }
}

async fn run_verb(context: &Context, verb: Verb) -> Result<()> {
    match verb {
        Verb::List(verb) => verb.run(context).await,
        Verb::Init(verb) => verb.run(context).await,
        Verb::Check(verb) => verb.run(context).await,
        Verb::Plan(verb) => verb.run(context).await,
        Verb::Prepare(verb) => verb.run(context).await,
        Verb::Status(verb) => verb.run(context).await,
        Verb::Cutover(verb) => verb.run(context).await,
        Verb::Verify(verb) => verb.run(context).await,
        Verb::Rollback(verb) => verb.run(context).await,
        Verb::Resume(verb) => verb.run(context).await,
        Verb::Finalize(verb) => verb.run(context).await,
        Verb::Unlock(verb) => verb.run(context).await,
        Verb::Report(verb) => verb.run(context).await,
        Verb::Script(verb) => verb.run(context).await,
        Verb::Lab(verb) => verb.run(context).await,
        Verb::Version | Verb::Rbac(_) | Verb::Schema | Verb::Completion(_) | Verb::Complete(_) => {
            Err(Error::bug("a verb without a cluster was given a runtime"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
