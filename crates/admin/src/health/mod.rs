//! Whether a deployment is well: checks of its servers against the thresholds of `[health]`.

mod latency;
mod servers;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Deployment;
use crate::analyze::now;
use crate::stats::Stats;

/// What was checked, and the worst that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// The version of this form: 1.
    pub version: u32,
    /// When, as in `2026-11-21T11:30:00Z`.
    pub made: String,
    /// The worst of the checks.
    pub state: HealthState,
    /// The checks.
    pub checks: Vec<Check>,
}

/// How a check ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// All is well.
    Ok,
    /// It cannot be told: nobody publishes the figure, or the server hides it.
    Unknown,
    /// Somebody should look at it.
    Warning,
    /// It does not work, or soon will not.
    Critical,
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// Its name, which never changes: `connection`, `memory`, `evictions`.
    pub name: String,
    /// What was checked: an instance, a node, a database.
    pub subject: String,
    /// How it ended.
    pub state: HealthState,
    /// The figure, where there is one: seconds, a share of 1, a count.
    pub figure: Option<f64>,
    /// The threshold that it is held against.
    pub threshold: Option<f64>,
    /// What was found, and what to do about it, in one line.
    pub message: String,
}

impl Check {
    /// A check of `subject` that ended in `state`.
    #[must_use]
    pub fn new(
        name: &str,
        subject: impl Into<String>,
        state: HealthState,
        message: impl Into<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            subject: subject.into(),
            state,
            figure: None,
            threshold: None,
            message: message.into(),
        }
    }

    /// With the figure, and the threshold that it was held against.
    #[must_use]
    pub fn figure(mut self, figure: f64, threshold: f64) -> Self {
        (self.figure, self.threshold) = (Some(figure), Some(threshold));
        self
    }
}

impl Health {
    /// Puts checks together, the worst first.
    #[must_use]
    pub fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| std::cmp::Reverse(check.state));
        let state = checks.first().map_or(HealthState::Ok, |worst| worst.state);
        // What nobody can tell is no reason to call somebody.
        let state = if state == HealthState::Unknown { HealthState::Ok } else { state };
        Self { version: 1, made: now(), state, checks }
    }
}

/// Checks the servers of a deployment. `stats` is a look at it; rates are known from the second look on. A
/// server that takes longer than `timeout` to answer counts as one that does not.
pub async fn check_servers(
    deployment: &Deployment,
    stats: &Stats,
    timeout: Duration,
) -> Vec<Check> {
    let thresholds = deployment.map.health();
    let mut checks = Vec::new();
    for instance in &deployment.instances {
        let found = stats.instances.iter().find(|one| one.name == instance.name);
        let problem = found.and_then(|found| found.problem.as_ref());
        let server = match (&instance.server, problem) {
            (Err(error), _) => {
                let message = format!("failed to {error}");
                let state = HealthState::Critical;
                checks.push(Check::new("connection", &instance.name, state, message));
                continue;
            }
            (Ok(_), Some(problem)) => {
                let message = format!("failed to {problem}");
                let state = HealthState::Critical;
                checks.push(Check::new("connection", &instance.name, state, message));
                continue;
            }
            (Ok(server), None) => server,
        };
        checks.extend(latency::check(&instance.name, server, thresholds, timeout).await);
        if let Some(found) = found {
            checks.extend(servers::check(found, server, thresholds));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: HealthState) -> Check {
        Check::new("memory", "primary", state, "")
    }

    #[test]
    fn the_worst_check_counts_and_what_nobody_can_tell_does_not() {
        let state =
            |states: &[HealthState]| Health::of(states.iter().copied().map(check).collect()).state;
        assert_eq!(state(&[]), HealthState::Ok);
        assert_eq!(state(&[HealthState::Ok, HealthState::Unknown]), HealthState::Ok);
        assert_eq!(state(&[HealthState::Unknown, HealthState::Warning]), HealthState::Warning);
        let all = [HealthState::Warning, HealthState::Critical, HealthState::Ok];
        let health = Health::of(all.into_iter().map(check).collect());
        assert_eq!(health.state, HealthState::Critical);
        assert_eq!(health.checks[0].state, HealthState::Critical);
    }
}
