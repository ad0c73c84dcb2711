//! `compartment worker`: processes batches and single tasks until it is stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment::Databases;
use compartment::database_map::{Role, WorkerSettings};
use compartment::pipeline::{
    Ended, Engine, Patience, Progress, Silent, Worker, WorkerOptions, WorkerReport,
};
use compartment_documents::IngestOptions;
use compartment_documents::batch::engine;
use compartment_documents::files::DocumentRoots;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::upkeep::Upkeep;
use super::{batch, operations};
use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::reading;
use crate::screen::{self, BAD, FAINT, GOOD};
use crate::services::Source;
use crate::settings::{self, Settings};

/// How often an unavailable server is tried again at the start.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often the status line is updated.
const TELL_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(general: &General, command: args::Worker) -> Result<ExitCode, CliError> {
    let (settings, databases) = open(general, command.wait).await?;
    let source = Source::of(&settings);
    let mut options = options(&command, databases.map().worker());
    options.keep_task_rows = command.ledger.address(databases.map())?.is_some();
    let mut ingest = IngestOptions::default();
    ingest.concurrency = options.concurrency;
    ingest.cache = !command.no_cache;
    reading::apply(&mut ingest, &command.reading, databases.map(), &source)?;
    ingest.roots = reading::roots(&command.below, databases.map().worker())?;
    let progress = Progress::new(Arc::new(Silent));
    let patience = Patience::waiting(command.wait);
    let engine = patience.outlast(|| engine(&databases, &ingest, progress.clone())).await?;
    check_stages(&options, &engine)?;
    let batch = databases.role(Role::Batch)?;
    let worker = Worker::new(batch, vec![engine.clone()], options, patience);
    announce(&worker, &databases, &ingest.roots);
    let upkeep = Upkeep::start(settings, &databases, &command)?;
    let report = tokio::select! {
        report = worker.run(interrupted()) => report?,
        () = told_twice() => {
            return Err(CliError::new(
                ExitCode::Interrupted,
                "stopped at once: other workers take over its documents when its leases expire",
            ));
        }
        () = tell(&worker) => return Ok(ExitCode::Other),
    };
    upkeep.end().await;
    if let Err(error) = engine.cache().close().await {
        tracing::warn!(%error, "the cache's figures could not be added to the metrics");
    }
    say(&command, &worker, &report);
    match report.ended {
        Ended::Memory | Ended::Overdue => {
            ingest.reader.close();
            Err(start_anew())
        }
        Ended::Stopped => Ok(ExitCode::Interrupted),
        _ => Ok(if report.failed > 0 { ExitCode::SomeFailed } else { ExitCode::Success }),
    }
}

/// Opens the databases, waiting for the server: it may be started after its workers.
async fn open(general: &General, wait: Duration) -> Result<(Settings, Databases), CliError> {
    let started = Instant::now();
    loop {
        let settings = settings::load(general)?;
        let error = match batch::open(&operations::of_work(&settings, None)?).await {
            Ok(databases) => return Ok((settings, databases)),
            Err(error) if error.code() == ExitCode::Unavailable => error,
            Err(error) => return Err(error),
        };
        if started.elapsed() >= wait {
            return Err(error);
        }
        let left = screen::time(wait.saturating_sub(started.elapsed()));
        screen::remark(format!("{FAINT}waiting up to {left} for the server: {error}{FAINT:#}"));
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY.min(wait)) => {}
            () = interrupted() => {
                let what = "stopped before the server answered";
                return Err(CliError::new(ExitCode::Interrupted, what));
            }
        }
    }
}

fn options(command: &args::Worker, settings: &WorkerSettings) -> WorkerOptions {
    let mut options = WorkerOptions::default();
    if let Some(id) = &command.id {
        options.id.clone_from(id);
    }
    options.stages.clone_from(&command.stages);
    options.batches = Some(command.batch.clone()).filter(|batches| !batches.is_empty());
    options.until_finished = command.until_finished;
    options.concurrency = command.concurrency.map_or(options.concurrency, |n| n as usize);
    options.lease = command.lease.or(settings.lease).unwrap_or(options.lease);
    options.drain = command.drain;
    options.memory_limit = command.memory_mib.map(|mib| mib.saturating_mul(1024 * 1024));
    options
}

fn check_stages(options: &WorkerOptions, engine: &Engine) -> Result<(), CliError> {
    let known: Vec<&str> = engine.pipeline().stages().collect();
    let wanted = options.stages.iter().flatten();
    match wanted.into_iter().find(|stage| !known.contains(&stage.as_str())) {
        None => Ok(()),
        Some(stage) => Err(CliError::new(
            ExitCode::Configuration,
            format!("there is no stage {stage:?}; there are {}", known.join(", ")),
        )),
    }
}

fn announce(worker: &Worker, databases: &Databases, roots: &DocumentRoots) {
    let state = worker.state();
    let stages: Vec<&str> =
        state.serves.iter().filter_map(|one| one.split(['/', ' ']).nth(1)).collect();
    screen::remark(format!(
        "worker {GOOD}{}{GOOD:#} serves {} with {}",
        state.id,
        stages.join(", "),
        screen::counted(u64::try_from(state.concurrency).unwrap_or(u64::MAX), "slot")
    ));
    let read = match roots.folders() {
        None => "reads any file that a batch names; --documents sets its folders".to_owned(),
        Some(folders) => {
            let folders: Vec<String> =
                folders.iter().map(|folder| folder.display().to_string()).collect();
            format!("reads documents below {}", folders.join(", "))
        }
    };
    screen::remark(format!("{FAINT}{read}{FAINT:#}"));
    for (name, location) in databases.locations() {
        screen::remark(format!("{FAINT}{name}  {location}; Ctrl-C stops it gracefully{FAINT:#}"));
    }
}

/// Waits for a second request to end.
async fn told_twice() {
    interrupted().await;
    // The first signal reaches both this task and the worker.
    tokio::time::sleep(Duration::from_millis(100)).await;
    interrupted().await;
}

/// Updates the status line, forever.
async fn tell(worker: &Worker) {
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        line.set_style(style);
    }
    loop {
        let state = worker.state();
        let mut text = format!("{} done", screen::count(state.done));
        if state.failed > 0 {
            text += &format!(", {} failed", screen::count(state.failed));
        }
        for one in state.running.iter().take(3) {
            text += &format!(" · {} {}", one.stage, one.name);
        }
        screen::set_message(&line, text);
        line.tick();
        tokio::time::sleep(TELL_EVERY).await;
    }
}

fn say(command: &args::Worker, worker: &Worker, report: &WorkerReport) {
    let why = match report.ended {
        Ended::Finished => "its batches are finished",
        Ended::Memory => "its memory passed the limit",
        Ended::Overdue => "too many timed-out stages are still running",
        _ => "it was asked to",
    };
    if command.json {
        let (done, failed, handed_back) = (report.done, report.failed, report.handed_back);
        screen::say_json_line(&json!({
            "worker": worker.id(),
            "ended": why,
            "done": done,
            "failed": failed,
            "handed_back": handed_back,
        }));
        return;
    }
    let mut line = format!("{GOOD}{}{GOOD:#} done", screen::counted(report.done, "stage"));
    if report.failed > 0 {
        line += &format!(", {BAD}{} failed{BAD:#}", screen::counted(report.failed, "attempt"));
    }
    if report.handed_back > 0 {
        line += &format!(", {} handed back", screen::counted(report.handed_back, "document"));
    }
    screen::say(format!("{line}; stopped because {why}"));
}

/// Replaces this process with a new one with the same arguments, which releases its memory and ends hanging stages.
/// Returns only if that fails.
fn start_anew() -> CliError {
    screen::remark("restarting");
    let program = std::env::current_exe();
    #[cfg(unix)]
    if let Ok(program) = program {
        use std::os::unix::process::CommandExt;
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
        return CliError::new(
            ExitCode::Other,
            format!("the worker could not restart itself: {error}"),
        );
    }
    CliError::new(ExitCode::Other, "the worker could not restart itself: start it again")
}
