//! `bench isolation`: latency of a cache's reads while another purpose floods the server.
//!
//! Both are in one database, in separate databases, or on separate servers.

pub(crate) mod flood;
mod reader;

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Expiry, Instance};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use serde::Serialize;

use super::clients::RedisRs;
use crate::measure::Failure;
use crate::measure::statistics::{median, percentile, short};
use crate::measure::table::{align, plain};
use flood::Flood;
use reader::{Cache, Latencies};

/// Keys that the flood scans over.
const BATCH_KEYS: usize = 200_000;

/// How the two purposes are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// Without a flood, for comparison.
    Idle,
    /// One connection and one index, as in most programs at first.
    OneConnection,
    /// Separate indexes and connections by Compartment, on one server.
    OwnDatabase,
    /// Separate servers.
    OwnInstance,
}

impl Side {
    const ALL: [Self; 4] = [Self::Idle, Self::OneConnection, Self::OwnDatabase, Self::OwnInstance];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "no flood",
            Self::OneConnection => "A: one connection",
            Self::OwnDatabase => "B: own database",
            Self::OwnInstance => "C: own instance",
        }
    }
}

/// The latencies of every side.
#[derive(Debug, Serialize)]
pub(super) struct Isolation {
    unit: &'static str,
    reads_per_second: u32,
    rounds: usize,
    round_seconds: f64,
    /// During a flood of values of a few kilobytes.
    small_values: Vec<Measured>,
    /// During a flood that also has values of 8 MB.
    big_values: Vec<Measured>,
}

/// The figures of one side.
#[derive(Debug, Serialize)]
struct Measured {
    side: Side,
    reads: usize,
    /// Reads that failed or took longer than the client waits.
    failed: usize,
    p50: f64,
    p99: f64,
    p999: f64,
    worst: f64,
    /// The 99th percentile of each round.
    p99_by_round: Vec<f64>,
    /// Throughput of the flood, in commands per second.
    flood_per_second: f64,
}

/// Two servers and every client on them.
struct Stage {
    cache_shared: Cache,
    cache_own_database: Cache,
    cache_own_instance: Cache,
    flood_shared: Flood,
    flood_own_database: Flood,
    _servers: [TestRedis; 2],
}

impl Stage {
    async fn set() -> Result<Self, Failure> {
        let servers = [TestRedis::start().await, TestRedis::start().await];
        let urls = servers.each_ref().map(TestRedis::url);
        let shared = RedisRs::connect(&urls[0]).await?;
        let batch = RedisRs::connect(&format!("{}/1", urls[0])).await?;
        flood::fill(&shared, BATCH_KEYS).await?;
        flood::fill(&batch, BATCH_KEYS).await?;
        let own_database = open_cache(&urls[0], 2).await?;
        let own_instance = open_cache(&urls[1], 0).await?;
        // Equal keys at index 0, for the side that shares it.
        open_cache(&urls[0], 0).await?;
        Ok(Self {
            cache_shared: Cache::Shared(shared.clone()),
            cache_own_database: own_database,
            cache_own_instance: own_instance,
            flood_shared: Flood::new(shared),
            flood_own_database: Flood::new(batch),
            _servers: servers,
        })
    }

    /// Measures the sides in turn; each is first as often as last.
    async fn measure(
        &self,
        big_values: bool,
        rounds: usize,
        round: Duration,
    ) -> Result<Vec<Measured>, Failure> {
        let mut taken: Vec<Vec<(Latencies, f64)>> = Side::ALL.iter().map(|_| Vec::new()).collect();
        for first in 0..rounds {
            for turn in 0..Side::ALL.len() {
                let at = (first + turn) % Side::ALL.len();
                let (cache, flood) = self.of(Side::ALL[at]);
                let flood = flood.map(|flood| flood.begin(big_values));
                let latencies = reader::read_steadily(cache, round).await?;
                let done = match flood {
                    Some(flood) => flood.end().await?,
                    None => 0,
                };
                taken[at].push((latencies, done as f64 / round.as_secs_f64()));
            }
        }
        let sides = Side::ALL.into_iter().zip(taken);
        Ok(sides.map(|(side, taken)| Measured::of(side, taken)).collect())
    }

    fn of(&self, side: Side) -> (&Cache, Option<&Flood>) {
        match side {
            Side::Idle => (&self.cache_own_database, None),
            Side::OneConnection => (&self.cache_shared, Some(&self.flood_shared)),
            Side::OwnDatabase => (&self.cache_own_database, Some(&self.flood_own_database)),
            // The flood stays where it was; only the cache is elsewhere.
            Side::OwnInstance => (&self.cache_own_instance, Some(&self.flood_own_database)),
        }
    }
}

/// Opens a cache at `index` and fills it.
async fn open_cache(url: &str, index: u32) -> Result<Cache, Failure> {
    let mut config = RedisConfig::for_instance(&Instance::new(url)?, 1);
    config.response_timeout = reader::PATIENCE;
    let backend = RedisBackend::connect(config, &[index]).await?;
    let contract = Contract::new("cache", DatabaseKind::Cache)
        .with_index(index)
        .default_ttl(Duration::from_secs(3_600));
    let database = backend.open(contract).await?;
    let entries =
        (0..reader::CACHE_KEYS).map(|n| (reader::key(n), vec![b'c'; 100].into())).collect();
    database.key_value().set_many(entries, Expiry::DatabaseDefault).await?;
    Ok(Cache::Ours(database))
}

pub(super) async fn measure(quick: bool) -> Result<Isolation, Failure> {
    let (rounds, round) =
        if quick { (2, Duration::from_millis(1_500)) } else { (5, Duration::from_secs(5)) };
    let stage = Stage::set().await?;
    Ok(Isolation {
        unit: "ms",
        reads_per_second: reader::RATE,
        rounds,
        round_seconds: round.as_secs_f64(),
        small_values: stage.measure(false, rounds, round).await?,
        big_values: stage.measure(true, rounds, round).await?,
    })
}

impl Measured {
    fn of(side: Side, taken: Vec<(Latencies, f64)>) -> Self {
        let flood = median(taken.iter().map(|(_, flood)| *flood).collect());
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let of_round =
            |(latencies, _): &(Latencies, f64)| percentile(&sorted(latencies.millis.clone()), 0.99);
        let p99_by_round = taken.iter().map(of_round).collect();
        let failed = taken.iter().map(|(latencies, _)| latencies.failed).sum();
        let all = sorted(taken.into_iter().flat_map(|(latencies, _)| latencies.millis).collect());
        Self {
            side,
            reads: all.len(),
            failed,
            p50: percentile(&all, 0.5),
            p99: percentile(&all, 0.99),
            p999: percentile(&all, 0.999),
            worst: percentile(&all, 1.0),
            p99_by_round,
            flood_per_second: flood,
        }
    }
}

impl Isolation {
    pub(super) fn table(&self) -> String {
        let rate = self.reads_per_second;
        let floods = [
            ("values of 1 to 4 KB", &self.small_values),
            ("the same, and values of 8 MB", &self.big_values),
        ];
        let tables = floods.map(|(flood, sides)| {
            format!(
                "Isolation: latency in ms of {rate} cache reads a second (less is better)\n\
                 beside a flood of {flood}\n{}\n",
                table_of(sides)
            )
        });
        tables.join("\n")
    }
}

fn table_of(sides: &[Measured]) -> comfy_table::Table {
    let header = ["", "p50", "p99", "p99.9", "worst", "failed", "reads", "flood/s"];
    let mut table = plain(header);
    for side in sides {
        let latencies = [side.p50, side.p99, side.p999, side.worst].map(|ms| format!("{ms:.2}"));
        let counts = [side.failed.to_string(), side.reads.to_string()];
        let name = std::iter::once(side.side.name().to_owned());
        table.add_row(name.chain(latencies).chain(counts).chain([short(side.flood_per_second)]));
    }
    align(&mut table);
    table
}
