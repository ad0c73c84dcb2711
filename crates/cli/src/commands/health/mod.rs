//! `compartment health`: checks for probes and alerts, as text or JSON, with an exit code.

mod fleet;
mod work;

use compartment_admin::health::{Check, Health, HealthState, check_servers};
use compartment_admin::stats::{StatsOptions, stats};
use serde_json::json;

use super::stats::{Kept, connect};
use crate::args::{self, FailOn, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Health) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let checks = match tokio::time::timeout(command.timeout, connect(&settings)).await {
        Ok(deployment) => {
            let deployment = deployment?;
            let kept = Kept::of(&command.state, &deployment);
            let past = kept.read();
            let mut options = StatsOptions::default();
            options.is_brief = true;
            let look = stats(&deployment, past.as_ref(), options);
            match tokio::time::timeout(command.timeout, look).await {
                Ok((found, past)) => {
                    kept.write(&past);
                    let mut checks = check_servers(&deployment, &found, command.timeout).await;
                    if deployment.instances.iter().all(|one| one.server.is_ok()) {
                        checks.extend(work::check(&settings, command.timeout).await);
                    }
                    checks
                }
                Err(_) => vec![no_answer(&command)],
            }
        }
        Err(_) => vec![no_answer(&command)],
    };
    let health = Health::of(checks);
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

fn no_answer(command: &args::Health) -> Check {
    let message = format!(
        "no answer within {}: a server is busy, stopped, or behind a broken network",
        screen::time(command.timeout)
    );
    Check::new("connection", "all instances", HealthState::Critical, message)
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
