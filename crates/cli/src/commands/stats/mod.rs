//! `compartment stats`: databases and servers, as tables, JSON or Prometheus's text.

mod text;

use compartment_admin::stats::{Stats, StatsOptions};
use compartment_operations::{Fleet, StatsReader, prometheus};
use serde_json::json;

use super::operations;
use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, STRONG};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Stats) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let operations = operations::of(&settings, &command.state);
    let mut reader = StatsReader::new(&operations);
    let mut options = StatsOptions::default();
    options.is_fresh = command.fresh && !command.watch;
    options.may_walk = !command.no_walk && !command.watch;
    if !command.watch {
        let (found, fleet) = reader.next(options).await?;
        tell_not_kept(&reader);
        if command.prometheus {
            let work = operations.work().await;
            let text = prometheus::render(&found, &fleet, work.as_ref());
            screen::say_metrics(text.trim_end());
            return Ok(ended(&found));
        }
        return Ok(show(&found, &fleet, &command));
    }
    let mut stop = std::pin::pin!(interrupted());
    loop {
        let (found, fleet) = tokio::select! {
            found = reader.next(options) => found?,
            () = &mut stop => return Ok(ExitCode::Success),
        };
        if !command.json {
            // What is no terminal gets one look after the other.
            screen::clear();
        }
        tell_not_kept(&reader);
        show(&found, &fleet, &command);
        tokio::select! {
            () = tokio::time::sleep(command.interval) => {}
            () = &mut stop => return Ok(ExitCode::Success),
        }
    }
}

/// A folder that cannot be written only means that the next look begins anew.
fn tell_not_kept(reader: &StatsReader) {
    if let Some(problem) = reader.problem() {
        screen::remark_once(format!(
            "{STRONG}note:{STRONG:#} figures are not kept for the next look: {problem}; --state names another \
             folder"
        ));
    }
}

fn show(found: &Stats, fleet: &Fleet, command: &args::Stats) -> ExitCode {
    if command.json {
        let value = json(found, fleet);
        match command.watch {
            true => screen::say_json_line(&value),
            false => screen::say_json(&value),
        }
    } else {
        text::print(found, fleet);
    }
    ended(found)
}

/// Says which instances did not answer.
fn ended(found: &Stats) -> ExitCode {
    for instance in &found.instances {
        if let Some(problem) = &instance.problem {
            screen::remark(format!("{STRONG}{}:{STRONG:#} failed to {problem}", instance.name));
        }
    }
    match found.instances.iter().any(|one| one.problem.is_some()) {
        true => ExitCode::Unavailable,
        false => ExitCode::Success,
    }
}

fn json(found: &Stats, fleet: &Fleet) -> serde_json::Value {
    let mut value = json!(found);
    if let Some(databases) = value["databases"].as_array_mut() {
        for (shown, database) in databases.iter_mut().zip(&found.databases) {
            shown["budget_used"] = json!(database.budget_used());
            shown["fleet"] = json!(fleet.caches.get(&database.name));
            shown["clients"] = json!(fleet.clients.get(&database.name));
        }
    }
    value["not_published"] = json!(fleet.not_published());
    value
}
