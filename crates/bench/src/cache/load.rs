//! `load`: the latency of cache operations while a batch floods the server from another database.

use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy, Stored};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Instance, KeyTemplate};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use serde::Serialize;

use super::Measured;
use super::trace::zipf;
use crate::bench::clients::RedisRs;
use crate::bench::isolation::flood::{self, Flood};
use crate::measure::Failure;
use crate::measure::statistics::{percentile, short};
use crate::measure::steady::steadily;
use crate::measure::table::{align, plain};

const TEXT: KeyTemplate<String> = KeyTemplate::new("text", "text:{id}", "cache");
/// Documents in the cache, of 1 KB each.
const DOCUMENTS: usize = 10_000;
/// Size of the first tier in bytes: room for a tenth of them.
const FIRST_TIER: u64 = 1_400_000;
/// Operations per second,
const RATE: u32 = 2_000;
/// of which one in this many is a set.
const SET_EVERY: u32 = 10;
/// Keys that the flood scans over.
const BATCH_KEYS: usize = 200_000;

#[derive(Debug, Serialize)]
struct Load {
    unit: &'static str,
    operations_per_second: u32,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    operations: usize,
    /// Reads without a value, because the key was just being set or the server was too slow, and
    /// sets that timed out.
    missed: usize,
    average: f64,
    p50: f64,
    p99: f64,
    worst: f64,
    /// Throughput of the flood, in commands per second.
    flood_per_second: f64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let duration = Duration::from_secs(if quick { 2 } else { 15 });
    let server = TestRedis::start().await;
    let batch = RedisRs::connect(&format!("{}/1", server.url())).await?;
    flood::fill(&batch, BATCH_KEYS).await?;
    let flood = Flood::new(batch);
    let both = open(&server, true).await?;
    let second_only = open(&server, false).await?;
    for document in 0..DOCUMENTS {
        let _ = both.set(&TEXT.key(&[&document.to_string()])?, text()).await?;
    }
    let sides: [(&'static str, &Cache, Option<bool>); 5] = [
        ("no flood", &both, None),
        ("1 to 4 KB", &both, Some(false)),
        ("and 8 MB", &both, Some(true)),
        ("1 to 4 KB, no first tier", &second_only, Some(false)),
        ("and 8 MB, no first tier", &second_only, Some(true)),
    ];
    let mut rows = Vec::new();
    for (what, cache, flooded) in sides {
        let running = flooded.map(|big_values| flood.begin(big_values));
        let took = operate(cache, duration).await?;
        let done = match running {
            Some(running) => running.end().await?,
            None => 0,
        };
        rows.push(Row::of(what, &took, done as f64 / duration.as_secs_f64()));
    }
    let header = ["flood of", "average", "p50", "p99", "worst", "missed", "flood/s"];
    let mut table = plain(header);
    for row in &rows {
        let millis = [row.average, row.p50, row.p99, row.worst].map(|ms| format!("{ms:.2}"));
        let rest = [row.missed.to_string(), short(row.flood_per_second)];
        table.add_row(std::iter::once(row.what.to_owned()).chain(millis).chain(rest));
    }
    align(&mut table);
    let text = format!(
        "Load: ms an operation of the cache, {RATE} a second, one in {SET_EVERY} a set\n{table}\n"
    );
    Measured::new(text, &Load { unit: "ms", operations_per_second: RATE, rows })
}

fn text() -> String {
    "t".repeat(1_022)
}

async fn open(server: &TestRedis, first_tier: bool) -> Result<Cache, Failure> {
    let config = RedisConfig::for_instance(&Instance::new(&server.url())?, 1);
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    let database = RedisBackend::connect(config, &[2]).await?.open(contract).await?;
    let policy = CachePolicy::default().ttl(Duration::from_secs(3_600)).first_tier(first_tier);
    let options = CacheOptions::default().first_tier_bytes(FIRST_TIER).policy(policy);
    Ok(Cache::open(&database, options).await?)
}

/// The latency of each operation; the trace of documents is equal in all runs.
async fn operate(cache: &Cache, duration: Duration) -> Result<Vec<Option<f64>>, Failure> {
    let (cache, trace) = (cache.clone(), zipf(DOCUMENTS, 1.0, 1 << 16, 3));
    let keys: Result<Vec<_>, _> = (0..DOCUMENTS).map(|id| TEXT.key(&[&id.to_string()])).collect();
    let keys = keys?;
    let begin = move |number: u32| {
        let document = trace[number as usize % trace.len()] as usize;
        let (cache, key) = (cache.clone(), keys[document].clone());
        async move {
            if number.is_multiple_of(SET_EVERY) {
                let set = cache.set(&key, text()).await;
                // Of two concurrent sets, one may supersede the other.
                set.is_ok_and(|set| matches!(set, Stored::Stored | Stored::Superseded))
            } else {
                cache.get(&key).await.is_ok_and(|found| found.is_some())
            }
        }
    };
    steadily(RATE, duration, begin).await
}

impl Row {
    fn of(what: &'static str, took: &[Option<f64>], flood_per_second: f64) -> Self {
        let mut millis: Vec<f64> = took.iter().copied().flatten().collect();
        millis.sort_by(f64::total_cmp);
        Self {
            what,
            operations: took.len(),
            missed: took.len() - millis.len(),
            average: millis.iter().sum::<f64>() / millis.len() as f64,
            p50: percentile(&millis, 0.5),
            p99: percentile(&millis, 0.99),
            worst: percentile(&millis, 1.0),
            flood_per_second,
        }
    }
}
