//! The cache's client, which reads at a steady rate, independent of the latency.

use std::time::Duration;

use compartment_core::Database;
use redis::AsyncCommands;

use crate::bench::clients::RedisRs;
use crate::measure::Failure;
use crate::measure::steady::steadily;

/// Keys of the cache, each with 100 bytes.
pub(super) const CACHE_KEYS: usize = 10_000;

/// Reads per second.
pub(super) const RATE: u32 = 2_000;
/// Time-out of a read.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the cache is.
#[derive(Clone)]
pub(super) enum Cache {
    /// On the connection that the flood uses as well.
    Shared(RedisRs),
    /// In a database of Compartment.
    Ours(Database),
}

/// The latencies of the reads.
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

/// Reads the keys in turn at [`RATE`] for `duration`.
pub(super) async fn read_steadily(cache: &Cache, duration: Duration) -> Result<Latencies, Failure> {
    let cache = cache.clone();
    let read = move |number: u32| {
        let (cache, key) = (cache.clone(), key(number as usize * 7_919 % CACHE_KEYS));
        async move { cache.read(&key).await }
    };
    let reads = steadily(RATE, duration, read).await?;
    let millis: Vec<f64> = reads.iter().copied().flatten().collect();
    Ok(Latencies { failed: reads.len() - millis.len(), millis })
}
