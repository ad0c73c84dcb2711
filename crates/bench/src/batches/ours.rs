//! A batch of one stage that does nothing: claimed and settled with leases, fencing and exact progress.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    BatchPlan, BatchStatus, BatchStore, ClaimRequest, Database, MAX_AT_ONCE, Outcome, Settlement,
    Timestamp,
};
use compartment_pipeline::{TaskNote, TaskRow, TaskStatus};
use compartment_testkit::TestRedis;

use super::server::{Spent, spent};
use crate::measure::Failure;

/// Documents per claim.
const AT_ONCE: usize = 500;
/// Concurrent claims of one worker: while one waits, another is processed.
pub(super) const LANES: usize = 2;
const LEASE: Duration = Duration::from_secs(60);
const NAME: &str = "papers";

/// A document id of 16 bytes.
pub(super) fn id(document: u32) -> String {
    format!("{:016x}", u64::from(document).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Submits ids in pages and seals the batch.
pub(super) async fn submit(
    batch: &Database,
    name: &str,
    plan: &BatchPlan,
    documents: usize,
) -> Result<(), Failure> {
    let store = batch.batch();
    store.create(name, plan).await?;
    let documents = u32::try_from(documents)?;
    for from in (0..documents).step_by(MAX_AT_ONCE) {
        let to = documents.min(from + MAX_AT_ONCE as u32);
        store.submit(name, (from..to).map(|document| Bytes::from(id(document))).collect()).await?;
    }
    store.seal(name).await?;
    Ok(())
}

/// Processes a batch.
pub(super) async fn turn(
    server: &TestRedis,
    batch: &Database,
    with_news: bool,
    documents: usize,
) -> Result<Spent, Failure> {
    let mut plan = BatchPlan::chain(&["nothing"]);
    if with_news {
        plan = plan.outbox(true).event_bytes(1 << 20);
    }
    submit(batch, NAME, &plan, documents).await?;
    let spent = spent(server, work(batch, with_news)).await?;
    let progress = batch.batch().progress(NAME).await?.ok_or("the batch is gone")?;
    if progress.status != BatchStatus::Completed || progress.done != documents as u64 {
        return Err(format!("the batch is not done: {progress:?}").into());
    }
    batch.batch().remove(NAME).await?;
    Ok(spent)
}

async fn work(batch: &Database, with_news: bool) -> Result<(), Failure> {
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let store = Arc::clone(batch.batch());
            tokio::spawn(async move { lane(store.as_ref(), with_news).await })
        })
        .collect();
    for lane in lanes {
        lane.await??;
    }
    if !with_news {
        return Ok(());
    }
    // Reads and clears the outbox, as a ledger's mirror does.
    loop {
        let entries = batch.batch_upkeep().outbox(NAME, 100).await?;
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
        batch.batch_upkeep().clear_outbox(NAME, &ids).await?;
    }
}

async fn lane(store: &dyn BatchStore, with_note: bool) -> Result<(), Failure> {
    while let Some(claim) = store.claim(NAME, ClaimRequest::new(0, AT_ONCE, LEASE)).await? {
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        let mut settlement = Settlement::new(0, claim.token, outcomes);
        if with_note {
            let row = |ordinal| TaskRow {
                ordinal,
                status: TaskStatus::Done,
                attempt: 1,
                started: 1,
                took: 1,
                error: String::new(),
            };
            let rows = claim.documents.iter().map(|document| row(document.ordinal)).collect();
            let since = Timestamp::from_millis(1_790_000_000_000);
            let note = TaskNote { worker: "bench-1".to_owned(), since, rows };
            settlement = settlement.note(note.to_bytes()?);
        }
        store.settle(NAME, settlement).await?;
    }
    Ok(())
}
