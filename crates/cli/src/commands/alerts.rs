//! `compartment health --watch`: checks again and again, and delivers alerts.

use std::time::Duration;

use compartment::clock::{Clock, SystemClock};
use compartment_operations::alerts::{Alert, AlertState, Alerting, Deliverer, TOKEN_VARIABLE};
use compartment_operations::health::HealthState;

use super::operations;
use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, BAD, GOOD, STRONG};
use crate::settings::Settings;

/// How long the end of the program waits for deliveries.
const LAST_MOMENT: Duration = Duration::from_secs(10);

pub(super) async fn watch(
    settings: &Settings,
    command: &args::Health,
) -> Result<ExitCode, CliError> {
    let deliverer = deliverer(settings)?;
    let operations = operations::of(settings, &command.state);
    let mut alerting = Alerting::new(settings.map.alerts());
    let mut stop = std::pin::pin!(interrupted());
    loop {
        let health = tokio::select! {
            health = operations.health(command.timeout) => health?,
            () = &mut stop => break,
        };
        let alerts = alerting.observe(&health, SystemClock.now());
        alerts.iter().for_each(|alert| say(alert, command.json));
        deliverer.deliver(&alerts);
        complain(deliverer.problems());
        tokio::select! {
            () = tokio::time::sleep(command.interval) => {}
            () = &mut stop => break,
        }
    }
    complain(deliverer.finish(LAST_MOMENT).await);
    Ok(ExitCode::Success)
}

/// Delivers as `[alerts]` says. A file that was only found may have come with a folder of somebody else: it starts no
/// program, and gets no token.
pub(super) fn deliverer(settings: &Settings) -> Result<Deliverer, CliError> {
    let alerts = settings.map.alerts();
    let goes_out = alerts.webhook.is_some() || !alerts.command.is_empty();
    if let Some(file) = settings.file.as_ref().filter(|_| goes_out && !settings.is_named) {
        let file = file.display();
        let what = format!(
            "alerts.webhook and alerts.command of {file} are not used: the file was found and not named"
        );
        return Err(CliError::new(ExitCode::Configuration, what)
            .hint(format!("name it with --config {file} or COMPARTMENT_CONFIG if you trust it")));
    }
    let token = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
    Ok(Deliverer::start(alerts, token.as_deref())?)
}

fn say(alert: &Alert, as_json: bool) {
    if as_json {
        screen::say_json_line(&alert.as_json());
        return;
    }
    let style = match (alert.state, alert.severity) {
        (AlertState::Cleared, _) => GOOD,
        (_, HealthState::Critical) => BAD,
        _ => STRONG,
    };
    screen::say(format!("{style}{}{style:#}  {}", alert.state, alert.text()));
}

fn complain(problems: Vec<String>) {
    for problem in problems {
        screen::remark(format!("{STRONG}note:{STRONG:#} {problem}"));
    }
}
