//! `compartment flush`: shows the keys of one database and removes them.

use compartment_admin::{
    FlushOptions, FlushPreview, FlushReport, FlushWay, flush, plans, preview_flush,
};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::{places, screen, settings};

pub(crate) async fn run(general: &General, command: args::Flush) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let place = places::resolve_in(&settings, &command.database).await?;
    let mut options = FlushOptions::default();
    options.patterns.clone_from(&command.pattern);
    options.limits = command.load.into();
    options.yes_really.clone_from(&command.yes_really);
    options.plans =
        plans::about(&settings.map, settings.file.as_deref(), &place, &command.plan).await?;
    let progress = KeyProgress::new();
    let executes = (command.yes || command.yes_really.is_some()) && !command.dry_run;
    if executes {
        let result = flush(&place, &settings.map, &options, &progress).await;
        progress.clear();
        return Ok(done(&result?, command.json));
    }
    let result = preview_flush(&place, &settings.map, &options, &progress).await;
    progress.clear();
    let preview = result?;
    if command.json {
        screen::say_json(&preview);
    } else {
        show(&preview);
        settings.say_whose_password(&[&command.database], &preview.server);
    }
    Ok(if preview.refusals.is_empty() { ExitCode::Success } else { ExitCode::Unsafe })
}

fn done(report: &FlushReport, json: bool) -> ExitCode {
    if json {
        screen::say_json(report);
    } else {
        screen::say(format!(
            "{} removed from {} in {}",
            screen::counted(report.removed, "key"),
            report.database,
            screen::time(std::time::Duration::from_secs_f64(report.seconds))
        ));
    }
    ExitCode::Success
}

fn show(preview: &FlushPreview) {
    let way = match preview.way {
        FlushWay::FlushDb => "FLUSHDB ASYNC",
        FlushWay::Unlink => "UNLINK, key by key",
    };
    let index = format!("index {}", preview.index);
    let place = if preview.database == index { String::new() } else { format!(" {index}") };
    screen::say(format!(
        "{}{}{:#} of {}{place}: {} would be removed by {way}",
        screen::STRONG,
        preview.database,
        screen::STRONG,
        screen::url(&preview.server, preview.index),
        screen::counted(preview.keys, "key")
    ));
    if !preview.patterns.is_empty() {
        let mut table = screen::table(&["names", "keys"], &[1]);
        for (pattern, keys) in &preview.patterns {
            table.add_row([pattern.clone(), screen::count(*keys)]);
        }
        screen::say_lines(format!("\n{table}"));
        if preview.more_keys > 0 {
            screen::say(format!(
                "and {} more, of {} other forms",
                screen::count(preview.more_keys),
                screen::count(preview.more_patterns.max(1))
            ));
        }
    }
    if !preview.owners.is_empty() {
        let mut table = screen::table(&["connected to it", "connections", "last commands"], &[1]);
        for client in &preview.owners {
            let names = [client.name.as_str(), client.library.as_str(), client.user.as_str()];
            let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
            table.add_row([
                name.to_owned(),
                screen::count(client.connections),
                client.commands.iter().cloned().collect::<Vec<_>>().join(", "),
            ]);
        }
        screen::say_lines(format!("\n{table}"));
    }
    for refusal in &preview.refusals {
        let text = screen::wrapped(&format!("refused: {refusal}"));
        let text = text.trim_start_matches("refused:");
        screen::say_lines(format!("\n{}refused:{:#}{text}", screen::BAD, screen::BAD));
    }
    if preview.refusals.is_empty() {
        screen::say_lines("\nnothing was changed; --yes removes them");
    }
}
