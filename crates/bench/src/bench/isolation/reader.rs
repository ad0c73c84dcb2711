//! The cache's client: reads at a steady rate, whatever the last one took.

use std::time::{Duration, Instant};

use compartment_core::Database;
use redis::AsyncCommands;

use super::CACHE_KEYS;
use crate::bench::clients::RedisRs;
use crate::measure::Failure;

/// Reads that begin each second.
pub(super) const RATE: u32 = 2_000;
/// How long a read may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the cache is.
#[derive(Clone)]
pub(super) enum Cache {
    /// On the connection that the flood uses as well.
    Shared(RedisRs),
    /// In a database of ours.
    Ours(Database),
}

/// What the reads took.
#[derive(Debug)]
pub(super) struct Latencies {
    pub(super) millis: Vec<f64>,
    pub(super) failed: usize,
}

pub(super) fn key(number: usize) -> String {
    format!("cache:{number:06}")
}

impl Cache {
    async fn read(&self, key: &str) -> bool {
        match self {
            Self::Shared(client) => {
                let value: Result<Option<Vec<u8>>, _> = client.0.clone().get(key).await;
                value.is_ok_and(|value| value.is_some())
            }
            Self::Ours(database) => database.key_value().get(key).await.is_ok_and(|v| v.is_some()),
        }
    }
}

/// Begins a read at each moment that is due, for so long. Each is timed from that moment, so that a
/// stall counts for every read that it delays.
pub(super) async fn read_steadily(cache: &Cache, duration: Duration) -> Result<Latencies, Failure> {
    let (cache, runtime) = (cache.clone(), tokio::runtime::Handle::current());
    // A thread of its own: the runtime's timer knows milliseconds only, and may be late itself.
    let reads = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        let count = (f64::from(RATE) * duration.as_secs_f64()) as u32;
        let begin = |number: u32| {
            let due = start + Duration::from_secs(1) / RATE * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (cache, key) = (cache.clone(), key(number as usize * 7_919 % CACHE_KEYS));
            runtime.spawn(async move {
                let found = cache.read(&key).await;
                found.then(|| due.elapsed().as_secs_f64() * 1e3)
            })
        };
        (0..count).map(begin).collect::<Vec<_>>()
    });
    let mut latencies = Latencies { millis: Vec::new(), failed: 0 };
    for read in reads.await? {
        match read.await {
            Ok(Some(millis)) => latencies.millis.push(millis),
            _ => latencies.failed += 1,
        }
    }
    Ok(latencies)
}
