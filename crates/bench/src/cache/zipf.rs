//! `zipf`: the hit rate of the first tier, beside exact LRU and the optimal policy.

use std::time::Duration;

use compartment_cache::{Cache, CacheOptions, CachePolicy};
use compartment_core::backend::Backend;
use compartment_core::{Contract, DatabaseKind, KeyTemplate};
use compartment_memory::MemoryBackend;
use serde::Serialize;

use super::Measured;
use super::replacement::{least_recently_used, most_read, optimal};
use super::trace::{DOCUMENTS, zipf};
use crate::measure::Failure;
use crate::measure::table::{align, plain};

const PAGE: KeyTemplate<String> = KeyTemplate::new("page", "page:{id}", "cache");
/// Exponents of Zipf's law.
const EXPONENTS: [f64; 3] = [0.8, 0.9, 1.0];
/// Capacity of the tier in documents: one in a hundred.
const ROOM: usize = DOCUMENTS / 100;
/// Bytes that the first tier counts for an entry besides its value.
const BESIDE: usize = 256 + KEY + STAMP;
/// The bytes of a key: the template's, and eight digits.
const KEY: usize = 13;
/// Size of the stamp of the whole database.
const STAMP: usize = 32;
/// Size of a value, including its quotes.
const VALUE: usize = 1_024;
/// Fixed, so that the trace is equal in every run.
const SEED: u64 = 20_261_121;

#[derive(Debug, Serialize)]
struct Rates {
    reads: usize,
    documents: usize,
    room: usize,
    rows: Vec<Row>,
}

/// Hit rates of one trace, 0 to 1.
#[derive(Debug, Serialize)]
struct Row {
    exponent: f64,
    ours: f64,
    /// Entries of the first tier at the end.
    entries: u64,
    least_recently_used: f64,
    /// Of the documents that are read most, which no policy knows before.
    most_read: f64,
    optimal: f64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let reads = if quick { 200_000 } else { 1_000_000 };
    let mut rows = Vec::new();
    for exponent in EXPONENTS {
        let trace = zipf(DOCUMENTS, exponent, reads, SEED);
        let (ours, entries) = rate_of_first_tier(&trace, ROOM).await?;
        rows.push(Row {
            exponent,
            ours,
            entries,
            least_recently_used: share(least_recently_used(&trace, ROOM), reads),
            most_read: share(most_read(&trace, ROOM), reads),
            optimal: share(optimal(&trace, ROOM), reads),
        });
    }
    let mut table = plain([
        "exponent",
        "compartment",
        "LRU",
        "most read",
        "optimal",
        "of the most read",
        "of the optimal",
    ]);
    for row in &rows {
        let percent = |rate: f64| format!("{:.1} %", rate * 100.0);
        table.add_row([
            format!("{:.1}", row.exponent),
            percent(row.ours),
            percent(row.least_recently_used),
            percent(row.most_read),
            percent(row.optimal),
            format!("{:.2}", row.ours / row.most_read),
            format!("{:.2}", row.ours / row.optimal),
        ]);
    }
    align(&mut table);
    let text = format!(
        "Hit rate, {reads} reads of {DOCUMENTS} documents by Zipf's law, room for {ROOM}\n{table}\n"
    );
    Measured::new(text, &Rates { reads, documents: DOCUMENTS, room: ROOM, rows })
}

fn share(hits: usize, reads: usize) -> f64 {
    hits as f64 / reads as f64
}

/// The hit rate of our first tier with room for so many documents, and its number of entries at the end.
pub(super) async fn rate_of_first_tier(trace: &[u32], room: usize) -> Result<(f64, u64), Failure> {
    let contract = Contract::new("cache", DatabaseKind::Cache);
    let database = MemoryBackend::default().open(contract).await?;
    let policy = CachePolicy::default().ttl(Duration::from_secs(86_400));
    let bytes = (room * (VALUE + BESIDE)) as u64;
    let cache =
        Cache::open(&database, CacheOptions::default().first_tier_bytes(bytes).policy(policy))
            .await?;
    for document in trace {
        let key = PAGE.key(&[&format!("{document:08}")])?;
        // Two of the bytes are quotes.
        let load = || async { Ok::<_, std::io::Error>("p".repeat(VALUE - 2)) };
        cache.get_or_load(&key, load).await?;
    }
    let metrics = cache.metrics();
    let hits: u64 = metrics.templates.values().map(|template| template.first_tier_hits).sum();
    Ok((hits as f64 / trace.len() as f64, metrics.first_tier_entries))
}
