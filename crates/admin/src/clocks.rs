//! The difference between the clocks of two servers, which keeps expiries correct when keys move.

use std::time::{Duration, Instant};

use crate::snapshot::server_time;
use crate::{AdminError, Place, Result};

/// Clocks that differ by less than this count as equal: time services keep closer than that, and an
/// expiry that need not be changed stays exact to the millisecond.
const ALIKE_MS: i64 = 200;
/// Readings of each clock; the one with the shortest round trip counts.
const LOOKS: usize = 5;
/// Tolerance for one key's expiry between servers with equal clocks: where a server reports only
/// the remaining time, its clock is read separately and may tick in between.
const ROUNDING_MS: u64 = 20;
/// Tolerance if the clocks differ, as each measurement of the difference is slightly off.
const MEASURED_MS: u64 = 1_000;

/// How far the clock of one server is ahead of another's; zero if both count as equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockShift {
    ms: i64,
}

impl ClockShift {
    /// How far the clock of `to` is ahead of that of `from`.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] where a server does not report its time, or the nodes of a cluster
    /// differ.
    pub(crate) async fn between(from: &Place, to: &Place) -> Result<Self> {
        if from.is_on_server_of(to).await? {
            return Ok(Self::default());
        }
        let began = Instant::now();
        let (one, other) = (Clock::of(from, began).await?, Clock::of(to, began).await?);
        let ms = other.ahead_ms - one.ahead_ms;
        let alike = ms.abs() <= ALIKE_MS + one.unsure_ms + other.unsure_ms;
        Ok(Self { ms: if alike { 0 } else { ms } })
    }

    /// How far the clock of `place` is ahead of this machine's.
    pub(crate) async fn from_here(place: &Place) -> Result<Self> {
        let clock = Clock::of(place, Instant::now()).await?;
        let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let here = here.map_or(0, |here| i64::try_from(here.as_millis()).unwrap_or(i64::MAX));
        let ms = clock.ahead_ms - here;
        Ok(Self { ms: if ms.abs() <= ALIKE_MS + clock.unsure_ms { 0 } else { ms } })
    }

    /// By how much the clocks differ.
    pub(crate) fn apart(self) -> Duration {
        Duration::from_millis(self.ms.unsigned_abs())
    }

    /// Whether both clocks count as equal.
    pub(crate) fn is_none(self) -> bool {
        self.ms == 0
    }

    /// Converts a time of the first server's clock to the second's.
    pub(crate) fn forth(self, at: u64) -> u64 {
        // 0 would mean that the key never expires.
        at.saturating_add_signed(self.ms).max(1)
    }

    /// Converts a time of the second server's clock to the first's.
    pub(crate) fn back(self, at: u64) -> u64 {
        at.saturating_add_signed(-self.ms).max(1)
    }

    /// Tolerance when two values of one expiry are compared, in milliseconds.
    pub(crate) fn slack_ms(self) -> u64 {
        if self.is_none() { ROUNDING_MS } else { MEASURED_MS }
    }
}

/// As in `2 h ahead of`.
impl std::fmt::Display for ClockShift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let apart = self.apart();
        // The difference is measured, so it is not exact to the second.
        let seconds = (apart.as_millis() + 500) / 1_000;
        match (seconds / 3_600, seconds / 60 % 60) {
            (0, 0) => write!(f, "{:.1} s", apart.as_secs_f64())?,
            (0, minutes) => write!(f, "{minutes} min {} s", seconds % 60)?,
            (hours, 0) => write!(f, "{hours} h")?,
            (hours, minutes) => write!(f, "{hours} h {minutes} min")?,
        }
        f.write_str(if self.ms < 0 { " behind" } else { " ahead of" })
    }
}

/// A server's clock relative to this machine's monotonic clock.
struct Clock {
    ahead_ms: i64,
    /// Upper bound of the error, from the round trip.
    unsure_ms: i64,
}

impl Clock {
    async fn of(place: &Place, began: Instant) -> Result<Self> {
        let mut found: Option<Self> = None;
        for mut node in place.open_nodes("clock").await? {
            let location = node.location().to_owned();
            let mut best: Option<Self> = None;
            for _ in 0..LOOKS {
                let asked = began.elapsed();
                let time = server_time(&mut node).await.map_err(|error| untold(place, &error))?;
                let under_way = began.elapsed() - asked;
                let middle = millis(asked + under_way / 2);
                let unsure_ms = millis(under_way) / 2 + 1;
                if best.as_ref().is_none_or(|best| unsure_ms < best.unsure_ms) {
                    let ahead_ms = i64::try_from(time).unwrap_or(i64::MAX).saturating_sub(middle);
                    best = Some(Self { ahead_ms, unsure_ms });
                }
            }
            match (&found, best) {
                (Some(one), Some(other)) => {
                    let apart = (one.ahead_ms - other.ahead_ms).abs();
                    if apart > ALIKE_MS + one.unsure_ms + other.unsure_ms {
                        return Err(AdminError::Unsafe(format!(
                            "the clocks of the nodes of {place} differ ({location} by {apart} ms), so \
                             that keys would expire too early or too late: set them right"
                        )));
                    }
                }
                (None, best) => found = best,
                (Some(_), None) => {}
            }
        }
        Ok(found.unwrap_or(Self { ahead_ms: 0, unsure_ms: 0 }))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The error for a server that refuses to report its time; other errors pass unchanged.
fn untold(place: &Place, error: &AdminError) -> AdminError {
    use compartment_core::ErrorKind::{Permission, Protocol, Unsupported};
    match error {
        AdminError::Server(server)
            if matches!(server.kind(), Permission | Unsupported | Protocol) =>
        {
            AdminError::Unsafe(format!(
                "{place} does not tell its time ({}), so keys could expire too early or too late \
                 unnoticed: allow the user TIME",
                server.message()
            ))
        }
        AdminError::Server(server) => AdminError::Server(server.clone()),
        other => AdminError::Invalid(other.to_string()),
    }
}

/// The remark about clocks that differ; `None` if they count as equal.
pub(crate) fn told(shift: ClockShift, from: &Place, to: &Place) -> Option<String> {
    if shift.is_none() {
        return None;
    }
    Some(format!(
        "the clock of {to} is {shift} that of {from}: keys keep their remaining time to live"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_forth_and_back_and_never_become_never() {
        for ms in [7_200_000, -7_200_000, 0] {
            let shift = ClockShift { ms };
            for at in [7_200_001, 4_102_444_800_123, u64::MAX / 2] {
                assert_eq!(shift.back(shift.forth(at)), at);
            }
            assert!(shift.forth(1) >= 1 && shift.back(1) >= 1);
            assert_ne!(shift.forth(u64::MAX), 0);
        }
    }

    #[test]
    fn a_difference_is_said_in_words() {
        let said = |ms| ClockShift { ms }.to_string();
        assert_eq!(said(7_200_000), "2 h ahead of");
        assert_eq!(said(-5_430_000), "1 h 30 min behind");
        assert_eq!(said(90_400), "1 min 30 s ahead of");
        assert_eq!(said(7_199_900), "2 h ahead of");
        assert_eq!(said(-1_500), "1.5 s behind");
    }
}
