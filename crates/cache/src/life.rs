//! The remaining life of an entry, as this process sees it.
//!
//! The times in an entry are those of the process that wrote it, whose wall clock may be another. They
//! tell the age of the entry, but never extend its life beyond this process's own policy. In the
//! process, lifetimes use the monotonic clock, which nobody sets.

use std::time::Duration;

use compartment_core::{MonotonicInstant, Timestamp};

/// When an entry was made, and until when it is fresh and may be served at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created: Timestamp,
    pub(crate) fresh_until: Timestamp,
    pub(crate) stale_until: Timestamp,
}

/// An entry from further ahead than this was written by another clock.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Databases count milliseconds, and round up.
const ROUNDING: Duration = Duration::from_millis(1);

/// A moment of the monotonic clock in eight bytes: nanoseconds since its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment64(u64);

impl Moment64 {
    /// Later than any other.
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

/// How old an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age {
    age: Duration,
    /// For how long it is fresh in all.
    ttl: Duration,
    /// For how long it is kept in all.
    kept: Duration,
}

impl Age {
    /// Its age by the wall clock; nothing where that cannot be: it is from the future.
    pub(crate) fn by_wall(times: Times, now: Timestamp) -> Option<Self> {
        let (ttl, kept) = lives(times);
        let is_ahead = times.created > now.after(TOLERANCE);
        (!is_ahead).then(|| Self { age: now.since(times.created), ttl, kept })
    }

    /// Its age by what the database says it still has to live; nothing where that cannot be: the
    /// database's own clock was set back.
    pub(crate) fn by_rest(times: Times, rest: Duration) -> Option<Self> {
        let (ttl, kept) = lives(times);
        let is_possible = rest <= kept.saturating_add(ROUNDING);
        is_possible.then(|| Self { age: kept.saturating_sub(rest), ttl, kept })
    }

    /// For how long it is fresh yet; nothing once it has ended.
    pub(crate) fn fresh_for(self) -> Option<Duration> {
        self.ttl.checked_sub(self.age).filter(|left| !left.is_zero())
    }

    /// For how long it has been over.
    pub(crate) fn over_for(self) -> Duration {
        self.age.saturating_sub(self.ttl)
    }

    /// For how long it is kept yet; nothing once it is of no use to anybody.
    pub(crate) fn kept_for(self) -> Option<Duration> {
        self.kept.checked_sub(self.age).filter(|left| !left.is_zero())
    }

    /// Whether it has lived for this share of its time as fresh.
    pub(crate) fn is_past(self, share: f64) -> bool {
        self.age >= scaled(self.ttl, share)
    }

    /// How long it takes until it has; zero where it has already.
    pub(crate) fn until(self, share: f64) -> Duration {
        scaled(self.ttl, share).saturating_sub(self.age)
    }
}

fn lives(times: Times) -> (Duration, Duration) {
    (times.fresh_until.since(times.created), times.stale_until.since(times.created))
}

/// A share (0 to 1) of `duration`: whatever the share is, no more than the whole.
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
