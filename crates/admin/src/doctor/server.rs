//! The server itself: its version, and its clock.

use std::time::Duration;

use super::code::{Code, Severity};
use super::facts::ServerFacts;
use super::finding::Finding;
use crate::clocks::ClockShift;
use crate::{AdminError, Place};

/// Versions with the day after which their projects mend nothing more, security included. Dates of Redis:
/// the table of supported versions in its SECURITY.md, where one has been left out; of Valkey: its page on
/// releases. A version that is not listed is taken for supported.
const END_OF_LIFE: [(&str, &str, &str); 6] = [
    ("redis", "7.0", "2024-07-29"),
    ("redis", "8.0", "2026-02-11"),
    ("valkey", "7.2", "2029-04-16"),
    ("valkey", "8.0", "2027-09-15"),
    ("valkey", "8.1", "2030-03-31"),
    ("valkey", "9.0", "2028-10-21"),
];

/// Clocks that differ by less are usual where no time service runs.
const APART: Duration = Duration::from_secs(2);

pub(super) async fn check(server: &ServerFacts<'_>, unknown: &mut Vec<String>) -> Vec<Finding> {
    let info = server.server.info();
    let today = jiff::Timestamp::now().to_string();
    let mut findings: Vec<Finding> =
        end_of_life(&info.server, &info.version, &today).into_iter().collect();
    let place = Place::new(server.name, server.server.clone(), 0);
    match ClockShift::from_here(&place).await {
        Ok(shift) if shift.apart() > APART => {
            let what =
                format!("the clock of {} is {shift} that of this machine", server.server.url());
            findings.push(clock(server, what));
        }
        Ok(_) => {}
        Err(AdminError::Unsafe(told)) if told.contains("differ") => {
            findings.push(clock(server, told));
        }
        Err(error) => unknown.push(format!("the clock of {}: {error}", server.name)),
    }
    findings
}

fn clock(server: &ServerFacts<'_>, what: String) -> Finding {
    Finding::new(Code::ClockDiffers, Severity::Warning, what)
        .databases(server.contracts().iter().map(|one| one.name.as_str()))
        .why(
            "times that programs set by their own clock (EXPIREAT, schedules, leases) come too early or too \
             late on the server, and after a fail-over for all keys",
        )
        .cure("run a time service (chrony, ntpd) on both machines; `timedatectl` says whether it works")
}

/// `today` as `2026-11-29…`.
fn end_of_life(program: &str, version: &str, today: &str) -> Option<Finding> {
    let mut parts = version.split('.');
    let line = format!("{}.{}", parts.next()?, parts.next()?);
    let is_it = |(known, of, _): &&(&str, &str, &str)| *known == program && *of == line;
    let (_, _, end) = END_OF_LIFE.iter().find(is_it).filter(|(_, _, end)| today > *end)?;
    let what = format!("{program} {version} has had no fixes from its project since {end}");
    Some(
        Finding::new(Code::VersionEndOfLife, Severity::Notice, what)
            .why("faults of its security stay open, unless a distribution mends them by itself")
            .cure(format!("move to a supported version: {} read its files", newer(program, &line))),
    )
}

fn newer(program: &str, line: &str) -> &'static str {
    match (program, line) {
        ("valkey", _) => "later versions of Valkey",
        (_, "7.0") => "Redis 8.2 and Valkey 8.1",
        _ => "later versions of Redis",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_ends_on_its_day() {
        let ends = |program: &str, version: &str, today: &str| {
            end_of_life(program, version, today).is_some()
        };
        assert!(ends("redis", "7.0.15", "2026-11-29T10:00:00Z"));
        assert!(!ends("redis", "7.0.15", "2024-01-01T10:00:00Z"));
        assert!(!ends("redis", "8.2.3", "2026-11-29T10:00:00Z"));
        assert!(!ends("redis", "", "2026-11-29T10:00:00Z"));
        assert!(ends("valkey", "8.0.1", "2027-09-16T00:00:00Z"));
        assert!(!ends("valkey", "7.0.15", "2026-11-29T10:00:00Z"));
    }
}
