//! `compartment health`: checks for probes and alerts, as text or JSON, with an exit code.

use compartment_admin::health::{Check, Health, HealthState};
use serde_json::json;

use super::{alerts, operations};
use crate::args::{self, FailOn, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Health) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    if command.watch {
        return alerts::watch_health(&settings, &command).await;
    }
    let operations = operations::of(&settings, &command.state);
    let health = operations.health(command.timeout).await?;
    if command.json {
        screen::say_json(&json!(health));
    } else {
        print(&health, command.quiet);
    }
    let fails_from = match command.fail_on {
        FailOn::Warning => HealthState::Warning,
        FailOn::Critical => HealthState::Critical,
    };
    Ok(if health.state >= fails_from { ExitCode::Unhealthy } else { ExitCode::Success })
}

fn print(health: &Health, is_quiet: bool) {
    let shown =
        health.checks.iter().filter(|check| !is_quiet || check.state > HealthState::Unknown);
    for Check { name, subject, state, message, .. } in shown {
        let style = match state {
            HealthState::Ok => GOOD,
            HealthState::Unknown => FAINT,
            HealthState::Warning => STRONG,
            HealthState::Critical => BAD,
        };
        let text = screen::wrapped(&format!("{name}, {subject}: {message}"));
        let text = text.replace('\n', "\n          ");
        screen::say_lines(format!("{style}{state:<8}{style:#}  {text}"));
    }
    if !is_quiet {
        screen::say(format!("{STRONG}{}{STRONG:#}", health.state));
    }
}
