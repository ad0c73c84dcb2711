//! `compartment batch audit`: compares counts, bits and ledger rows.

use compartment::backend::ordinals_to_text;
use compartment::database_map::Role;
use compartment::pipeline::BatchRegistry;
use compartment::pipeline::ledger::{AuditReport, LedgerMirror, Repaired};
use compartment::{Databases, ErrorKind};
use serde_json::{Value, json};

use crate::args::BatchAudit;
use crate::commands::upkeep;
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};

/// Longest list of documents, in characters; a longer one is cut.
const SHOWN: usize = 40;

pub(super) async fn run(databases: &Databases, command: &BatchAudit) -> Result<ExitCode, CliError> {
    let batch = databases.role(Role::Batch)?;
    let Some(ledger) = upkeep::existing(databases, &command.ledger)? else {
        return audit_without_ledger(databases, command).await;
    };
    let mirror = upkeep::mirror(databases, ledger)?;
    let names = match &command.name {
        Some(name) => vec![name.clone()],
        None => names(&BatchRegistry::new(batch.clone())).await?,
    };
    let (mut reports, mut is_clean) = (Vec::new(), true);
    for name in &names {
        let report = match mirror.audit(name).await {
            // The batch was removed after it was listed.
            Err(error) if error.kind() == ErrorKind::Unknown && command.name.is_none() => continue,
            report => report?,
        };
        if let Ok(metrics) = databases.role(Role::Metrics)
            && let Err(error) = mirror.export_drift(metrics, &report).await
        {
            tracing::warn!(%error, "the findings could not be added to the metrics");
        }
        let repaired = if command.repair && !report.is_clean() {
            Some(mirror.repair(&report).await?)
        } else {
            None
        };
        is_clean &= report.is_clean() || settled(&mirror, repaired, name).await?;
        if !command.json {
            print(&report, repaired);
        }
        reports.push(as_json(&report, repaired));
    }
    if command.json {
        screen::say_json(&json!(reports));
    } else if reports.is_empty() {
        screen::say("there are no batches to audit");
    }
    Ok(if is_clean { ExitCode::Success } else { ExitCode::Different })
}

async fn names(registry: &BatchRegistry) -> Result<Vec<String>, CliError> {
    Ok(registry.list().await?.into_iter().map(|record| record.name).collect())
}

/// Whether the batch is free of differences after a repair.
async fn settled(
    mirror: &LedgerMirror,
    repaired: Option<Repaired>,
    name: &str,
) -> Result<bool, CliError> {
    match repaired {
        None => Ok(false),
        Some(_) => Ok(mirror.audit(name).await?.is_clean()),
    }
}

/// Compares each batch's counts and bits, without a ledger.
async fn audit_without_ledger(
    databases: &Databases,
    command: &BatchAudit,
) -> Result<ExitCode, CliError> {
    let batch = databases.role(Role::Batch)?;
    let names = match &command.name {
        Some(name) => vec![name.clone()],
        None => names(&BatchRegistry::new(batch.clone())).await?,
    };
    let (mut is_clean, mut reports) = (true, Vec::new());
    for name in &names {
        let audit = batch.batch_upkeep().audit(name).await?;
        let mut is_right = audit.is_clean();
        let mut was_repaired = false;
        if command.repair && !is_right {
            was_repaired = batch.batch_upkeep().repair(name, &audit).await?;
            is_right = batch.batch_upkeep().audit(name).await?.is_clean();
        }
        is_clean &= is_right;
        let found = audit.drift.len() + audit.stranded.len();
        reports.push(json!({
            "batch": name,
            "total": audit.total,
            "counters": audit.drift,
            "stranded": audit.stranded,
            "completion_missed": audit.completion_missed,
            "is_clean": audit.is_clean(),
            "compared_with_ledger": false,
            "repaired": was_repaired,
        }));
        if !command.json {
            let what = match (audit.is_clean(), was_repaired) {
                (true, _) => format!("{GOOD}agrees{GOOD:#} with itself"),
                (false, true) => format!("{found} differences, repaired"),
                (false, false) => {
                    format!("{BAD}{found} differences{BAD:#}; --repair fixes them")
                }
            };
            screen::say(format!("{STRONG}{name}{STRONG:#} {what}; no ledger to compare it with"));
        }
    }
    if command.json {
        screen::say_json(&json!(reports));
    }
    Ok(if is_clean { ExitCode::Success } else { ExitCode::Different })
}

fn as_json(report: &AuditReport, repaired: Option<Repaired>) -> Value {
    let mut value = json!(report);
    value["is_clean"] = json!(report.is_clean());
    value["repaired"] = json!(repaired);
    value
}

fn print(report: &AuditReport, repaired: Option<Repaired>) {
    let name = &report.batch;
    let rows =
        if report.compared_with_ledger { "counts, bits and rows" } else { "counts and bits" };
    if report.is_clean() {
        screen::say(format!(
            "{STRONG}{name}{STRONG:#} {rows} of {} documents {GOOD}agree{GOOD:#}",
            screen::count(report.total)
        ));
    } else {
        let mut table = screen::table(&["difference", "where", "count", "documents"], &[2]);
        for drift in &report.counters {
            let by = format!("{} instead of {}", drift.counted, drift.facts);
            table.add_row(["counter", &drift.counter, "1", &by]);
        }
        if !report.stranded.is_empty() {
            let mut ordinals: Vec<u32> = report.stranded.iter().map(|one| one.1).collect();
            ordinals.sort_unstable();
            ordinals.dedup();
            let many = screen::count(report.stranded.len() as u64);
            table.add_row(["ready, but not handed out", "", &many, &shown(&ordinals)]);
        }
        if report.completion_missed {
            table.add_row(["completion missed", "", "1", ""]);
        }
        for drift in &report.ledger {
            let many = screen::count(drift.ordinals.len() as u64);
            table.add_row([drift.kind.words(), &drift.stage, &many, &shown(&drift.ordinals)]);
        }
        screen::say(format!(
            "{STRONG}{name}{STRONG:#} {rows} of {} documents {BAD}differ{BAD:#}",
            screen::count(report.total)
        ));
        screen::say_lines(format!("\n{table}"));
    }
    if report.unreadable > 0 {
        screen::say(format!(
            "{BAD}{}{BAD:#} entries of workers could not be read; the ledger keeps them in \
             unreadable_entries",
            screen::count(report.unreadable)
        ));
    }
    match repaired {
        Some(repaired) => screen::say(format!(
            "{GOOD}repaired{GOOD:#}: {} rows written, {} facts restored{}",
            screen::count(repaired.rows),
            screen::count(repaired.bits),
            if repaired.batch { "" } else { "; another process repaired the counts meanwhile" }
        )),
        None if !report.is_clean() => {
            screen::say(format!("{FAINT}--repair fixes it{FAINT:#}"));
        }
        None => {}
    }
}

fn shown(ordinals: &[u32]) -> String {
    let text = ordinals_to_text(ordinals);
    if text.len() <= SHOWN {
        return text;
    }
    // The text has only digits, commas and dashes, so every byte is a character.
    let cut = text[..SHOWN].rfind(',').unwrap_or(SHOWN);
    format!("{}…", &text[..cut])
}
