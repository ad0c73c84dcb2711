//! `compartment audit`: the log of changes that were made by a plan.

use std::time::Duration;

use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment_operations::changes::{AuditEntry, AuditOutcome};

use super::operations;
use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Audit) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let operations = operations::of_work(&settings, None)?;
    let now = SystemClock.now();
    let since = command.since.map(|since| {
        now.as_millis().saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    });
    let entries = operations.audit(since, usize::from(command.limit)).await?;
    let Some(entries) = entries else {
        return Err(CliError::new(
            ExitCode::Configuration,
            "the map has no database `metrics` on a server, where the log of changes would be",
        )
        .hint("add one; without it, changes are in the log of the process that made them"));
    };
    if command.json {
        screen::say_json(&entries);
        return Ok(ExitCode::Success);
    }
    if entries.is_empty() {
        screen::say("no change was made by a plan in this time");
    }
    for entry in &entries {
        show(entry, now);
    }
    Ok(ExitCode::Success)
}

fn show(entry: &AuditEntry, now: Timestamp) {
    let AuditEntry { at_ms, who, summary, outcome, detail, plan_id, server, .. } = entry;
    let (style, word) = match outcome {
        AuditOutcome::Done => (GOOD, "done"),
        AuditOutcome::Refused => (STRONG, "refused"),
        AuditOutcome::Failed => (BAD, "failed"),
        _ => (BAD, "no end is known"),
    };
    let ago = now.since(Timestamp::from_millis(*at_ms));
    let ago = screen::time(Duration::from_secs(ago.as_secs().max(1)));
    screen::say(format!("{STRONG}{ago} ago{STRONG:#}  {who}  {style}{word}{style:#}"));
    let lines = [("", summary), ("", detail), ("at ", server), ("", plan_id)];
    for (before, text) in lines.into_iter().filter(|(_, text)| !text.is_empty()) {
        screen::say_lines(screen::indented(&format!("{before}{text}"), "  ", "    "));
    }
    if *outcome == AuditOutcome::Begun {
        screen::say(format!(
            "  {FAINT}it goes on, or its process ended before it could say so{FAINT:#}"
        ));
    }
}
