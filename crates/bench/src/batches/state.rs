//! `state`: memory of a million documents of six stages, in the server and in the submitter.

use std::time::{Duration, Instant};

use bytes::Bytes;
use compartment::pipeline::ProcessMemory;
use compartment_core::{BatchPlan, ClaimRequest, Database, MAX_AT_ONCE, Outcome, Settlement};
use compartment_testkit::TestRedis;
use serde::Serialize;

use super::ours::id;
use super::server::{memory, open};
use crate::measure::Failure;
use crate::measure::section::Measured;
use crate::measure::statistics::{percentile, short};
use crate::measure::table::{align, plain};

const DOCUMENTS: u32 = 1_000_000;
const STAGES: [&str; 6] = ["extract", "chunk", "embed", "entities", "resolve", "relate"];
const NAME: &str = "papers";
const LEASE: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct State {
    documents: u32,
    stages: usize,
    submitted_per_second: f64,
    /// The largest growth of the program's memory while it submitted.
    client_kilobytes: f64,
    /// Sealed, nothing processed.
    sealed_bytes_a_document: f64,
    /// All stages done, but not the completion of the batch.
    worked_bytes_a_document: f64,
    /// The sum of `MEMORY USAGE` of each key.
    keys_bytes_a_document: f64,
    progress_p50_micros: f64,
    progress_p99_micros: f64,
    audit_millis: f64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let documents = if quick { DOCUMENTS / 5 } else { DOCUMENTS };
    let server = TestRedis::start().await;
    let batch = open(&server.url()).await?;
    let each = 1.0 / f64::from(documents);
    let (empty, resident) = (memory(&server).await, peak_memory());
    let began = Instant::now();
    submit(&batch, documents).await?;
    let submitted_per_second = f64::from(documents) / began.elapsed().as_secs_f64();
    let client_kilobytes = peak_since_reset() - resident;
    let sealed_bytes_a_document = (memory(&server).await - empty) * each;
    for stage in 0..STAGES.len() {
        work(&batch, stage).await?;
    }
    let worked_bytes_a_document = (memory(&server).await - empty) * each;
    let keys_bytes_a_document = keys(&server).await * each;
    let mut micros = Vec::new();
    for _ in 0..5_000 {
        let began = Instant::now();
        batch.batch().progress(NAME).await?;
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let began = Instant::now();
    let audit = batch.batch_upkeep().audit(NAME).await?;
    let audit_millis = began.elapsed().as_secs_f64() * 1e3;
    if !audit.is_clean() {
        return Err("the batch disagrees with itself".into());
    }
    let found = State {
        documents,
        stages: STAGES.len(),
        submitted_per_second,
        client_kilobytes,
        sealed_bytes_a_document,
        worked_bytes_a_document,
        keys_bytes_a_document,
        progress_p50_micros: percentile(&micros, 0.5),
        progress_p99_micros: percentile(&micros, 0.99),
        audit_millis,
    };
    Measured::new(text(&found), &found)
}

pub(crate) async fn submit(batch: &Database, documents: u32) -> Result<(), Failure> {
    let store = batch.batch();
    store.create(NAME, &BatchPlan::chain(&STAGES)).await?;
    for from in (0..documents).step_by(MAX_AT_ONCE) {
        let to = documents.min(from + MAX_AT_ONCE as u32);
        store.submit(NAME, (from..to).map(|document| Bytes::from(id(document))).collect()).await?;
    }
    store.seal(NAME).await?;
    Ok(())
}

/// Takes the documents through a stage.
async fn work(batch: &Database, stage: usize) -> Result<(), Failure> {
    let store = batch.batch();
    while let Some(claim) = store.claim(NAME, ClaimRequest::new(stage, MAX_AT_ONCE, LEASE)).await? {
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        store.settle(NAME, Settlement::new(stage, claim.token, outcomes)).await?;
    }
    Ok(())
}

/// The sum of `MEMORY USAGE` over the batch's keys.
async fn keys(server: &TestRedis) -> f64 {
    const SUM: &str = "local sum, cursor = 0, '0'
        repeat
          local page = redis.call('SCAN', cursor, 'COUNT', 1000)
          cursor = page[1]
          for _, key in ipairs(page[2]) do sum = sum + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) end
        until cursor == '0'
        return sum";
    let answer = server.command_in(1, &["EVAL", SUM, "0"]).await.text();
    answer.trim().parse().unwrap_or(f64::NAN)
}

fn text(state: &State) -> String {
    let mut table = plain(["A batch of documents with ids of 16 bytes", ""]);
    let rows = [
        ("documents", short(f64::from(state.documents))),
        ("stages", state.stages.to_string()),
        ("submitted, documents/s", short(state.submitted_per_second)),
        ("memory of whoever submits, kB", short(state.client_kilobytes)),
        ("sealed, bytes a document", format!("{:.1}", state.sealed_bytes_a_document)),
        ("all stages done, bytes a document", format!("{:.1}", state.worked_bytes_a_document)),
        ("the same by MEMORY USAGE", format!("{:.1}", state.keys_bytes_a_document)),
        ("progress, p50 µs", short(state.progress_p50_micros)),
        ("progress, p99 µs", short(state.progress_p99_micros)),
        ("audit, ms", short(state.audit_millis)),
    ];
    for (what, figure) in rows {
        table.add_row([what.to_owned(), figure]);
    }
    align(&mut table);
    format!("{table}\n")
}

/// The program's memory in kilobytes. Resets its peak.
pub(crate) fn peak_memory() -> f64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak_since_reset()
}

pub(crate) fn peak_since_reset() -> f64 {
    let peak = ProcessMemory::now().and_then(|memory| memory.peak);
    peak.map_or(f64::NAN, |bytes| bytes as f64 / 1_024.0)
}
