//! Injected time, so that no test waits for an expiry.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use serde::{Deserialize, Serialize};

/// A moment: microseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment given in microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A moment given in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// This moment plus `duration`; saturates instead of overflowing.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A reading of a monotonic clock, which cannot be set: it only measures durations.
///
/// Readings of one process can be compared, those of two processes cannot; never store one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicInstant(Duration);

impl MonotonicInstant {
    /// The latest possible reading.
    pub const MAX: Self = Self(Duration::MAX);

    /// A reading this long after the clock's origin, an arbitrary moment before its first use.
    #[must_use]
    pub const fn since_beginning(duration: Duration) -> Self {
        Self(duration)
    }

    /// This reading plus `duration`; saturates instead of overflowing.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time from `earlier` to this reading; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A source of time.
///
/// There are two clocks. The wall clock tells the date. It can be set forwards and back, so it is used only for times
/// that are stored or shown. The monotonic clock measures durations: leases, waits, time-outs, pauses and lifetimes
/// in this process.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time of the wall clock.
    fn now(&self) -> Timestamp;

    /// The current reading of the monotonic clock.
    fn monotonic(&self) -> MonotonicInstant;

    /// A future that resolves once `duration` has passed on the monotonic clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Whether this clock follows the wall clock (a test's clock does not).
    fn is_wall_clock(&self) -> bool;
}

/// The machine's clock; sleeps on tokio's timer.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "tokio")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since_epoch)
    }

    fn monotonic(&self) -> MonotonicInstant {
        // Some systems, such as Windows, have no zero: the first reading is the origin.
        static BEGINNING: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        MonotonicInstant::since_beginning(BEGINNING.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }

    fn is_wall_clock(&self) -> bool {
        true
    }
}

/// A clock that moves only when it is advanced or set.
///
/// Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug)]
struct ManualState {
    now: Timestamp,
    monotonic: MonotonicInstant,
    sleepers: Vec<Waker>,
}

impl Default for ManualClock {
    /// Starts at 2001-09-09T01:46:40Z, a moment that is easy to recognise (a billion seconds).
    fn default() -> Self {
        Self::starting_at(Timestamp::from_millis(1_000_000_000_000))
    }
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        let (monotonic, sleepers) = (MonotonicInstant::default(), Vec::new());
        Self { state: Arc::new(Mutex::new(ManualState { now, monotonic, sleepers })) }
    }

    /// Advances both clocks and wakes sleepers that are due.
    pub fn advance(&self, duration: Duration) {
        let sleepers = {
            let mut state = self.lock();
            state.now = state.now.after(duration);
            state.monotonic = state.monotonic.after(duration);
            std::mem::take(&mut state.sleepers)
        };
        for waker in sleepers {
            waker.wake();
        }
    }

    /// Sets the wall clock to `now`, forwards or back, as an administrator or time server does. The monotonic clock
    /// does not change, and sleepers keep sleeping.
    pub fn set(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> MonotonicInstant {
        self.lock().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let deadline = self.monotonic().after(duration);
        poll_fn(move |context| {
            let mut state = clock.lock();
            if state.monotonic >= deadline {
                return Poll::Ready(());
            }
            // Every advance wakes all sleepers; a sleeper that is not due registers again.
            state.sleepers.push(context.waker().clone());
            Poll::Pending
        })
        .boxed()
    }

    fn is_wall_clock(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_deadline() {
        let clock = ManualClock::default();
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn setting_the_wall_clock_lets_no_time_pass() {
        let clock = ManualClock::default();
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        tokio::task::yield_now().await;
        clock.set(wall.after(Duration::from_secs(3_600)));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set(Timestamp::default());
        assert_eq!(clock.monotonic(), monotonic);
        clock.advance(Duration::from_secs(10));
        sleeper.await.unwrap();
        assert_eq!(clock.monotonic().since(monotonic), Duration::from_secs(10));
    }

    #[test]
    fn time_stops_at_its_end_instead_of_wrapping() {
        assert_eq!(Timestamp::from_micros(5).after(Duration::MAX).as_micros(), u64::MAX);
        assert_eq!(Timestamp::from_micros(5).since(Timestamp::from_micros(9)), Duration::ZERO);
    }
}
