//! `compartment stats`: databases and servers, as tables, JSON or Prometheus's text.

mod fleet;
mod kept;
mod prometheus;
mod text;

use std::time::Duration;

use compartment_admin::Deployment;
use compartment_admin::stats::{Past, Stats, StatsOptions, stats};
use serde_json::json;

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, STRONG};
use crate::settings::{self, Settings};

pub(super) use fleet::{Fleet, FleetHealth};
pub(super) use kept::Kept;

/// How long a server may take for one request.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(general: &General, command: args::Stats) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let mut look = Look::begin(&settings, &command).await?;
    if !command.watch {
        let found = look.next(&command).await;
        return Ok(show(&found, &look.fleet, &command));
    }
    let mut stop = std::pin::pin!(interrupted());
    loop {
        let found = tokio::select! {
            found = look.next(&command) => found,
            () = &mut stop => return Ok(ExitCode::Success),
        };
        if !command.json {
            // What is no terminal gets one look after the other.
            screen::clear();
        }
        show(&found, &look.fleet, &command);
        tokio::select! {
            () = tokio::time::sleep(command.interval) => {}
            () = &mut stop => return Ok(ExitCode::Success),
        }
    }
}

/// Connects to the servers of a map.
pub(super) async fn connect(settings: &Settings) -> Result<Deployment, CliError> {
    let deployment = Deployment::connect(&settings.map, RESPONSE_TIMEOUT).await;
    if deployment.instances.is_empty() {
        return Err(CliError::new(
            ExitCode::Configuration,
            "this command needs a server, but the configuration says memory://",
        )
        .hint("name one with --backend redis://host:port"));
    }
    Ok(deployment)
}

/// What goes on from look to look.
struct Look<'a> {
    settings: &'a Settings,
    deployment: Deployment,
    kept: Kept,
    past: Option<Past>,
    fleet: Fleet,
}

impl<'a> Look<'a> {
    async fn begin(settings: &'a Settings, command: &args::Stats) -> Result<Self, CliError> {
        let deployment = connect(settings).await?;
        let kept = Kept::of(&command.state, &deployment);
        let past = kept.read();
        let fleet = Fleet::new(settings);
        Ok(Self { settings, deployment, kept, past, fleet })
    }

    async fn next(&mut self, command: &args::Stats) -> Stats {
        // A server that was away may be back.
        if self.deployment.instances.iter().any(|one| one.server.is_err())
            && let Ok(deployment) = connect(self.settings).await
        {
            self.deployment = deployment;
        }
        let mut options = StatsOptions::default();
        options.is_fresh = command.fresh && !command.watch;
        options.may_walk = !command.no_walk && !command.watch;
        let (found, past) = stats(&self.deployment, self.past.as_ref(), options).await;
        self.kept.write(&past);
        self.past = Some(past);
        self.fleet.read(&found).await;
        found
    }
}

fn show(found: &Stats, fleet: &Fleet, command: &args::Stats) -> ExitCode {
    if command.prometheus {
        screen::say_metrics(prometheus::render(found, fleet).trim_end());
    } else if command.json {
        let value = json(found, fleet);
        match command.watch {
            true => screen::say_json_line(&value),
            false => screen::say_json(&value),
        }
    } else {
        text::print(found, fleet);
    }
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
            shown["fleet"] = json!(fleet.of_cache(&database.name));
            shown["clients"] = json!(fleet.of_clients(&database.name));
        }
    }
    value["not_published"] = json!(fleet.not_published());
    value
}
