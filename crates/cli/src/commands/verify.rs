//! `compartment verify`: shows the differences between two databases, or a dump and a database.

use std::sync::Arc;

use compartment_admin::verify::{VerifyOptions, VerifyReport, verify, verify_dump};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::{places, screen, settings};

pub(crate) async fn run(general: &General, command: args::Verify) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let to = places::resolve_in(&settings, &command.to).await?;
    let mut options = VerifyOptions::default();
    options.patterns = command.pattern;
    options.both_ways = command.both_ways;
    options.examples = command.show;
    options.limits = command.load.into();
    options.stale_replica = command.stale_replica;
    options.drops_field_lives = command.without_field_lives;
    let progress = Arc::new(KeyProgress::new());
    let shown = Arc::clone(&progress);
    let report = match (&command.from, &command.rdb) {
        (Some(from), _) => {
            let from = places::resolve_in(&settings, from).await?;
            verify(from, to, options, shown).await
        }
        (None, Some(file)) => verify_dump(file, command.from_index, to, options, shown).await,
        (None, None) => {
            return Err(CliError::new(
                ExitCode::Configuration,
                "name the first database with --from, or a dump with --rdb",
            ));
        }
    };
    progress.clear();
    let report = report?;
    match command.json {
        true => screen::say_json(&report),
        false => show(&report, command.both_ways),
    }
    Ok(if report.all_same() { ExitCode::Success } else { ExitCode::Different })
}

fn show(report: &VerifyReport, both_ways: bool) {
    if !report.examples.is_empty() {
        let mut table = screen::table(&["key", "difference"], &[]);
        for (name, what) in &report.examples {
            table.add_row([name, what]);
        }
        screen::say_lines(table.to_string());
        let listed = report.examples.len() as u64;
        let all = report.missing + report.different + report.extra;
        if all > listed {
            screen::say(format!("and {} more", screen::count(all - listed)));
        }
    }
    let mut parts = vec![
        format!("{} the same", screen::count(report.same)),
        format!("{} different", screen::count(report.different)),
        format!("{} missing", screen::count(report.missing)),
    ];
    if both_ways {
        parts.push(format!("{} only in the second database", screen::count(report.extra)));
    }
    if report.gone > 0 {
        parts.push(format!("{} gone meanwhile", screen::count(report.gone)));
    }
    let style = if report.all_same() { screen::GOOD } else { screen::BAD };
    let compared = report.same + report.gone > 0;
    let verdict = match report.all_same() {
        true if compared => "same",
        true => "nothing to compare",
        false => "different",
    };
    let took = std::time::Duration::from_secs_f64(report.seconds);
    screen::say(format!(
        "{style}{verdict}{style:#}: {} ({})",
        parts.join(", "),
        screen::time(took)
    ));
}
