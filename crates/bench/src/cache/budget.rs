//! `budget`: how well a cache keeps its memory budget during a flood, and at what cost.
//!
//! It also shows how close the evictions are to exact LRU.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Expiry, Instance, KeyValueStoreExt};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use serde::Serialize;

use super::Measured;
use crate::batches::server::cpu;
use crate::measure::Failure;
use crate::measure::statistics::{median, short};
use crate::measure::table::{align, plain};

const BUDGET: u64 = 64 << 20;
const INDEX: u32 = 2;
/// Writing tasks, over all processes.
const TASKS: usize = 32;
/// Bytes written before a key is written again: four times the budget.
const CYCLE: u64 = 4 * BUDGET;
/// Turns of each flood, with and without the budget.
const TURNS: usize = 3;
/// Keys that are read repeatedly while others are written once.
const HOT: usize = 4_000;
/// Keys of 1 KB written per second in that trial: the budget holds about three seconds of them.
const A_SECOND: u64 = 16_000;

/// The sum of `MEMORY USAGE`, which the budget limits.
const SUM: &str = "
local cursor, sum, seen = '0', 0, {}
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if not seen[key] then
      seen[key] = true
      sum = sum + (redis.call('MEMORY', 'USAGE', key) or 0)
    end
  end
until cursor == '0'
return sum";

/// The values that are written.
#[derive(Clone, Copy, Debug)]
struct Shape {
    what: &'static str,
    processes: usize,
    size: fn(u64) -> usize,
}

const SHAPES: [Shape; 3] = [
    Shape { what: "1 KB, 1 process", processes: 1, size: |_| 1_024 },
    Shape { what: "100 B to 64 KB, 1 process", processes: 1, size: mixed },
    Shape { what: "100 B to 64 KB, 4 processes", processes: 4, size: mixed },
];

/// A size for a key, log-uniform and deterministic.
fn mixed(key: u64) -> usize {
    let random = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (100.0 * ((random % 9_356) as f64 / 1_000.0).exp2()) as usize
}

#[derive(Debug, Serialize)]
struct Report {
    budget_bytes: u64,
    floods: Vec<Row>,
    recency: Recency,
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    writes_a_second: f64,
    writes_a_second_without_budget: f64,
    /// Processor time of the server for a write, in microseconds, with and without the budget.
    server_micros: f64,
    server_micros_without_budget: f64,
    /// The ratios of the turns.
    ratios: Vec<f64>,
    /// The highest and the final sum of `MEMORY USAGE`.
    highest_bytes: u64,
    final_bytes: u64,
    looks: u32,
    evicted: u64,
    /// Growth of `used_memory` over the whole run.
    used_memory_bytes: u64,
}

/// How many of the repeatedly read keys survived, and how many of the keys that exact LRU would
/// have kept.
#[derive(Debug, Serialize)]
struct Recency {
    seconds: f64,
    hot: usize,
    hot_kept: usize,
    kept: usize,
    /// Kept keys that exact LRU would have kept too.
    kept_as_lru: usize,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let slice = Duration::from_millis(if quick { 600 } else { 3_000 });
    let mut floods = Vec::new();
    for shape in SHAPES {
        floods.push(flood(shape, slice).await?);
    }
    let recency = recency(Duration::from_secs(if quick { 6 } else { 20 })).await?;
    let report = Report { budget_bytes: BUDGET, floods, recency };
    Measured::new(text(&report), &report)
}

fn text(report: &Report) -> String {
    let header = [
        "",
        "writes/s",
        "without",
        "",
        "of turns",
        "server µs",
        "without",
        "highest",
        "at the end",
        "evicted",
        "used_memory",
    ];
    let mut table = plain(header);
    let percent = |bytes: u64| format!("{:.1} %", bytes as f64 * 100.0 / BUDGET as f64);
    for row in &report.floods {
        let (with, without) = (row.writes_a_second, row.writes_a_second_without_budget);
        table.add_row([
            row.what.clone(),
            short(with),
            short(without),
            format!("{:.2}×", median(row.ratios.clone())),
            row.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" "),
            format!("{:.1}", row.server_micros),
            format!("{:.1}", row.server_micros_without_budget),
            percent(row.highest_bytes),
            percent(row.final_bytes),
            short(row.evicted as f64),
            percent(row.used_memory_bytes),
        ]);
    }
    align(&mut table);
    let Recency { seconds, hot, hot_kept, kept, kept_as_lru } = &report.recency;
    format!(
        "A flood into a cache with a budget of {} MiB ({TASKS} tasks; bytes by MEMORY USAGE)\n{table}\n\n\
         {hot_kept} of {hot} keys that were read every half second are left after {seconds:.0} s in \
         which {A_SECOND} others a second were written; exact LRU keeps all. Of the {kept} keys that \
         are left, {:.1} % are among those that exact LRU would keep.\n",
        BUDGET >> 20,
        *kept_as_lru as f64 * 100.0 / (*kept).max(1) as f64,
    )
}

async fn open(server: &TestRedis, budget: Option<u64>) -> Result<Database, Failure> {
    let mut config = RedisConfig::for_instance(&Instance::new(&server.url())?, 2);
    config.response_timeout = Duration::from_secs(10);
    let mut contract = Contract::new("cache", DatabaseKind::Cache)
        .with_index(INDEX)
        .default_ttl(Duration::from_secs(3_600));
    contract.memory_budget = budget;
    Ok(RedisBackend::connect(config, &[0, INDEX]).await?.open(contract).await?)
}

async fn used(server: &TestRedis) -> u64 {
    let sum = server.command_in(INDEX, &["EVAL", SUM, "0"]).await.integer();
    sum.unwrap_or_default().unsigned_abs()
}

async fn used_memory(server: &TestRedis) -> u64 {
    let memory = server.command(&["INFO", "memory"]).await.text();
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or_default()
}

async fn flood(shape: Shape, slice: Duration) -> Result<Row, Failure> {
    let (held, free) = (Arc::new(TestRedis::start().await), TestRedis::start().await);
    let before = used_memory(&held).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..shape.processes {
        with.push(open(&held, Some(BUDGET)).await?);
        without.push(open(&free, None).await?);
    }
    let (mut held_rates, mut free_rates) = (Vec::new(), Vec::new());
    let (mut held_micros, mut free_micros) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for (server, caches, rates, micros) in [
            (&free, &without, &mut free_rates, &mut free_micros),
            (&*held, &with, &mut held_rates, &mut held_micros),
        ] {
            let (worked, began) = (cpu(server).await, Instant::now());
            let rate = write_for(caches, shape, slice).await?;
            let writes = rate * began.elapsed().as_secs_f64();
            micros.push((cpu(server).await - worked) * 1e6 / writes);
            rates.push(rate);
        }
    }
    // Summing takes server time, so it has a separate turn.
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (server, is_over) = (Arc::clone(&held), Arc::clone(&is_over));
        tokio::spawn(async move {
            let (mut highest, mut looks) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                highest = highest.max(used(&server).await);
                looks += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (highest, looks)
        })
    };
    write_for(&with, shape, slice).await?;
    is_over.store(true, Ordering::Relaxed);
    let (highest_bytes, looks) = watcher.await?;
    Ok(Row {
        what: shape.what.to_owned(),
        ratios: held_rates.iter().zip(&free_rates).map(|(held, free)| held / free).collect(),
        writes_a_second: median(held_rates),
        writes_a_second_without_budget: median(free_rates),
        server_micros: median(held_micros),
        server_micros_without_budget: median(free_micros),
        highest_bytes,
        final_bytes: used(&held).await,
        looks,
        evicted: with.iter().map(|cache| cache.traffic().snapshot().evicted).sum(),
        used_memory_bytes: used_memory(&held).await.saturating_sub(before),
    })
}

/// Writes from tasks that are distributed over the processes; returns writes per second.
async fn write_for(caches: &[Database], shape: Shape, slice: Duration) -> Result<f64, Failure> {
    let written = Arc::new(AtomicU64::new(0));
    let keys = CYCLE / (0..1_000).map(|key| (shape.size)(key) as u64).sum::<u64>() * 1_000;
    let started = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let cache = caches[task % caches.len()].clone();
        let written = Arc::clone(&written);
        tokio::spawn(async move {
            while started.elapsed() < slice {
                let key = written.fetch_add(1, Ordering::Relaxed) % keys.max(1);
                let value = vec![7; (shape.size)(key)];
                cache.key_value().put(&format!("document:{key}"), value).await?;
            }
            Ok::<(), Failure>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(written.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

/// Writes new keys at a steady rate, and reads the hot ones every half second.
async fn recency(duration: Duration) -> Result<Recency, Failure> {
    let server = TestRedis::start().await;
    let cache = open(&server, Some(BUDGET)).await?;
    let hot: Vec<String> = (0..HOT).map(|n| format!("hot:{n}")).collect();
    for name in &hot {
        cache.key_value().put(name, vec![1; 1_024]).await?;
    }
    let started = Instant::now();
    let (mut written, mut read_at) = (0_u64, Duration::ZERO);
    while started.elapsed() < duration {
        let due = (started.elapsed().as_secs_f64() * A_SECOND as f64) as u64;
        let entries = (written..due).map(|n| (format!("new:{n}"), vec![1; 1_024].into())).collect();
        cache.key_value().set_many(entries, Expiry::DatabaseDefault).await?;
        written = due;
        if started.elapsed() >= read_at {
            cache.key_value().get_many(&hot).await?;
            read_at += Duration::from_millis(500);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let hot_kept = cache.key_value().keys("hot:*").await?.len();
    let numbers = cache.key_value().keys("new:*").await?;
    let numbers = numbers.iter().filter_map(|name| name.strip_prefix("new:")?.parse::<u64>().ok());
    let numbers: Vec<u64> = numbers.collect();
    let kept = hot_kept + numbers.len();
    // Exact LRU keeps the hot keys and the keys written last.
    let oldest = written.saturating_sub(kept.saturating_sub(HOT) as u64);
    let recent = numbers.iter().filter(|number| **number >= oldest).count();
    Ok(Recency { seconds, hot: HOT, hot_kept, kept, kept_as_lru: hot_kept + recent })
}
