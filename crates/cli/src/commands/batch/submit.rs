//! `compartment batch submit` and `compartment ingest --submit`: submit documents as a batch.

use std::time::Duration;

use compartment::Databases;
use compartment::database_map::Role;
use compartment::pipeline::{BatchOptions, Patience, Submission};
use compartment_admin::shell_word;
use compartment_documents::IngestOptions;
use compartment_documents::batch::{SubmittedFiles, keep_decisions, pipeline, submit_files};
use compartment_documents::files::{decisions_in, discover};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{BatchSubmit, ServiceOptions};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, BAD, FAINT, GOOD};
use crate::services;

/// How long to wait for a server that becomes unavailable.
const WAIT: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    databases: &Databases,
    command: &BatchSubmit,
    services: &ServiceOptions,
) -> Result<ExitCode, CliError> {
    let (name, paths) = (command.batch.name.as_str(), command.paths.clone());
    let links = command.links.into();
    let discovery = tokio::task::spawn_blocking(move || discover(&paths, links)).await;
    let discovery = discovery.map_err(|error| CliError::new(ExitCode::Other, error.to_string()))?;
    let files = discovery.files.len() as u64;
    if command.dry_run {
        screen::say(format!(
            "{} would be submitted as batch {name}; {} skipped: not a document type",
            screen::counted(files, "file"),
            screen::count(discovery.skipped)
        ));
        return Ok(ExitCode::Success);
    }
    let decisions = match &command.decisions {
        Some(path) => {
            Some(decisions_in(path).map_err(|error| CliError::files("read", path, &error))?)
        }
        None => None,
    };
    // Which stages the batch has depends on the services that its workers ask.
    let mut ingest = IngestOptions::default();
    services::apply_to_plan(&mut ingest, services, databases.map())?;
    let pipeline = pipeline(databases, &ingest)?;
    let mut options = BatchOptions::default().class(command.how.class.into());
    options.event_bytes = command.how.event_kib.saturating_mul(1024);
    options.max_bytes = command.how.max_entry_mib.map(|mib| mib.saturating_mul(1024 * 1024));
    options.outbox = command.how.ledger.address(databases.map())?.is_some();
    let patience = Patience::waiting(WAIT);
    let batch = databases.role(Role::Batch)?;
    let begun = Submission::begin(batch, name, &pipeline, &options, patience).await;
    let mut submission = begun?;
    if let Some(decisions) = &decisions {
        keep_decisions(databases, name, decisions).await?;
    }
    let bar = ProgressBar::new(files);
    let form = " submit {wide_bar:.green/dim} {pos}/{len} files {eta_precise}";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let (files, roots) = (discovery.files, discovery.roots);
    let submitted = tokio::select! {
        submitted = submit_files(&mut submission, files, &roots, |at| bar.set_position(at)) => {
            submitted?
        }
        () = interrupted() => {
            bar.finish_and_clear();
            return Err(CliError::new(
                ExitCode::Interrupted,
                format!("stopped: batch {name} is open, with {} documents", submission.submitted()),
            )
            .hint(format!(
                "end it with `compartment batch cancel {}` and submit under another name",
                shell_word(name)
            )));
        }
    };
    let total = if command.open {
        submission.flush().await?;
        submission.submitted()
    } else {
        submission.seal().await?
    };
    bar.finish_and_clear();
    let mut refused = submitted.refused.clone();
    refused.extend(discovery.failures.into_iter().map(|(name, error)| (name, error.message)));
    if command.json {
        screen::say_json(&as_json(command, total, &submitted, &refused));
    } else {
        print(command, total, &submitted, &refused);
    }
    Ok(if refused.is_empty() { ExitCode::Success } else { ExitCode::SomeFailed })
}

fn as_json(
    command: &BatchSubmit,
    total: u64,
    submitted: &SubmittedFiles,
    refused: &[(String, String)],
) -> serde_json::Value {
    let refused = refused.iter().map(|(name, why)| json!({"document": name, "reason": why}));
    json!({
        "batch": command.batch.name,
        "submitted": submitted.submitted,
        "duplicates": submitted.duplicates,
        "refused": refused.collect::<Vec<_>>(),
        "total": total,
        "is_open": command.open,
    })
}

fn print(
    command: &BatchSubmit,
    total: u64,
    submitted: &SubmittedFiles,
    refused: &[(String, String)],
) {
    let (name, count) = (&command.batch.name, screen::count);
    let mut line = format!(
        "{GOOD}{}{GOOD:#} submitted as batch {name}",
        screen::counted(submitted.submitted, "document")
    );
    if total != submitted.submitted {
        line += &format!(", which has {} now", count(total));
    }
    if submitted.duplicates > 0 {
        line += &format!("; {} duplicates left out", count(submitted.duplicates));
    }
    screen::say(line);
    if !refused.is_empty() {
        let mut table = screen::table(&["not submitted", "reason"], &[]);
        for (name, reason) in refused.iter().take(20) {
            table.add_row([name, reason]);
        }
        screen::say_lines(format!("\n{table}"));
        if refused.len() > 20 {
            screen::say(format!("{BAD}and {} more{BAD:#}: --json lists all", refused.len() - 20));
        }
    }
    let more = if command.open {
        "; the batch is open: submit more documents, the last ones without --open"
    } else {
        ""
    };
    screen::say(format!(
        "{FAINT}`compartment worker` processes it, `compartment batch watch {}` shows its \
         progress{more}{FAINT:#}",
        shell_word(name)
    ));
}
