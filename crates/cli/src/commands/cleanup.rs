//! `compartment cleanup`: counts the old keys of a database, and removes them.

use compartment::DatabaseKind;
use compartment_admin::{CleanupOptions, CleanupReport, cleanup};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::screen::{self, FAINT, STRONG};
use crate::settings::Settings;
use crate::{places, settings};

pub(crate) async fn run(general: &General, command: args::Cleanup) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    if command.orphans {
        return super::orphans::run(&settings, command).await;
    }
    let mut options = CleanupOptions::default();
    options.older_than = command.older_than;
    options.patterns.clone_from(&command.pattern);
    options.limits = command.load.into();
    options.apply = command.apply;
    options.journal.clone_from(&command.journal);
    let mut reports = Vec::new();
    for name in names(&settings, command.database)? {
        let place = places::resolve_in(&settings, &name).await?;
        let progress = KeyProgress::new();
        let report = cleanup(&place, &settings.map, &options, &progress).await;
        progress.clear();
        reports.push(report?);
    }
    if command.json {
        screen::say_json(&reports);
    } else {
        reports.iter().for_each(show);
    }
    let is_refused = reports.iter().any(|report| !report.refusals.is_empty());
    Ok(if is_refused { ExitCode::Unsafe } else { ExitCode::Success })
}

/// The database that is named, or each cache of the map.
fn names(settings: &Settings, named: Option<String>) -> Result<Vec<String>, CliError> {
    if let Some(name) = named {
        return Ok(vec![name]);
    }
    let all = settings.map.databases().iter();
    let caches = all.filter(|contract| contract.kind == DatabaseKind::Cache);
    let names: Vec<String> = caches.map(|contract| contract.name.clone()).collect();
    if names.is_empty() {
        let error = CliError::new(ExitCode::Configuration, "the map has no database of kind cache");
        return Err(error.hint("name a database with --database"));
    }
    Ok(names)
}

fn show(report: &CleanupReport) {
    let verb = if report.applied { "removed" } else { "would be removed" };
    let keys = if report.applied { report.removed } else { report.old };
    let mut line = format!(
        "{STRONG}{}{STRONG:#}: {} of {} {verb}",
        report.database,
        screen::counted(keys, "key"),
        screen::count(report.seen)
    );
    if report.old_by_ttl + report.old_by_idle > 0 {
        line += &format!(
            " (old by TTL {}, unused {})",
            screen::count(report.old_by_ttl),
            screen::count(report.old_by_idle)
        );
    }
    screen::say(line);
    if !report.patterns.is_empty() {
        let mut table = screen::table(&["names", "keys"], &[1]);
        for (pattern, keys) in &report.patterns {
            table.add_row([pattern.clone(), screen::count(*keys)]);
        }
        screen::say_lines(table.to_string());
    }
    let notes = [
        (report.spared, "stayed: used, renewed or deleted meanwhile"),
        (report.age_unknown, "stayed: the server does not tell when they were used"),
        (report.own, "stayed: records, batches and queues of Compartment"),
    ];
    for (keys, why) in notes.iter().filter(|(keys, _)| *keys > 0) {
        screen::say(format!("{FAINT}{} {why}{FAINT:#}", screen::counted(*keys, "key")));
    }
    screen::say_refusals(&report.refusals);
    if !report.applied && report.refusals.is_empty() && report.old > 0 {
        screen::remark("nothing was changed; --apply removes them");
    }
}
