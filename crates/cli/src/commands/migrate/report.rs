//! The output of `migrate`: keys that would move or have moved, remaining clients, next steps.

use compartment_admin::migrate::{Blocked, LiveReport, MigrationReport, Preview};
use compartment_admin::{glob_of_name, shell_word, unescape};

use crate::args::{self, FieldLivesArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::screen;
use crate::settings::Settings;

/// Reports whether the source can be given up, and the clients that still use it.
pub(super) fn conclude(command: &args::Migrate, live: &LiveReport) -> Option<ExitCode> {
    if command.json {
        return (!live.quiet).then_some(ExitCode::Conflict);
    }
    for client in &live.stragglers {
        screen::say(format!("still connected to the source: {client}"));
    }
    if live.quiet {
        let good = screen::GOOD;
        let then = match (command.feed, live.migration.field_lives) {
            (true, _) => "copying has ended, and the source keeps its keys".to_owned(),
            (false, 0) => "you can remove `previous` from the configuration".to_owned(),
            (false, left) => format!(
                "{} stay there by choice, so `previous` has to stay in the configuration",
                screen::counted(left, "key")
            ),
        };
        screen::say(format!(
            "{good}nothing has written to the source for {}: {then}{good:#}",
            screen::time(command.quiet)
        ));
        return None;
    }
    let bad = screen::BAD;
    screen::say(format!(
        "{bad}programs still write to the source: change their settings, then run this command again{bad:#}"
    ));
    Some(ExitCode::Conflict)
}

pub(super) fn show_preview(command: &args::Migrate, found: &Preview) -> Result<ExitCode, CliError> {
    // The run itself would be refused.
    let is_blocked =
        found.blocked.field_lives > 0 && command.field_lives == FieldLivesArgument::Stop;
    let code = if is_blocked { ExitCode::Unsafe } else { ExitCode::Success };
    if command.json {
        screen::say_json(found);
        return Ok(code);
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
    screen::say_lines(table.to_string());
    // Hashes that are left by choice stay.
    let left = match command.field_lives {
        FieldLivesArgument::Leave => found.blocked.field_lives,
        _ => 0,
    };
    let all = found.groups.iter().map(|group| group.keys).sum::<u64>().saturating_sub(left);
    screen::say(format!(
        "would move {} by {}{}; {} would stay; nothing was changed",
        screen::counted(all, "key"),
        found.way,
        written_again(&found.formats),
        screen::count(found.staying + left)
    ));
    show_blocked(command, &found.blocked);
    Ok(code)
}

/// The formats in which values are written again, for a sentence.
fn written_again(formats: &[String]) -> String {
    match formats {
        [] => String::new(),
        formats => format!(" (in the format of {})", formats.join(" and of ")),
    }
}

/// Names shown of keys that cannot go; `--json` has more.
const BLOCKED: usize = 10;

fn show_blocked(command: &args::Migrate, blocked: &Blocked) {
    if blocked.field_lives == 0 {
        return;
    }
    let what = match command.field_lives {
        FieldLivesArgument::Stop => {
            "the migration will not begin, unless --field-lives leave or drop"
        }
        FieldLivesArgument::Leave => "they will stay (--field-lives leave)",
        FieldLivesArgument::Drop => "they will move without (--field-lives drop)",
    };
    screen::say(format!(
        "{} hashes with fields that expire, which the target does not know: {what}",
        screen::count(blocked.field_lives),
    ));
    for name in blocked.names.iter().take(BLOCKED) {
        screen::say(format!("  {name}"));
    }
    let more = blocked.field_lives.saturating_sub(BLOCKED as u64);
    if more > 0 {
        screen::say(format!("  and {} more; --json has their names", screen::count(more)));
    }
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
        screen::say_json(report);
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
    screen::say_lines(table.to_string());
    for (name, why) in &report.examples {
        screen::say(format!("{}left{:#} {name}: {why}", screen::BAD, screen::BAD));
    }
    for (kind, keys) in &report.modules {
        screen::say(format!(
            "{} of the module type {kind}: the target needs that module",
            screen::counted(*keys, "key")
        ));
    }
    // A live run mostly waits, so a rate in keys per second would be meaningless.
    let rate = match command.live {
        true => String::new(),
        false => {
            let rate = (report.seen as f64 / report.seconds.max(0.001)) as u64;
            format!(" ({}/s)", screen::count(rate))
        }
    };
    let way = report.way.map_or(String::new(), |way| format!(" by {way}"));
    let way = format!("{way}{}", written_again(&report.formats));
    let evicted = match report.evicted {
        0 => String::new(),
        evicted => format!(", up to {} were evicted by their server", screen::count(evicted)),
    };
    screen::say(format!(
        "{} {verb}{way} in {}{rate}, {} expired or were deleted meanwhile{evicted}",
        screen::counted(report.moved + report.same, "key"),
        screen::time(std::time::Duration::from_secs_f64(report.seconds)),
        screen::count(report.gone.saturating_sub(report.evicted))
    ));
    Ok(code)
}

/// Shown before a live run moves keys that programs may look for.
pub(super) const ABOUT_LIVE: &str = "note: --live is for programs that read both databases (`previous`). \
    Other programs miss keys as soon as these have moved: use --live --feed for them";

/// Shown after an undo that left keys.
pub(super) const ADVICE_AFTER_UNDO: &str = "The keys that are left exist in both databases, unchanged, \
    and either may be the newer one. Compare them, remove those that are not wanted, and run the same \
    command again to undo the rest";

/// Advises on keys that were left. The newer of two values is only known if nothing wrote to the source during the
/// migration.
pub(super) fn advise(command: &args::Migrate, report: &MigrationReport, live: Option<&LiveReport>) {
    if command.json || report.conflicts == 0 {
        return;
    }
    let first = report.examples.first().map(|(name, _)| glob_of_name(&unescape(name)));
    screen::say_lines(match live {
        None => format!(
            "The keys that are left exist in both databases, unchanged. If the programs use the target \
             already,\nremove the old key: compartment flush --database OLD --pattern {}",
            first.map_or_else(|| "NAME".to_owned(), |pattern| shell_word(&pattern))
        ),
        Some(_) => {
            "The keys that are left exist in both databases, unchanged, and the old one may be the \
                    newer: compare them before you remove either"
                .to_owned()
        }
    });
}

/// Prints the settings to change in the programs and the way back, which are also in the journal.
pub(super) fn show_instructions(
    settings: &Settings,
    command: &args::Migrate,
    instructions: &[String],
) {
    if command.json {
        return;
    }
    for line in instructions {
        screen::say(line);
    }
    let named: Vec<&str> = command.from.iter().chain(&command.to).map(String::as_str).collect();
    settings.say_whose_password(&named, &instructions.join("\n"));
}
