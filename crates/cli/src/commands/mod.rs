//! The commands, one file each, and the dispatch.

mod alerts;
mod analyze;
mod audit;
mod backup;
mod batch;
mod cache;
mod cache_stats;
mod cleanup;
mod config;
mod databases;
mod doctor;
mod expire;
mod explain;
mod export;
mod extractors;
mod find;
mod flush;
mod front;
mod graph;
mod health;
mod house;
mod housekeeping;
mod ingest;
mod keeping;
mod limit;
mod mcp;
mod migrate;
mod monitor;
mod open_cache;
mod operations;
mod orphans;
mod plan;
mod publishing;
mod resolve;
mod restore;
mod serve;
mod shell;
mod stats;
mod submit;
mod tasks;
mod upkeep;
mod verify;
mod warm;
mod worker;
mod workers;

use crate::args::{Arguments, Command};
use crate::exit_code::{CliError, ExitCode};
use crate::{log, screen};

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, CliError> {
    screen::choose_colors(arguments.general.color);
    // A log would be written across the screen of the monitor.
    let draws = matches!(arguments.command, Command::Monitor(_)) && screen::logs_to_terminal();
    let is_verbose = arguments.general.verbose && !draws;
    // An agent's changes are in the log of their process, whatever else is shown.
    let _log = log::start(is_verbose || matches!(arguments.command, Command::Mcp(_)))?;
    let general = &arguments.general;
    match arguments.command {
        Command::Ingest(command) => {
            on_runtime(log::in_span("ingest", ingest::run(general, command)))
        }
        Command::Find(command) => find::run(&command),
        Command::Graph(command) => graph::run(&command),
        Command::Explain(command) => explain::run(&command),
        Command::Resolve(command) => resolve::run(&command),
        Command::Batch(command) => on_runtime(batch::run(general, command)),
        Command::Worker(command) => on_runtime(worker::run(general, command)),
        Command::Workers(command) => on_runtime(workers::run(general, command)),
        Command::Tasks(command) => on_runtime(tasks::run(general, command)),
        Command::Submit(command) => {
            on_runtime(log::in_span("submit", submit::run(general, command)))
        }
        Command::Warm(command) => on_runtime(log::in_span("warm", warm::run(general, command))),
        Command::Cache(command) => on_runtime(cache::run(general, command)),
        Command::Databases(command) => on_runtime(databases::run(general, &command)),
        Command::Health(command) => on_runtime(health::run(general, command)),
        Command::Monitor(command) => on_runtime(monitor::run(general, command)),
        Command::Stats(command) => on_runtime(stats::run(general, command)),
        Command::Serve(command) => on_runtime(serve::run(general, command)),
        Command::Front(command) => front::run(general, &command),
        Command::Doctor(command) => on_runtime(doctor::run(general, command)),
        Command::Analyze(command) => on_runtime(analyze::run(general, command)),
        Command::Plan(command) => on_runtime(plan::run(general, command)),
        Command::Flush(command) => on_runtime(flush::run(general, command)),
        Command::Migrate(command) => on_runtime(migrate::run(general, command)),
        Command::Verify(command) => on_runtime(verify::run(general, command)),
        Command::Backup(command) => on_runtime(backup::run(general, command)),
        Command::Restore(command) => on_runtime(restore::run(general, command)),
        Command::Cleanup(command) => on_runtime(cleanup::run(general, command)),
        Command::Expire(command) => on_runtime(expire::run(general, command)),
        Command::Housekeeping(command) => on_runtime(housekeeping::run(general, command)),
        Command::Limit(command) => on_runtime(limit::run(general, command)),
        Command::Audit(command) => on_runtime(audit::run(general, command)),
        Command::Mcp(command) => on_runtime(mcp::run(general, command)),
        Command::Config(command) => config::run(general, command),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man => shell::manual(),
    }
}

/// Runs async work on a new runtime.
pub(crate) fn on_runtime(
    work: impl Future<Output = Result<ExitCode, CliError>>,
) -> Result<ExitCode, CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            CliError::new(ExitCode::Other, format!("the async runtime did not start: {error}"))
        })?;
    let result = runtime.block_on(work);
    // A stage still running on a blocking thread must not delay the end of the process.
    runtime.shutdown_background();
    result
}
