//! `outage`: reads with a loader while the server is away, empty or slow, from the view of callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, Instance, KeyTemplate};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{FaultProxy, TestRedis};
use serde::Serialize;

use super::Measured;
use crate::measure::Failure;
use crate::measure::statistics::percentile;
use crate::measure::steady::steadily;
use crate::measure::table::{align, plain};

const TEXT: KeyTemplate<u64> = KeyTemplate::new("text", "text:{id}", "cache");
/// Reads per second,
const RATE: u32 = 500;
/// of which one in this many is of a new document.
const NEW_EVERY: u32 = 10;
/// Documents that are read repeatedly.
const KNOWN: u32 = 200;
/// Short, so that there is always something to load.
const TTL: Duration = Duration::from_secs(1);
/// Duration of the loader.
const LOAD: Duration = Duration::from_millis(5);
/// Soft time-out, after which a caller gets a stale value.
const SOFT: Duration = Duration::from_millis(100);
/// Time-out of a request to the database.
const DATABASE: Duration = Duration::from_millis(100);
/// Delay of the proxy, for each request and each answer.
const SLOW: Duration = Duration::from_millis(150);

#[derive(Debug, Serialize)]
struct Outages {
    unit: &'static str,
    soft_timeout_ms: u128,
    database_timeout_ms: u128,
    phases: Vec<Phase>,
}

/// The latencies of reads in one state of the server.
#[derive(Debug, Serialize)]
struct Phase {
    server: &'static str,
    reads: usize,
    errors: usize,
    loads: u64,
    known: Latencies,
    new: Latencies,
}

#[derive(Debug, Serialize)]
struct Latencies {
    p50: f64,
    p99: f64,
    worst: f64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let duration = Duration::from_secs(if quick { 2 } else { 8 });
    let mut server = TestRedis::start().await;
    let proxy = FaultProxy::start(server.port()).await;
    let mut reads = Reads { cache: open(&proxy.url()).await?, loads: Arc::default(), phases: 0 };
    // Every known document has been read before.
    reads.during("before", duration / 2).await?;
    let mut phases = vec![reads.during("fine", duration).await?];
    server.pause();
    phases.push(reads.during("stopped (SIGSTOP)", duration).await?);
    server.resume();
    phases.push(reads.during("goes on", duration).await?);
    server.kill();
    phases.push(reads.during("killed", duration).await?);
    server.restart().await;
    phases.push(reads.during("back, empty", duration).await?);
    proxy.delay(SLOW);
    phases.push(reads.during("300 ms slow", duration).await?);
    proxy.heal().await;
    phases.push(reads.during("fine again", duration).await?);
    let mut table = plain(["server", "p50", "p99", "worst", "new p50", "p99", "worst", "errors"]);
    for phase in &phases {
        let millis = [&phase.known, &phase.new].into_iter().flat_map(Latencies::columns);
        let name = std::iter::once(phase.server.to_owned());
        table.add_row(name.chain(millis).chain([phase.errors.to_string()]));
    }
    align(&mut table);
    let text = format!(
        "Outages: ms of {RATE} reads a second with a loader of {} ms; soft time-out {} ms,\n\
         database time-out {} ms; on the right documents that nobody has read before\n{table}\n",
        LOAD.as_millis(),
        SOFT.as_millis(),
        DATABASE.as_millis()
    );
    let (soft_timeout_ms, database_timeout_ms) = (SOFT.as_millis(), DATABASE.as_millis());
    Measured::new(text, &Outages { unit: "ms", soft_timeout_ms, database_timeout_ms, phases })
}

async fn open(url: &str) -> Result<Cache, Failure> {
    let config = RedisConfig::for_instance(&Instance::new(url)?, 1);
    let contract = Contract::new("cache", DatabaseKind::Cache).with_index(2);
    let database = RedisBackend::connect(config, &[2]).await?.open(contract).await?;
    let policy = CachePolicy::default()
        .ttl(TTL)
        .jitter(0.5)
        .stale_on_error(Duration::from_secs(3_600))
        .soft_timeout(SOFT);
    let options = CacheOptions::default().policy(policy).database_timeout(DATABASE);
    Ok(Cache::open(&database, options).await?)
}

struct Reads {
    cache: Cache,
    loads: Arc<AtomicU64>,
    phases: u32,
}

impl Reads {
    async fn during(&mut self, server: &'static str, duration: Duration) -> Result<Phase, Failure> {
        self.phases += 1;
        let (cache, loads, phase) = (self.cache.clone(), Arc::clone(&self.loads), self.phases);
        let loads_before = loads.load(Ordering::Relaxed);
        let begin = move |number: u32| {
            let id = if number.is_multiple_of(NEW_EVERY) {
                format!("new-{phase}-{number}")
            } else {
                format!("known-{}", number % KNOWN)
            };
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            async move {
                let Ok(key) = TEXT.key(&[&id]) else { return false };
                let load = move || async move {
                    tokio::time::sleep(LOAD).await;
                    Ok::<_, std::io::Error>(loads.fetch_add(1, Ordering::Relaxed))
                };
                cache.get_or_load(&key, load).await.is_ok()
            }
        };
        let took = steadily(RATE, duration, begin).await?;
        let of = |is_new: bool| {
            let each = took.iter().zip(0_u32..);
            let each = each.filter(|(_, number)| number.is_multiple_of(NEW_EVERY) == is_new);
            Latencies::of(each.filter_map(|(millis, _)| *millis).collect())
        };
        Ok(Phase {
            server,
            reads: took.len(),
            errors: took.iter().filter(|millis| millis.is_none()).count(),
            loads: self.loads.load(Ordering::Relaxed) - loads_before,
            known: of(false),
            new: of(true),
        })
    }
}

impl Latencies {
    fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|share| percentile(&millis, share));
        Self { p50, p99, worst }
    }

    fn columns(&self) -> [String; 3] {
        [self.p50, self.p99, self.worst].map(|ms| format!("{ms:.1}"))
    }
}
