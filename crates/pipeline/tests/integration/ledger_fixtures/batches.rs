//! Batches in memory or on a server, and the work on them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    BatchPlan, ClaimRequest, Contract, Database, DatabaseKind, Instance, ManualClock, Outcome,
    Settled, Settlement, Timestamp,
};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_pipeline::{BatchRecord, BatchRegistry, TaskNote, TaskRow, TaskStatus};
use compartment_redis::{RedisBackend, RedisConfig};

pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A database `batch` in memory, with a manual clock.
pub(crate) async fn in_memory() -> (Database, ManualClock) {
    let clock = ManualClock::default();
    let mut config = MemoryConfig::default();
    config.clock = Arc::new(clock.clone());
    let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
    (MemoryBackend::new(config).open(contract).await.unwrap(), clock)
}

/// The database `batch` on a server.
pub(crate) async fn on_redis(url: &str) -> Database {
    let mut config = RedisConfig::for_instance(&Instance::new(url).unwrap(), 1);
    config.retries = 1;
    let backend = RedisBackend::connect(config, &[4]).await.unwrap();
    let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
    backend.open(contract).await.unwrap()
}

/// Two stages, three attempts, three leases, an outbox.
pub(crate) fn plan() -> BatchPlan {
    BatchPlan::chain(&["extract", "chunk"]).max_lost(3).outbox(true)
}

pub(crate) fn name_of(ordinal: u32) -> String {
    format!("case-{ordinal}.pdf")
}

/// A batch with this many documents, registered and sealed.
pub(crate) async fn submitted(batch: &Database, name: &str, documents: u32) {
    batch.batch().create(name, &plan()).await.unwrap();
    let record = BatchRecord::new(name, "papers", Timestamp::from_millis(1_790_000_000_000));
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    let all: Vec<u32> = (0..documents).collect();
    for some in all.chunks(1_000) {
        let entries = some.iter().map(|ordinal| Bytes::from(name_of(*ordinal))).collect();
        batch.batch().submit(name, entries).await.unwrap();
    }
    batch.batch().seal(name).await.unwrap();
}

/// The outcome of a document in these tests: 7 of a thousand die, and 11 fail at first.
pub(crate) fn left(ordinal: u32, attempt: u8) -> TaskStatus {
    match ordinal % 1_000 {
        7 => TaskStatus::Dead,
        11 if attempt == 1 => TaskStatus::Failed,
        _ => TaskStatus::Done,
    }
}

/// Claims up to `max` documents of a stage and settles them with a note; `None` if none are ready.
pub(crate) async fn step(
    batch: &Database,
    name: &str,
    stage: usize,
    max: usize,
) -> Option<Settled> {
    let request = ClaimRequest::new(stage, max, LEASE);
    let claim = batch.batch().claim(name, request).await.unwrap()?;
    let (mut outcomes, mut rows) = (Vec::new(), Vec::new());
    for document in &claim.documents {
        let status = left(document.ordinal, document.attempt);
        let error = if status == TaskStatus::Done { "" } else { "the page is blank" };
        let outcome = match status {
            TaskStatus::Dead => Outcome::Dead { error: error.into() },
            TaskStatus::Failed => Outcome::Retry { error: error.into(), after: Duration::ZERO },
            _ => Outcome::Done,
        };
        outcomes.push((document.ordinal, outcome));
        rows.push(TaskRow {
            ordinal: document.ordinal,
            status,
            attempt: document.attempt,
            started: 5,
            took: 10 + document.ordinal % 90,
            error: error.into(),
        });
    }
    let since = Timestamp::from_millis(1_790_000_001_000);
    let note = TaskNote { worker: "worker-1".into(), since, rows }.to_bytes().unwrap();
    let settlement = Settlement::new(stage, claim.token, outcomes).note(note);
    Some(batch.batch().settle(name, settlement).await.unwrap())
}

/// Works on a batch until no document is ready.
pub(crate) async fn work(batch: &Database, name: &str, max: usize) {
    for stage in 0..2 {
        while step(batch, name, stage, max).await.is_some() {}
    }
}

/// The number of rows of a finished batch for each stage; documents dead at the first have none at the second.
pub(crate) fn rows_of(documents: u32) -> (u64, u64) {
    let dead = (0..documents).filter(|ordinal| ordinal % 1_000 == 7).count() as u64;
    (u64::from(documents), u64::from(documents) - dead)
}
