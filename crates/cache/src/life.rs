//! The remaining life of an entry, as this process sees it.
//!
//! The times in an entry come from the wall clock of the process that wrote it, which may differ. They give the
//! entry's age, but never extend its life beyond this process's own policy. In the process, lifetimes use the
//! monotonic clock, which cannot be set.

use std::time::Duration;

use compartment_core::{MonotonicInstant, Timestamp};

/// When an entry was created, until when it is fresh, and until when it may be served stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created: Timestamp,
    pub(crate) fresh_until: Timestamp,
    pub(crate) stale_until: Timestamp,
}

/// An entry further in the future than this was written by a different clock.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Databases count milliseconds, rounded up.
const ROUNDING: Duration = Duration::from_millis(1);

/// A moment of the monotonic clock in eight bytes: nanoseconds since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment64(u64);

impl Moment64 {
    /// Later than any other moment.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn of(now: MonotonicInstant) -> Self {
        let since = now.since(MonotonicInstant::default());
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The age of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age {
    age: Duration,
    /// Its total time as fresh.
    ttl: Duration,
    /// Its total time in the database.
    kept: Duration,
}

impl Age {
    /// The age by the wall clock; `None` if the entry is from the future.
    pub(crate) fn by_wall(times: Times, now: Timestamp) -> Option<Self> {
        let (ttl, kept) = lives(times);
        let is_ahead = times.created > now.after(TOLERANCE);
        (!is_ahead).then(|| Self { age: now.since(times.created), ttl, kept })
    }

    /// The age by the remaining TTL in the database; `None` if that TTL is too long, because the database's clock was
    /// set back.
    pub(crate) fn by_rest(times: Times, rest: Duration) -> Option<Self> {
        let (ttl, kept) = lives(times);
        let is_possible = rest <= kept.saturating_add(ROUNDING);
        is_possible.then(|| Self { age: kept.saturating_sub(rest), ttl, kept })
    }

    /// The remaining time as fresh; `None` once it has expired.
    pub(crate) fn fresh_for(self) -> Option<Duration> {
        self.ttl.checked_sub(self.age).filter(|left| !left.is_zero())
    }

    /// The time since it expired.
    pub(crate) fn over_for(self) -> Duration {
        self.age.saturating_sub(self.ttl)
    }

    /// The remaining time in the database; `None` once it may not be served at all.
    pub(crate) fn kept_for(self) -> Option<Duration> {
        self.kept.checked_sub(self.age).filter(|left| !left.is_zero())
    }

    /// Whether it has passed this share of its time as fresh.
    pub(crate) fn is_past(self, share: f64) -> bool {
        self.age >= scaled(self.ttl, share)
    }

    /// The time until it passes this share; zero if it already has.
    pub(crate) fn until(self, share: f64) -> Duration {
        scaled(self.ttl, share).saturating_sub(self.age)
    }
}

fn lives(times: Times) -> (Duration, Duration) {
    (times.fresh_until.since(times.created), times.stale_until.since(times.created))
}

/// A share (0 to 1) of `duration`. An invalid share yields the whole.
pub(crate) fn scaled(duration: Duration, share: f64) -> Duration {
    let seconds = duration.as_secs_f64() * share;
    Duration::try_from_secs_f64(seconds).map_or(duration, |scaled| scaled.min(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        let created = Timestamp::from_millis(1_000_000_000);
        let fresh_until = created.after(Duration::from_secs(60));
        Times { created, fresh_until, stale_until: fresh_until.after(Duration::from_secs(40)) }
    }

    #[test]
    fn an_entry_is_fresh_then_over_then_of_no_use() {
        let at = |seconds| {
            let now = times().created.after(Duration::from_secs(seconds));
            Age::by_wall(times(), now).unwrap()
        };
        assert_eq!(at(20).fresh_for(), Some(Duration::from_secs(40)));
        assert_eq!((at(60).fresh_for(), at(70).over_for()), (None, Duration::from_secs(10)));
        assert_eq!((at(99).kept_for(), at(100).kept_for()), (Some(Duration::from_secs(1)), None));
        assert!(at(30).is_past(0.5) && !at(29).is_past(0.5));
    }

    #[test]
    fn an_entry_from_the_future_has_the_age_that_the_database_says() {
        let earlier = Timestamp::from_millis(900_000_000);
        assert_eq!(Age::by_wall(times(), earlier), None);
        let age = Age::by_rest(times(), Duration::from_secs(70)).unwrap();
        assert_eq!(age.fresh_for(), Some(Duration::from_secs(30)));
        assert_eq!(Age::by_rest(times(), Duration::from_secs(500)), None);
    }

    #[test]
    fn a_share_of_anything_is_no_more_than_the_whole() {
        for share in [f64::NAN, f64::INFINITY, 2.0, -1.0, 1.0] {
            assert!(scaled(Duration::MAX, share) <= Duration::MAX, "{share}");
            assert!(scaled(Duration::from_secs(1), share) <= Duration::from_secs(1), "{share}");
        }
    }
}
