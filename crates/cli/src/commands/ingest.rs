//! `compartment ingest`: takes documents through the stages and prints a summary.

use std::sync::Arc;
use std::time::Duration;

use compartment::Databases;
use compartment::backend::{MAX_NAME, is_name};
use compartment::clock::SystemClock;
use compartment::pipeline::ledger::{Ledger, LedgerRun};
use compartment::pipeline::{Patience, ProcessMemory, Progress, WorkerOptions};
use compartment_documents::batch::pipeline;
use compartment_documents::model::{EntityKind, RelationshipKind};
use compartment_documents::{IngestError, IngestOptions, IngestReport, ingest};
use serde_json::json;

use super::databases::size;
use super::extractors;
use super::publishing::Publishing;
use crate::args::{BatchName, BatchSubmit, General, Ingest};
use crate::exit_code::{CliError, ExitCode, code_of};
use crate::interrupt::interrupted;
use crate::progress_bars::ProgressBars;
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};
use crate::services::Source;
use crate::{reading, settings};

pub(crate) async fn run(general: &General, command: Ingest) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    for note in settings.map.notes() {
        screen::remark(format!("{STRONG}note:{STRONG:#} {note}"));
    }
    if let Some(out) = &command.out {
        // Created first, so that a failure does not come after an hour of work.
        let made = compartment_files::create_folders(out);
        made.and_then(|()| compartment_files::remove_stale(out))
            .map_err(|error| CliError::files("write to", out, &error))?;
    }
    let source = Source::of(&settings);
    let databases = compartment::open(settings.map).await?;
    if command.submit {
        return submit(&databases, &command).await;
    }
    let mut options = options(&command)?;
    reading::apply(&mut options, &command.reading, databases.map(), &source)?;
    let publishing = Publishing::start(&databases);
    let bars = Arc::new(ProgressBars::new());
    let progress = Progress::new(bars.clone());
    let ledger = command.how.ledger.configured(databases.map())?.map(Ledger::new);
    if let Some(ledger) = &ledger {
        let recorder = recorder(&databases, ledger, &options, &progress).await?;
        options.recorder = Some(Arc::new(recorder));
    }
    let outcome = tokio::select! {
        outcome = ingest(&databases, &command.paths, &options, &progress) => outcome,
        () = interrupted() => {
            bars.clear();
            if let (Some(recorder), Some(ledger)) = (&options.recorder, &ledger) {
                // Finished documents have their rows; an unavailable ledger is not waited for.
                let _ = tokio::time::timeout(LAST_ROWS, recorder.finish(false)).await;
                ledger.close().await;
            }
            publishing.end().await;
            return Err(stopped(&progress));
        }
    };
    bars.clear();
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    publishing.end().await;
    let report = outcome.map_err(failed)?;
    if command.json {
        screen::say_json(&as_json(&databases, &report).await);
    } else {
        print(&databases, &report).await?;
    }
    if report.documents.total == 0 {
        screen::remark("no documents found at these paths");
    }
    Ok(if report.failures.is_empty() { ExitCode::Success } else { ExitCode::SomeFailed })
}

/// Time limit for the last ledger rows of an interrupted run.
const LAST_ROWS: Duration = Duration::from_secs(5);

fn options(command: &Ingest) -> Result<IngestOptions, CliError> {
    if !is_name(&command.project) {
        let what = format!(
            "the name of a project must have 1 to {MAX_NAME} bytes without control characters"
        );
        return Err(CliError::new(ExitCode::Configuration, what));
    }
    let mut options = IngestOptions::default();
    options.project.clone_from(&command.project);
    options.concurrency = command.concurrency.map_or(options.concurrency, |n| n as usize);
    options.cache = !command.no_cache;
    options.wait = Duration::from_secs(command.wait);
    options.out.clone_from(&command.out);
    options.links = command.links.into();
    Ok(options)
}

/// Records the run in the ledger under the project's name, apart from batches of that name.
async fn recorder(
    databases: &Databases,
    ledger: &Ledger,
    options: &IngestOptions,
    progress: &Progress,
) -> Result<LedgerRun, CliError> {
    let pipeline = pipeline(databases, options)?;
    let (name, worker) = (format!("ingest:{}", options.project), WorkerOptions::default().id);
    let patience = Patience::new(options.wait, Arc::new(SystemClock), progress.observer());
    Ok(LedgerRun::begin(ledger.clone(), &name, &pipeline, worker, patience).await?)
}

/// Submits the documents as a batch named after the project.
async fn submit(databases: &Databases, command: &Ingest) -> Result<ExitCode, CliError> {
    let submission = BatchSubmit {
        batch: BatchName { name: command.project.clone() },
        paths: command.paths.clone(),
        links: command.links,
        how: command.how.clone(),
        decisions: None,
        open: false,
        dry_run: false,
        json: command.json,
    };
    super::batch::submit::run(databases, &submission, &command.reading.services).await
}

fn stopped(progress: &Progress) -> CliError {
    let documents = progress.documents();
    let (finished, total) = (documents.finished, documents.total);
    CliError::new(
        ExitCode::Interrupted,
        format!("stopped: {finished} of {total} documents are processed"),
    )
    .hint("run the same command again: cached results are reused")
}

fn failed(error: IngestError) -> CliError {
    match error {
        IngestError::Store { error, done, total } => CliError::new(
            code_of(error.kind()),
            format!("failed to {error}; documents done: {done} of {total}"),
        )
        .hint("run the same command again to process the rest"),
        IngestError::Output { path, error } => CliError::files("write", &path, &error),
        other => CliError::new(ExitCode::Other, other.to_string()),
    }
}

async fn print(databases: &Databases, report: &IngestReport) -> Result<(), CliError> {
    let documents = &report.documents;
    let mut line = format!("{GOOD}{}{GOOD:#} done", screen::counted(documents.done, "document"));
    if documents.failed > 0 {
        line += &format!(", {BAD}{} failed{BAD:#}", screen::count(documents.failed));
    }
    if documents.duplicates > 0 {
        line += &format!(", {} of them duplicates", screen::count(documents.duplicates));
    }
    line += &format!(
        " in {} ({:.1} documents/s, peak memory {})",
        screen::time(report.elapsed()),
        report.documents_per_second,
        ProcessMemory::now()
            .and_then(|memory| memory.peak)
            .map_or_else(|| "unknown".into(), compartment_admin::size)
    );
    screen::say(line);
    if documents.skipped > 0 {
        let files = if documents.skipped == 1 { "file" } else { "files" };
        screen::say(format!(
            "{FAINT}{} {files} skipped: not a document type{FAINT:#}",
            screen::count(documents.skipped)
        ));
    }
    if let Some(share) = report.answered_from_cache() {
        screen::say(format!(
            "{} of the results were answered from the cache",
            screen::percent(Some(share))
        ));
    }
    print_failures(report);
    print_found(report);
    extractors::print(report);
    print_stages(report);
    print_databases(databases).await
}

/// Failures shown; more would scroll everything else away. `--json` has all of them.
const SHOWN_FAILURES: usize = 20;

fn print_failures(report: &IngestReport) {
    if report.failures.is_empty() {
        return;
    }
    let mut table = screen::table(&["failed document", "reason"], &[]);
    for failure in report.failures.iter().take(SHOWN_FAILURES) {
        table.add_row([&failure.document, &failure.reason]);
    }
    screen::say_lines(format!("\n{table}"));
    if let Some(more) = report.failures.len().checked_sub(SHOWN_FAILURES).filter(|n| *n > 0) {
        screen::say(format!("and {more} more: --json lists all"));
    }
}

fn print_found(report: &IngestReport) {
    let entities: u64 = report.entities.values().sum();
    let relationships: u64 = report.relationships.values().sum();
    let mut table = screen::table(&["entities", "", "relationships", ""], &[1, 3]);
    let left: Vec<(String, u64)> =
        report.entities.iter().map(|(kind, n)| (entity_name(*kind).into(), *n)).collect();
    let right: Vec<(String, u64)> = report
        .relationships
        .iter()
        .map(|(kind, n)| (relationship_name(*kind).into(), *n))
        .collect();
    for at in 0..left.len().max(right.len()) {
        let cells = |side: &[(String, u64)]| {
            side.get(at)
                .map_or_else(Default::default, |(name, n)| (name.clone(), screen::count(*n)))
        };
        let ((a, b), (c, d)) = (cells(&left), cells(&right));
        table.add_row([a, b, c, d]);
    }
    table.add_row([
        "all".to_owned(),
        screen::count(entities),
        "all".to_owned(),
        screen::count(relationships),
    ]);
    screen::say_lines(format!("\n{table}"));
    if report.foremost.is_empty() {
        return;
    }
    let mut table =
        screen::table(&["named in the most documents", "", "documents", "mentions"], &[2, 3]);
    for entity in report.foremost.iter().take(6) {
        table.add_row([
            entity.name.clone(),
            entity_name(entity.kind).to_owned(),
            screen::count(entity.documents),
            screen::count(entity.mentions),
        ]);
    }
    screen::say_lines(format!("\n{table}"));
}

fn print_stages(report: &IngestReport) {
    let mut table =
        screen::table(&["stage", "computed", "cached", "failed", "busy time"], &[1, 2, 3, 4]);
    for (stage, figures) in report.stages_in_order() {
        table.add_row([
            stage.to_owned(),
            screen::count(figures.computed),
            screen::count(figures.cached),
            screen::count(figures.failed),
            screen::time(Duration::from_millis(figures.busy_ms)),
        ]);
    }
    screen::say_lines(format!("\n{table}"));
}

async fn print_databases(databases: &Databases) -> Result<(), CliError> {
    let mut table =
        screen::table(&["database", "place", "kind", "keys", "bytes", "hit rate"], &[3, 4, 5]);
    for contract in databases.map().databases() {
        let database = databases.get(&contract.name)?;
        let usage = database.usage().usage().await?;
        table.add_row([
            contract.name.clone(),
            database.contract().placement.to_string(),
            contract.kind.to_string(),
            screen::count(usage.keys),
            size(usage),
            screen::percent(database.traffic().snapshot().hit_rate()),
        ]);
    }
    screen::say_lines(format!("\n{table}"));
    for (name, location) in databases.locations() {
        screen::say(format!("{STRONG}{name}{STRONG:#}  {location}"));
    }
    Ok(())
}

fn entity_name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Citation => "citations",
        EntityKind::Court => "courts",
        EntityKind::Party => "parties",
        EntityKind::Judge => "judges",
        EntityKind::Lawyer => "lawyers",
        EntityKind::DocketNumber => "docket numbers",
        EntityKind::Date => "dates",
        EntityKind::Money => "money",
        EntityKind::Case => "cases",
        _ => "others",
    }
}

fn relationship_name(kind: RelationshipKind) -> &'static str {
    match kind {
        RelationshipKind::PartyCase => "party – case",
        RelationshipKind::LawyerParty => "lawyer – party",
        RelationshipKind::JudgeCase => "judge – case",
        RelationshipKind::CaseCourt => "case – court",
        RelationshipKind::Cites => "cites",
        RelationshipKind::Event => "event",
        RelationshipKind::MentionedTogether => "mentioned together",
        _ => "others",
    }
}

async fn as_json(databases: &Databases, report: &IngestReport) -> serde_json::Value {
    let mut list = Vec::new();
    for contract in databases.map().databases() {
        let Ok(database) = databases.get(&contract.name) else { continue };
        // The report is still useful if the server has become unavailable after the run.
        let usage = database.usage().usage().await.ok();
        let traffic = database.traffic().snapshot();
        list.push(json!({
            "name": contract.name,
            "keys": usage.map(|usage| usage.keys),
            "bytes": usage.map(|usage| usage.bytes),
            "bytes_are_exact": usage.map(|usage| usage.is_exact),
            "hits": traffic.hits,
            "misses": traffic.misses,
            "hit_rate": traffic.hit_rate(),
        }));
    }
    let mut value = serde_json::to_value(report).unwrap_or_default();
    value["databases"] = list.into();
    value["peak_memory_bytes"] = json!(ProcessMemory::now().and_then(|memory| memory.peak));
    value["answered_from_cache"] = json!(report.answered_from_cache());
    value
}
