//! `compartment warm`: loads recent documents into the cache before they are needed.

use std::time::Duration;

use compartment_documents::{WarmDocuments, WarmedDocuments, warm};
use indicatif::{ProgressBar, ProgressStyle};

use super::publishing::Publishing;
use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, BAD, FAINT, GOOD};
use crate::services::Source;
use crate::{reading, settings};

pub(crate) async fn run(general: &General, command: args::Warm) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let warming = settings.map.warming().clone();
    if !warming.enabled {
        screen::remark(
            "warming is off (`[warming] enabled = false`, REDIS_CACHE_WARMING_ENABLED or \
             REDIS_ENABLE_OPTIMIZATION): nothing was read",
        );
        if command.json {
            say_json(&WarmedDocuments::default());
        }
        return Ok(ExitCode::Success);
    }
    let source = Source::of(&settings);
    let databases = compartment::open(settings.map).await?;
    if databases.map().cache().enabled == Some(false) {
        screen::remark(
            "the cache is off (enabled = false, or CACHE_ENABLED): there is nothing to warm",
        );
    }
    let mut options = WarmDocuments::default();
    let hours = command.hours.map(|hours| Duration::from_secs(hours.saturating_mul(3_600)));
    options.within = hours.unwrap_or(warming.within);
    let limit = usize::try_from(warming.limit).unwrap_or(usize::MAX);
    options.limit = command.limit.unwrap_or(limit);
    options.make = !command.no_load;
    reading::apply(&mut options.ingest, &command.reading, databases.map(), &source)?;
    options.ingest.roots = reading::roots(&command.below, databases.map().worker())?;
    let concurrency = command.concurrency.map_or(options.ingest.concurrency, |n| n as usize);
    options.ingest.concurrency = concurrency;
    options.reads = options.reads.concurrency(concurrency * 2);
    let bar = ProgressBar::new(0);
    let form = "   warm {wide_bar:.green/dim} {pos}/{len} documents {eta_precise}";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let watch = |total, report: &compartment::cache::WarmReport| {
        bar.set_length(total);
        bar.set_position(report.found + report.missing + report.failed);
    };
    let publishing = Publishing::start(&databases);
    let warmed = tokio::select! {
        warmed = warm(&databases, &options, watch) => warmed,
        () = interrupted() => {
            bar.finish_and_clear();
            publishing.end().await;
            return Err(CliError::new(ExitCode::Interrupted, "stopped: results so far are kept"));
        }
    };
    bar.finish_and_clear();
    publishing.end().await;
    let warmed = warmed?;
    if command.json {
        say_json(&warmed);
    } else {
        show(&warmed, options.within);
    }
    Ok(if warmed.failed == 0 { ExitCode::Success } else { ExitCode::SomeFailed })
}

fn say_json(warmed: &WarmedDocuments) {
    screen::say_json(warmed);
}

fn show(warmed: &WarmedDocuments, within: Duration) {
    if warmed.documents == 0 {
        let within = screen::time(within);
        screen::say(format!("no documents were processed in the last {within}"));
        return;
    }
    let count = screen::count;
    let mut line = format!(
        "{GOOD}{}{GOOD:#}: {} in the cache, {} computed again",
        screen::counted(warmed.documents, "document"),
        count(warmed.found),
        count(warmed.made)
    );
    if warmed.missing > 0 {
        line += &format!(", {} incomplete", count(warmed.missing));
    }
    if warmed.failed > 0 {
        line += &format!(", {BAD}{} failed{BAD:#}", count(warmed.failed));
    }
    if warmed.left_out > 0 {
        line += &format!(", {} left out: the memory budget is reached", count(warmed.left_out));
    }
    screen::say(line);
    screen::say(format!(
        "{FAINT}{} entries, {} read in {}{FAINT:#}",
        count(warmed.first_tier_entries),
        compartment_admin::size(warmed.first_tier_bytes),
        screen::time(Duration::from_millis(warmed.elapsed_ms))
    ));
}
