//! Alerts of `compartment health --watch`, which checks again and again, and of `compartment serve`.

use std::sync::Arc;
use std::time::Duration;

use compartment::clock::{Clock, SystemClock, Timestamp};
use compartment_operations::Look;
use compartment_operations::alerts::{Alert, AlertState, Alerting, Deliverer, TOKEN_VARIABLE};
use compartment_operations::health::{Health, HealthState};
use tokio::sync::watch;

use super::operations;
use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, BAD, GOOD, STRONG};
use crate::settings::Settings;

/// How long the end of the program waits for deliveries.
const LAST_MOMENT: Duration = Duration::from_secs(10);

/// Decides and delivers.
pub(super) struct Alerts {
    alerting: Alerting,
    deliverer: Deliverer,
}

impl Alerts {
    /// As `[alerts]` says. A file that was only found may have come with a folder of somebody else: it starts no program,
    /// and gets no token.
    pub(super) fn of(settings: &Settings) -> Result<Self, CliError> {
        let alerts = settings.map.alerts();
        let goes_out = alerts.webhook.is_some() || !alerts.command.is_empty();
        if let Some(file) = settings.file.as_ref().filter(|_| goes_out && !settings.is_named) {
            let file = file.display();
            let what = format!(
                "alerts.webhook and alerts.command of {file} are not used: the file was found and not named"
            );
            return Err(CliError::new(ExitCode::Configuration, what).hint(format!(
                "name it with --config {file} or COMPARTMENT_CONFIG if you trust it"
            )));
        }
        let token = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
        let deliverer = Deliverer::start(alerts, token.as_deref())?;
        Ok(Self { alerting: Alerting::new(alerts), deliverer })
    }

    /// Delivers the alerts of a round of checks, and returns them.
    fn observe(&mut self, health: &Health, now: Timestamp) -> Vec<Alert> {
        let alerts = self.alerting.observe(health, now);
        self.deliverer.deliver(&alerts);
        complain(self.deliverer.problems());
        alerts
    }

    /// Delivers the alerts of each look, and prints them as remarks. Ends with the looks.
    pub(super) async fn follow(&mut self, mut looks: watch::Receiver<Option<Arc<Look>>>) {
        while looks.changed().await.is_ok() {
            let Some(look) = looks.borrow_and_update().clone() else { continue };
            let Some(health) = &look.health else { continue };
            for alert in self.observe(health, Timestamp::from_millis(look.at_ms)) {
                screen::remark(line(&alert));
            }
        }
    }

    /// Waits for the deliveries under way.
    pub(super) async fn finish(self) {
        complain(self.deliverer.finish(LAST_MOMENT).await);
    }
}

pub(super) async fn watch_health(
    settings: &Settings,
    command: &args::Health,
) -> Result<ExitCode, CliError> {
    let mut alerts = Alerts::of(settings)?;
    let operations = operations::of(settings, &command.state);
    let mut stop = std::pin::pin!(interrupted());
    loop {
        let health = tokio::select! {
            health = operations.health(command.timeout) => health?,
            () = &mut stop => break,
        };
        for alert in alerts.observe(&health, SystemClock.now()) {
            match command.json {
                true => screen::say_json_line(&alert.as_json()),
                false => screen::say(line(&alert)),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(command.interval) => {}
            () = &mut stop => break,
        }
    }
    alerts.finish().await;
    Ok(ExitCode::Success)
}

/// `raised  critical: memory of primary: …`
fn line(alert: &Alert) -> String {
    let style = match (alert.state, alert.severity) {
        (AlertState::Cleared, _) => GOOD,
        (_, HealthState::Critical) => BAD,
        _ => STRONG,
    };
    format!("{style}{}{style:#}  {}", alert.state, alert.text())
}

fn complain(problems: Vec<String>) {
    for problem in problems {
        screen::remark(format!("{STRONG}note:{STRONG:#} {problem}"));
    }
}
