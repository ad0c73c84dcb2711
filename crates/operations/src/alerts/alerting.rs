//! Decides when checks become alerts. A check has to be bad, and well again, for some time, so that a figure beside
//! its threshold raises one alert and not a hundred.

use std::collections::BTreeMap;

use compartment::clock::Timestamp;
use compartment::database_map::AlertSettings;
use compartment_admin::health::{Check, Health, HealthState};

use super::{Alert, AlertState};

/// The checks that are bad, by name and subject.
#[derive(Clone, Debug)]
pub struct Alerting {
    settings: AlertSettings,
    kept: BTreeMap<(String, String), Kept>,
    last: Timestamp,
}

/// A check that was bad at a recent look.
#[derive(Clone, Debug)]
struct Kept {
    bad_since: Timestamp,
    critical_since: Option<Timestamp>,
    well_since: Option<Timestamp>,
    raised: Option<Raised>,
}

#[derive(Clone, Copy, Debug)]
struct Raised {
    severity: HealthState,
    told: Timestamp,
}

impl Alerting {
    /// No check is bad yet.
    #[must_use]
    pub fn new(settings: &AlertSettings) -> Self {
        Self { settings: settings.clone(), kept: BTreeMap::new(), last: Timestamp::from_millis(0) }
    }

    /// The alerts that this look at the deployment gives, the worst first. A check that cannot be told neither raises
    /// an alert nor clears one.
    pub fn observe(&mut self, health: &Health, now: Timestamp) -> Vec<Alert> {
        if now < self.last {
            self.set_back(now);
        }
        self.last = now;
        let mut alerts = Vec::new();
        let mut seen: BTreeMap<(&str, &str), &Check> = BTreeMap::new();
        for check in &health.checks {
            // The worst comes first.
            seen.entry((&check.name, &check.subject)).or_insert(check);
        }
        for check in seen.values() {
            alerts.extend(match check.state {
                HealthState::Warning | HealthState::Critical => self.bad(check, now),
                HealthState::Ok => self.well(&check.name, &check.subject, Some(check), now),
                HealthState::Unknown => self.unknown(&check.name, &check.subject),
            });
        }
        let missing: Vec<(String, String)> = self
            .kept
            .keys()
            .filter(|(name, subject)| !seen.contains_key(&(name.as_str(), subject.as_str())))
            .cloned()
            .collect();
        for (name, subject) in missing {
            alerts.extend(match is_over(health, &name, &subject) {
                true => self.well(&name, &subject, None, now),
                false => self.unknown(&name, &subject),
            });
        }
        alerts.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
        alerts
    }

    /// The checks that an alert is raised for: name, subject, and how bad it is.
    pub fn raised(&self) -> impl Iterator<Item = (&str, &str, HealthState)> {
        self.kept.iter().filter_map(|((name, subject), kept)| {
            Some((name.as_str(), subject.as_str(), kept.raised?.severity))
        })
    }

    fn bad(&mut self, check: &Check, now: Timestamp) -> Option<Alert> {
        let AlertSettings { raise_after, repeat_every, .. } = self.settings;
        let key = (check.name.clone(), check.subject.clone());
        let kept = self.kept.entry(key).or_insert(Kept {
            bad_since: now,
            critical_since: None,
            well_since: None,
            raised: None,
        });
        kept.well_since = None;
        match check.state {
            HealthState::Critical => drop(kept.critical_since.get_or_insert(now)),
            _ => kept.critical_since = None,
        }
        let critical_long =
            kept.critical_since.is_some_and(|since| now.since(since) >= raise_after);
        let state = match kept.raised {
            None if now.since(kept.bad_since) >= raise_after => AlertState::Raised,
            Some(raised) if raised.severity < check.state && critical_long => AlertState::Raised,
            Some(raised) if now.since(raised.told) >= repeat_every => AlertState::Repeated,
            _ => return None,
        };
        kept.raised = Some(Raised { severity: check.state, told: now });
        Some(alert(state, check, check.state, kept.bad_since, now))
    }

    /// `check` is `None` if it is no longer made.
    fn well(
        &mut self,
        name: &str,
        subject: &str,
        check: Option<&Check>,
        now: Timestamp,
    ) -> Option<Alert> {
        let key = (name.to_owned(), subject.to_owned());
        let kept = self.kept.get_mut(&key)?;
        let Some(raised) = kept.raised else {
            self.kept.remove(&key);
            return None;
        };
        let since = *kept.well_since.get_or_insert(now);
        if now.since(since) < self.settings.clear_after {
            return None;
        }
        let kept = self.kept.remove(&key)?;
        let gone = Check::new(name, subject, HealthState::Ok, "the fault is no longer found");
        let check = check.unwrap_or(&gone);
        Some(alert(AlertState::Cleared, check, raised.severity, kept.bad_since, now))
    }

    fn unknown(&mut self, name: &str, subject: &str) -> Option<Alert> {
        if let Some(kept) = self.kept.get_mut(&(name.to_owned(), subject.to_owned())) {
            kept.well_since = None;
        }
        None
    }

    /// The clock was set back: what began later than now began now.
    fn set_back(&mut self, now: Timestamp) {
        for kept in self.kept.values_mut() {
            kept.bad_since = kept.bad_since.min(now);
            for since in [&mut kept.critical_since, &mut kept.well_since] {
                *since = since.map(|since| since.min(now));
            }
            if let Some(raised) = &mut kept.raised {
                raised.told = raised.told.min(now);
            }
        }
    }
}

fn alert(
    state: AlertState,
    check: &Check,
    severity: HealthState,
    since: Timestamp,
    now: Timestamp,
) -> Alert {
    Alert {
        state,
        check: check.name.clone(),
        subject: check.subject.clone(),
        severity,
        message: check.message.clone(),
        figure: check.figure,
        threshold: check.threshold,
        since_ms: since.as_millis(),
        at_ms: now.as_millis(),
    }
}

/// Whether a check that is not among the checks any more is well. An instance that answers again is checked by node,
/// and of some checks only the subjects that are bad are listed. Where a server does not answer, nothing is known of
/// its other checks.
fn is_over(health: &Health, name: &str, subject: &str) -> bool {
    let mut of_name = health.checks.iter().filter(|check| check.name == name);
    let mut connections = health.checks.iter().filter(|check| check.name == "connection");
    if name == "connection" {
        let is_whole = subject == "all instances";
        return of_name.any(|check| {
            let of_subject = check.subject.split(' ').next() == Some(subject);
            check.state == HealthState::Ok && (is_whole || of_subject)
        });
    }
    let do_all_answer = connections.all(|check| check.state == HealthState::Ok);
    do_all_answer && of_name.any(|check| check.state != HealthState::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthState::{Critical, Ok, Unknown, Warning};

    /// Raised after 60 s, cleared after 120 s, repeated every 4 h.
    struct Run(Alerting);

    impl Run {
        fn new() -> Self {
            Self(Alerting::new(&AlertSettings::default()))
        }

        /// The alerts of a look after so many seconds: state, subject, severity.
        fn at(&mut self, seconds: u64, checks: &[(&str, &str, HealthState)]) -> Vec<String> {
            let checks = checks.iter().map(|(name, subject, state)| {
                Check::new(name, *subject, *state, "full; empty it").figure(0.9, 0.8)
            });
            let health = Health::of(checks.collect());
            let now = Timestamp::from_millis(1_000_000_000 + seconds * 1_000);
            let alerts = self.0.observe(&health, now);
            alerts
                .iter()
                .map(|one| format!("{} {} {}", one.state, one.subject, one.severity))
                .collect()
        }
    }

    #[test]
    fn a_check_has_to_be_bad_for_a_while_and_well_for_a_while() {
        let mut run = Run::new();
        assert_eq!(run.at(0, &[("memory", "p", Warning)]), [""; 0]);
        assert_eq!(run.at(59, &[("memory", "p", Warning)]), [""; 0]);
        assert_eq!(run.at(60, &[("memory", "p", Warning)]), ["raised p warning"]);
        assert_eq!(run.at(61, &[("memory", "p", Warning)]), [""; 0]);
        assert_eq!(run.at(70, &[("memory", "p", Ok)]), [""; 0]);
        assert_eq!(run.at(189, &[("memory", "p", Ok)]), [""; 0]);
        assert_eq!(run.at(190, &[("memory", "p", Ok)]), ["cleared p warning"]);
        assert_eq!(run.at(900, &[("memory", "p", Ok)]), [""; 0]);
        assert!(run.0.kept.is_empty());
    }

    #[test]
    fn a_figure_beside_its_threshold_raises_one_alert() {
        let mut run = Run::new();
        let mut all = Vec::new();
        for second in 0..600 {
            let state = if second % 7 == 6 && second > 120 { Ok } else { Warning };
            all.extend(run.at(second, &[("memory", "p", state)]));
        }
        assert_eq!(all, ["raised p warning"]);
        let mut run = Run::new();
        let flaps = (0..600).flat_map(|second| {
            run.at(second, &[("memory", "p", if second % 30 == 29 { Ok } else { Critical })])
        });
        assert_eq!(flaps.collect::<Vec<_>>(), [""; 0], "never bad for a minute");
    }

    #[test]
    fn an_alert_that_lasts_is_repeated_and_one_that_gets_worse_is_raised_again() {
        let mut run = Run::new();
        run.at(0, &[("memory", "p", Warning)]);
        assert_eq!(run.at(60, &[("memory", "p", Warning)]), ["raised p warning"]);
        assert_eq!(run.at(100, &[("memory", "p", Critical)]), [""; 0]);
        assert_eq!(run.at(160, &[("memory", "p", Critical)]), ["raised p critical"]);
        assert_eq!(run.at(170, &[("memory", "p", Warning)]), [""; 0], "better is no news");
        let later = 160 + 4 * 3_600;
        assert_eq!(run.at(later - 1, &[("memory", "p", Warning)]), [""; 0]);
        assert_eq!(run.at(later, &[("memory", "p", Warning)]), ["repeated p warning"]);
    }

    #[test]
    fn what_cannot_be_told_neither_raises_nor_clears() {
        let mut run = Run::new();
        assert_eq!(run.at(0, &[("memory", "p", Unknown)]), [""; 0]);
        assert_eq!(run.at(500, &[("memory", "p", Unknown)]), [""; 0]);
        run.at(600, &[("memory", "p", Critical)]);
        assert_eq!(run.at(660, &[("memory", "p", Critical)]), ["raised p critical"]);
        run.at(700, &[("memory", "p", Ok)]);
        run.at(800, &[("memory", "p", Unknown)]);
        assert_eq!(run.at(900, &[("memory", "p", Ok)]), [""; 0], "well for 0 s, not for 200 s");
        assert_eq!(run.at(1_020, &[("memory", "p", Ok)]), ["cleared p critical"]);
    }

    #[test]
    fn a_server_that_is_away_clears_nothing_but_its_return_does() {
        let mut run = Run::new();
        let full = ("memory", "a 10.0.0.1:6379", Critical);
        run.at(0, &[full, ("connection", "a 10.0.0.1:6379", Ok)]);
        assert_eq!(run.at(60, &[full]), ["raised a 10.0.0.1:6379 critical"]);
        let other = ("memory", "b 10.0.0.2:6379", Ok);
        let away = [("connection", "a", Critical), ("connection", "b 10.0.0.2:6379", Ok), other];
        assert_eq!(run.at(100, &away), [""; 0]);
        assert_eq!(run.at(160, &away), ["raised a critical"]);
        assert_eq!(run.at(900, &away), [""; 0]);
        let back = [
            ("connection", "a 10.0.0.1:6379", Ok),
            ("connection", "b 10.0.0.2:6379", Ok),
            ("memory", "a 10.0.0.1:6379", Ok),
            other,
        ];
        assert_eq!(run.at(1_000, &back), [""; 0]);
        let cleared = ["cleared a critical", "cleared a 10.0.0.1:6379 critical"];
        let mut found = run.at(1_120, &back);
        found.sort_by_key(String::len);
        assert_eq!(found, cleared);
    }

    #[test]
    fn a_subject_that_is_listed_only_while_it_is_bad_is_cleared() {
        let mut run = Run::new();
        let bad = [("connection", "p 1", Ok), ("lock_timeouts", "batch", Warning)];
        run.at(0, &bad);
        assert_eq!(run.at(60, &bad), ["raised batch warning"]);
        let well = [("connection", "p 1", Ok), ("lock_timeouts", "the fleet", Ok)];
        run.at(100, &well);
        assert_eq!(run.at(220, &well), ["cleared batch warning"]);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_an_alert_by_its_own_time_only() {
        let mut run = Run::new();
        run.at(7_200, &[("memory", "p", Critical)]);
        assert_eq!(run.at(0, &[("memory", "p", Critical)]), [""; 0]);
        assert_eq!(run.at(60, &[("memory", "p", Critical)]), ["raised p critical"]);
    }

    #[test]
    fn an_alert_names_the_cure_and_reads_well() {
        let mut settings = AlertSettings::default();
        settings.raise_after = std::time::Duration::ZERO;
        let mut alerting = Alerting::new(&settings);
        let check = Check::new("memory", "p", Critical, "95 % in use; empty it").figure(0.95, 0.9);
        let found = alerting.observe(&Health::of(vec![check]), Timestamp::from_millis(5_000));
        assert_eq!(found[0].text(), "critical: memory of p: 95 % in use; empty it");
        let json = found[0].as_json();
        assert_eq!((&json["state"], &json["severity"]), (&"raised".into(), &"critical".into()));
        assert_eq!(json["text"], "compartment: critical: memory of p: 95 % in use; empty it");
        assert_eq!((&json["figure"], &json["since_ms"]), (&0.95.into(), &5_000.into()));
    }
}
