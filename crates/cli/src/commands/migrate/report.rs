//! What `migrate` prints: what would move, what has, who is still in the old place, what to do next.

use compartment_admin::migrate::{LiveReport, MigrationReport, Preview};

use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::screen;

/// Says whether the old place can be given up, and who still uses it.
pub(super) fn conclude(command: &args::Migrate, live: &LiveReport) -> Option<ExitCode> {
    if command.json {
        return (!live.quiet).then_some(ExitCode::Conflict);
    }
    for client in &live.stragglers {
        screen::say(format!("still connected to the old place: {client}"));
    }
    if live.quiet {
        let good = screen::GOOD;
        screen::say(format!(
            "{good}the old place has been quiet for {}: `previous` can be left out of the \
             configuration now{good:#}",
            screen::time(command.quiet)
        ));
        return None;
    }
    let bad = screen::BAD;
    screen::say(format!(
        "{bad}keys still come to the old place: change its writers over, and run this again{bad:#}"
    ));
    Some(ExitCode::Conflict)
}

pub(super) fn show_preview(command: &args::Migrate, found: &Preview) -> Result<ExitCode, CliError> {
    if command.json {
        screen::say(serde_json::to_string_pretty(found).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    let mut table = screen::table(&["group", "to", "keys", "collisions"], &[2, 3]);
    for group in &found.groups {
        table.add_row([
            group.group.clone(),
            group.database.clone(),
            screen::count(group.keys),
            screen::count(group.collisions),
        ]);
    }
    screen::say(table.to_string());
    let all: u64 = found.groups.iter().map(|group| group.keys).sum();
    screen::say(format!(
        "would move {} keys by {}; {} would stay; nothing was changed",
        screen::count(all),
        found.way,
        screen::count(found.staying)
    ));
    Ok(ExitCode::Success)
}

pub(super) fn finish(
    command: &args::Migrate,
    report: &MigrationReport,
    verb: &str,
) -> Result<ExitCode, CliError> {
    let code = match (report.damaged, report.complete()) {
        (0, true) => ExitCode::Success,
        (0, false) => ExitCode::Conflict,
        _ => ExitCode::Different,
    };
    if command.json {
        screen::say(serde_json::to_string_pretty(report).unwrap_or_default());
        return Ok(code);
    }
    let mut table = screen::table(&["group", "to", verb, "left"], &[2, 3]);
    for group in report.groups.iter().filter(|group| group.moved + group.left > 0) {
        table.add_row([
            group.group.clone(),
            group.database.clone(),
            screen::count(group.moved),
            screen::count(group.left),
        ]);
    }
    screen::say(table.to_string());
    for (name, why) in &report.examples {
        screen::say(format!("{}left{:#} {name}: {why}", screen::BAD, screen::BAD));
    }
    if report.conflicts > 0 {
        screen::say(
            "What is left stands in both places, as it was. Where the programs use the new one \
             already, the old key\ncan go: compartment flush --database OLD --pattern NAME",
        );
    }
    // A live run waits most of its time: keys a second would say nothing of it.
    let rate = match command.live {
        true => String::new(),
        false => {
            let rate = (report.seen as f64 / report.seconds.max(0.001)) as u64;
            format!(" ({}/s)", screen::count(rate))
        }
    };
    let way = report.way.map_or(String::new(), |way| format!(" by {way}"));
    screen::say(format!(
        "{} keys {verb}{way} in {}{rate}, {} expired or were deleted meanwhile",
        screen::count(report.moved + report.same),
        screen::time(std::time::Duration::from_secs_f64(report.seconds)),
        screen::count(report.gone)
    ));
    Ok(code)
}

/// What the programs have to be told now, and the way back; it stands in the journal too.
pub(super) fn show_instructions(command: &args::Migrate, instructions: &[String]) {
    if command.json {
        return;
    }
    for line in instructions {
        screen::say(line);
    }
}
