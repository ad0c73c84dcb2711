//! Limits the load of long work on a shared server: commands per second, the server's latency, its share of the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use compartment_core::Result;
use compartment_redis::{Connection, ServedTime};

use crate::{Place, Walk};

/// Limits of the load on a server. Unlimited by default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of commands per second.
    pub operations_per_second: Option<u32>,
    /// The latency that other clients may see; the work slows down above it.
    pub latency: Option<Duration>,
    /// The share of the server's time that the work takes at most, about: above 0, at most 1. Round trips are then
    /// small, so that no other client waits long for one.
    pub share: Option<f64>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.operations_per_second.is_none() && self.latency.is_none() && self.share.is_none()
    }

    /// The limits of work that others should not notice, unless limits were chosen: 0.3 % of the server's time. Three in
    /// a thousand requests of others then wait for it, so that their 99th percentile stays. (At 0.9 % it doubled.)
    pub(crate) fn unnoticed(self) -> Self {
        const SHARE: f64 = 0.003;
        if self.is_none() { self.share(Some(SHARE)) } else { self }
    }

    /// Sets the share of the server's time.
    #[must_use]
    pub fn share(mut self, max: Option<f64>) -> Self {
        self.share = max;
        self
    }

    /// Sets the maximum number of commands per second.
    #[must_use]
    pub fn operations_per_second(mut self, max: Option<u32>) -> Self {
        self.operations_per_second = max;
        self
    }

    /// Sets the latency above which the work slows down.
    #[must_use]
    pub fn latency(mut self, max: Option<Duration>) -> Self {
        self.latency = max;
        self
    }
}

/// Names per round trip when nothing limits the work.
const FULL: usize = 1_000;
/// Maximum names per round trip while latency is limited: about a millisecond of server time.
const GENTLE: usize = 256;
/// Names per round trip while the share is limited: about a quarter of a millisecond of server time.
const SMALL: usize = 64;
/// Names that the server inspects for a page while the share is limited: as short as that.
const SMALL_PAGE: usize = 256;
/// Work that a limited share lets through at once, so that a small database is done without a pause.
const FREE: Duration = Duration::from_millis(100);
/// A server's work of reading a request and writing its answer, about: a server on one core answers some 60,000 single
/// requests a second.
const ROUND_TRIP: Duration = Duration::from_micros(15);
/// The round trips whose median counts.
const LATELY: usize = 9;
/// The shortest pause that a timer keeps.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The pause between two round trips while latency is limited, in which other clients are served.
const BREATH: Duration = Duration::from_millis(1);
/// Minimum names per round trip: with fewer, the round trips themselves are the load.
const FEWEST: usize = 8;
/// Interval at which the server's latency is measured.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The longest pause between two round trips for a server that is too slow.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Decides how much work the next round trip contains, and when it starts.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    /// Its own connection, so that it measures what other clients see.
    probe: Option<Connection>,
    batch: usize,
    pause: Duration,
    looked: Instant,
    /// When the rate limit has room for more than the commands admitted so far.
    paid_until: Instant,
    /// The shortest time of a `PING` so far: the part of a round trip that is no work of the server.
    travel: Duration,
    /// When the last round trip was admitted, if the share is limited,
    admitted: Option<Instant>,
    /// and how long the server worked on it, if that is known.
    worked: Option<Duration>,
    /// How long the servers worked so far on requests of the measured connections.
    served: ServedTime,
    /// The times of the last round trips whose work is not known. Their median counts: a single one may be long because
    /// this process waited for a processor.
    lately: VecDeque<Duration>,
    /// How much of [`FREE`] is left.
    free: Duration,
    /// How long the server is still left to others.
    owed: Duration,
}

impl Pace {
    /// A pace for work on `place`.
    ///
    /// # Errors
    /// When the connection that measures latency cannot be opened.
    pub async fn new(limits: Limits, place: &Place) -> Result<Self> {
        let probe = match limits.latency.is_some() || limits.share.is_some() {
            true => Some(place.open("latency").await?),
            false => None,
        };
        let now = Instant::now();
        let start = match (limits.latency, limits.share) {
            (Some(_), _) => FEWEST,
            (None, Some(_)) => SMALL,
            (None, None) => FULL,
        };
        Ok(Self {
            limits,
            probe,
            batch: start,
            pause: Duration::ZERO,
            looked: now,
            paid_until: now,
            travel: Duration::MAX,
            admitted: None,
            worked: None,
            served: ServedTime::default(),
            lately: VecDeque::with_capacity(LATELY),
            free: FREE,
            owed: Duration::ZERO,
        })
    }

    /// Maximum number of keys in the next round trip.
    #[must_use]
    pub fn batch(&self) -> usize {
        match self.limits.operations_per_second {
            // At most a tenth of a second's worth, so that the load is even.
            Some(max) => self.most().min((max as usize / 10).max(1)),
            None => self.most(),
        }
    }

    fn most(&self) -> usize {
        if self.limits.share.is_some() { self.batch.min(SMALL) } else { self.batch }
    }

    /// Waits until `commands` more may be sent.
    ///
    /// # Errors
    /// When the server's latency cannot be measured.
    pub async fn admit(&mut self, commands: usize) -> Result<()> {
        self.leave_to_others().await;
        self.heed_latency().await?;
        if self.limits.latency.is_some() && self.limits.share.is_none() {
            tokio::time::sleep(self.pause.max(BREATH)).await;
        } else if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        self.admitted = self.limits.share.map(|_| Instant::now());
        let Some(max) = self.limits.operations_per_second else { return Ok(()) };
        let now = Instant::now();
        if self.paid_until > now {
            tokio::time::sleep(self.paid_until - now).await;
        }
        let cost = Duration::from_secs_f64(commands as f64 / f64::from(max.max(1)));
        self.paid_until = self.paid_until.max(now) + cost;
        Ok(())
    }

    /// How many round trips may be under way together, so that both the server and this process have work. While the
    /// latency or the share of the server is limited, one: each has to be seen before the next.
    pub(crate) fn in_flight(&self) -> usize {
        const SEVERAL: usize = 3;
        if self.limits.latency.is_some() || self.limits.share.is_some() { 1 } else { SEVERAL }
    }

    /// Measures the work of the server on requests of this connection, if its share is limited.
    pub(crate) fn measure(&self, connection: &mut Connection) {
        if self.limits.share.is_some() {
            connection.measure(&self.served);
        }
    }

    /// Makes a request of `commands` once it is admitted. For the share counts how long the server worked on it by its
    /// own clock, where the connection is measured; else how long the answer took. After [`Pace::admit`] the time until
    /// the next admission counts, with the work of this process.
    ///
    /// # Errors
    /// As [`Pace::admit`].
    pub(crate) async fn during<T>(
        &mut self,
        commands: usize,
        request: impl Future<Output = T>,
    ) -> Result<T> {
        self.admit(commands).await?;
        let before = self.served.total();
        let answer = request.await;
        let Some(admitted) = self.admitted else { return Ok(answer) };
        let served = self.served.total().saturating_sub(before);
        self.worked = Some(match served.is_zero() {
            true => self.as_usual(admitted.elapsed()),
            false => served + ROUND_TRIP,
        });
        Ok(answer)
    }

    /// The next page of a walk, once it is admitted.
    ///
    /// # Errors
    /// As [`Pace::admit`] and [`Walk::next_page`].
    pub(crate) async fn next_page(&mut self, walk: &mut Walk) -> Result<Option<Vec<Vec<u8>>>> {
        if self.limits.share.is_some() {
            walk.limit_page(SMALL_PAGE);
            walk.measure(&self.served);
        }
        self.during(1, walk.next_page()).await?
    }

    /// Waits as long as the share demands for the work since the last call.
    async fn leave_to_others(&mut self) {
        let (Some(share), Some(admitted)) = (self.limits.share, self.admitted.take()) else {
            return;
        };
        let worked = match self.worked.take() {
            Some(worked) => worked,
            None => self.as_usual(admitted.elapsed()),
        };
        let free = worked.min(self.free);
        self.free -= free;
        let worked = worked - free;
        let share = share.clamp(0.001, 1.0);
        self.owed += worked.mul_f64((1.0 - share) / share);
        if self.owed < SHORTEST_PAUSE {
            return;
        }
        let (began, pause) = (Instant::now(), self.owed.min(LONGEST_PAUSE));
        tokio::time::sleep(pause).await;
        self.owed = self.owed.saturating_sub(began.elapsed());
    }

    /// The work of round trips such as this one, which took so long from the outside.
    fn as_usual(&mut self, took: Duration) -> Duration {
        if self.lately.len() == LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(took);
        median(&self.lately).saturating_sub(self.travel)
    }

    /// Halves the work when the latency exceeds half of the limit, and lets it grow below a
    /// quarter, as congestion control does in networks.
    async fn heed_latency(&mut self) -> Result<()> {
        let Some(probe) = &mut self.probe else { return Ok(()) };
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        let asked = Instant::now();
        probe.ask::<redis::Value>("measure latency", &redis::cmd("PING")).await?;
        let latency = asked.elapsed();
        self.looked = Instant::now();
        self.travel = self.travel.min(latency);
        let Some(limit) = self.limits.latency else { return Ok(()) };
        // Other clients wait for the work as this probe did, and some of them longer. The work
        // therefore shrinks before the limit is reached.
        if latency > limit / 2 {
            if self.batch <= FEWEST {
                self.pause = (self.pause * 2).clamp(Duration::from_millis(1), LONGEST_PAUSE);
            }
            self.batch = (self.batch / 2).max(FEWEST);
        } else if latency < limit / 4 {
            self.pause /= 2;
            if self.pause < BREATH {
                self.pause = Duration::ZERO;
                self.batch = (self.batch + self.batch / 8 + 1).min(GENTLE);
            }
        }
        Ok(())
    }
}

fn median(times: &VecDeque<Duration>) -> Duration {
    let mut sorted: Vec<Duration> = times.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_long_round_trip_does_not_count() {
        let times = [3, 2, 900, 4, 3].map(Duration::from_millis);
        assert_eq!(median(&VecDeque::from(times)), Duration::from_millis(3));
        assert_eq!(median(&VecDeque::new()), Duration::ZERO);
    }
}
