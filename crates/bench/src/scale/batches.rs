//! Batches of many documents, many batches, many workers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use compartment_core::{
    BatchPlan, ClaimRequest, Database, Expiry, MAX_AT_ONCE, Outcome, Settlement, Timestamp,
};
use compartment_pipeline::{BatchRecord, BatchRegistry, workers as registered};
use compartment_testkit::TestRedis;

use super::Row;
use crate::batches::server::{memory, open};
use crate::batches::state::{peak_memory, peak_since_reset, submit};
use crate::measure::Failure;
use crate::measure::statistics::median;

const NAME: &str = "papers";
/// Looks at the progress of a batch, whose median counts.
const LOOKS: usize = 200;
const LEASE: Duration = Duration::from_secs(60);

/// Time and memory of one step.
struct Step<'a> {
    server: &'a TestRedis,
    size: u64,
    began: Instant,
    resident: f64,
}

impl<'a> Step<'a> {
    fn begin(server: &'a TestRedis, size: u64) -> Self {
        let resident = peak_memory();
        Self { server, size, began: Instant::now(), resident }
    }

    async fn end(self, what: &'static str) -> Row {
        let seconds = self.began.elapsed().as_secs_f64();
        let own_bytes = (peak_since_reset() - self.resident) * 1_024.0;
        Row { what, size: self.size, seconds, own_bytes, server_bytes: memory(self.server).await }
    }
}

/// A batch of this many documents: submission, one stage, progress, audit, removal.
pub(super) async fn documents(documents: u32) -> Result<Vec<Row>, Failure> {
    let server = TestRedis::start().await;
    let database = open(&server.url()).await?;
    let size = u64::from(documents);
    let mut rows = Vec::new();
    let step = Step::begin(&server, size);
    submit(&database, documents).await?;
    rows.push(step.end("documents: submit").await);
    let step = Step::begin(&server, size);
    work(&database).await?;
    rows.push(step.end("documents: one stage").await);
    let mut step = Step::begin(&server, size);
    let mut seconds = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let began = Instant::now();
        database.batch().progress(NAME).await?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    step.size = 1;
    let mut row = step.end("documents: progress, median of a look").await;
    (row.size, row.seconds) = (size, median(seconds));
    rows.push(row);
    let step = Step::begin(&server, size);
    if !database.batch_upkeep().audit(NAME).await?.is_clean() {
        return Err("the batch disagrees with itself".into());
    }
    rows.push(step.end("documents: audit").await);
    Ok(rows)
}

/// Takes the documents through the first stage.
async fn work(database: &Database) -> Result<(), Failure> {
    let store = database.batch();
    while let Some(claim) = store.claim(NAME, ClaimRequest::new(0, MAX_AT_ONCE, LEASE)).await? {
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        store.settle(NAME, Settlement::new(0, claim.token, outcomes)).await?;
    }
    Ok(())
}

/// A list of this many batches, with the progress of each.
pub(super) async fn list(batches: usize) -> Result<Vec<Row>, Failure> {
    let server = TestRedis::start().await;
    let database = open(&server.url()).await?;
    let registry = BatchRegistry::new(database.clone());
    for number in 0..batches {
        let name = format!("batch-{number}");
        let store = database.batch();
        store.create(&name, &BatchPlan::chain(&["extract", "chunk"])).await?;
        store.submit(&name, vec![Bytes::from_static(b"a document")]).await?;
        registry
            .add(&BatchRecord::new(name, "papers", Timestamp::from_millis(number as u64)))
            .await?;
    }
    let step = Step::begin(&server, batches as u64);
    let records = registry.list().await?;
    let names = step.end("lists: batches, names").await;
    let step = Step::begin(&server, batches as u64);
    let found = registry.list_with_progress().await?;
    let progress = step.end("lists: batches, progress of each").await;
    let known = found.iter().filter(|(_, progress)| matches!(progress, Ok(Some(_)))).count();
    match known == batches && records.len() == batches {
        true => Ok(vec![names, progress]),
        false => Err("a batch has no progress".into()),
    }
}

/// A list of this many registered workers.
pub(super) async fn workers(count: usize) -> Result<Row, Failure> {
    let server = TestRedis::start().await;
    let database = open(&server.url()).await?;
    let mut states = Vec::with_capacity(count);
    for number in 0..count {
        let id = format!("host-{number}");
        let running: Vec<_> = (0..32)
            .map(|slot| {
                serde_json::json!({"source": "papers", "number": slot, "name": "a document",
                    "stage": "extract", "since": 1_700_000_000_000_u64})
            })
            .collect();
        let state = serde_json::json!({"id": id, "pid": number, "started_at": 1_700_000_000_000_u64,
            "seen_at": 1_700_000_000_000_u64, "serves": ["papers/extract 1"], "concurrency": 32,
            "running": running, "done": 1_000, "failed": 0, "memory": 100 << 20, "is_ending": false});
        states.push((id, Bytes::from(serde_json::to_vec(&state)?)));
    }
    database.hash().set_fields("compartment:workers", states, Expiry::Never).await?;
    let step = Step::begin(&server, count as u64);
    let found = registered(&database).await?.len();
    match found == count {
        true => Ok(step.end("lists: workers").await),
        false => Err(format!("{found} workers of {count} were read").into()),
    }
}
