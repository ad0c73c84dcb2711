//! Keeps long work from troubling a server that others use: a limit of commands a second, and one
//! of the server's latency.

use std::time::{Duration, Instant};

use compartment_core::Result;
use compartment_redis::Connection;

use crate::Place;

/// What the work may ask of the server. By default as much as it can.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Limits {
    /// The most commands in a second.
    pub operations_per_second: Option<u32>,
    /// How long the server may take to answer others; the work slows down when it takes longer.
    pub latency: Option<Duration>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.operations_per_second.is_none() && self.latency.is_none()
    }

    /// With at most so many commands a second.
    #[must_use]
    pub fn operations_per_second(mut self, max: Option<u32>) -> Self {
        self.operations_per_second = max;
        self
    }

    /// Slowing down when the server's answers take longer than this.
    #[must_use]
    pub fn latency(mut self, max: Option<Duration>) -> Self {
        self.latency = max;
        self
    }
}

/// Names in one round trip when nothing limits the work.
const FULL: usize = 1_000;
/// The most while latency is limited: about a millisecond of the server's time.
const GENTLE: usize = 256;
/// The pause between two round trips while latency is limited: others get their turn.
const BREATH: Duration = Duration::from_millis(1);
/// The fewest: below this the round trips themselves are the load.
const FEWEST: usize = 8;
/// How often the server's latency is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The longest pause between two round trips for a server that is too slow.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Says how much work goes into the next round trip, and when.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    /// Its own connection, so that it measures what other clients see.
    probe: Option<Connection>,
    batch: usize,
    pause: Duration,
    looked: Instant,
    /// When the commands admitted so far are paid for.
    paid_until: Instant,
}

impl Pace {
    /// A pace for work on `place`.
    ///
    /// # Errors
    /// When the connection that measures latency cannot be opened.
    pub async fn new(limits: Limits, place: &Place) -> Result<Self> {
        let probe = match limits.latency {
            Some(_) => Some(place.open("latency").await?),
            None => None,
        };
        let now = Instant::now();
        let start = if probe.is_some() { FEWEST } else { FULL };
        Ok(Self {
            limits,
            probe,
            batch: start,
            pause: Duration::ZERO,
            looked: now,
            paid_until: now,
        })
    }

    /// How many keys the next round trip may be about.
    #[must_use]
    pub fn batch(&self) -> usize {
        match self.limits.operations_per_second {
            // A tenth of a second's worth at most, so that the load is even.
            Some(max) => self.batch.min((max as usize / 10).max(1)),
            None => self.batch,
        }
    }

    /// Waits until `commands` more may be sent.
    ///
    /// # Errors
    /// When the server's latency cannot be measured.
    pub async fn admit(&mut self, commands: usize) -> Result<()> {
        self.heed_latency().await?;
        if self.probe.is_some() {
            tokio::time::sleep(self.pause.max(BREATH)).await;
        }
        let Some(max) = self.limits.operations_per_second else { return Ok(()) };
        let now = Instant::now();
        if self.paid_until > now {
            tokio::time::sleep(self.paid_until - now).await;
        }
        let cost = Duration::from_secs_f64(commands as f64 / f64::from(max.max(1)));
        self.paid_until = self.paid_until.max(now) + cost;
        Ok(())
    }

    /// Halves the work when the server is slower than allowed, lets it grow again when it is well
    /// within: what congestion control does in networks.
    async fn heed_latency(&mut self) -> Result<()> {
        let (Some(limit), Some(probe)) = (self.limits.latency, &mut self.probe) else {
            return Ok(());
        };
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        let asked = Instant::now();
        probe.ask::<redis::Value>("measure latency", &redis::cmd("PING")).await?;
        let latency = asked.elapsed();
        self.looked = Instant::now();
        // Others wait behind the work as this question did, and some of them longer: so the work
        // gives way before the limit is reached.
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
