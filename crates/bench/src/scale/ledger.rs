//! A ledger of many tasks: what its lists take.

use std::time::Instant;

use compartment_core::{FencingToken, TaskId, Timestamp};
use compartment_pipeline::ledger::{Ledger, LedgerStatus, LedgerTask, TaskFilter};

use super::Row;
use crate::batches::state::{peak_memory, peak_since_reset};
use crate::measure::Failure;

/// Stages of each document.
const STAGES: [&str; 5] = ["chunk", "entities", "extract", "relate", "resolve"];
/// One task in so many is dead.
const DEAD: u64 = 1_000;
/// One task in so many takes more than a second.
const SLOW: u64 = 500;
/// Tasks of one call.
const PAGE: u64 = 2_000;

/// Lists of a ledger in a file with this many documents, as `tasks list`, `tasks show` and `batch show` ask for them.
pub(super) async fn measure(documents: u32) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let ledger = Ledger::at(&folder.path().join("tasks.db").to_string_lossy())?;
    fill(&ledger, documents.into()).await?;
    let mut rows = Vec::new();
    let of = |change: fn(&mut TaskFilter)| {
        let mut filter = TaskFilter::of_batch("");
        filter.limit = 50;
        change(&mut filter);
        filter
    };
    let filters = [
        ("ledger: tasks, first page", of(|_| {})),
        ("ledger: tasks, dead", of(|filter| filter.status = Some(LedgerStatus::Dead))),
        ("ledger: tasks, failed (none)", of(|filter| filter.status = Some(LedgerStatus::Failed))),
        ("ledger: tasks, by error", of(|filter| filter.error = Some("page 6".to_owned()))),
        ("ledger: tasks, of one document", of(|filter| filter.ordinal = Some(7_777))),
    ];
    for (what, filter) in &filters {
        let look = Look::begin(documents);
        ledger.tasks(filter).await?;
        rows.push(look.end(what));
    }
    let look = Look::begin(documents);
    ledger.slowest("", 8).await?;
    rows.push(look.end("ledger: slowest tasks"));
    Ok(rows)
}

async fn fill(ledger: &Ledger, documents: u64) -> Result<(), Failure> {
    for stage in STAGES {
        for from in (0..documents).step_by(PAGE as usize) {
            let page: Vec<_> =
                (from..documents.min(from + PAGE)).map(|id| task(stage, id)).collect();
            ledger.record_tasks(&page).await?;
        }
    }
    Ok(())
}

fn task(stage: &str, id: u64) -> LedgerTask {
    let status = if id % DEAD == 7 { LedgerStatus::Dead } else { LedgerStatus::Done };
    let started = 1_790_000_000_000 + id;
    let took = if id % SLOW == 3 { 1_000 + id % 30_000 } else { id % 1_000 };
    let (id, token) = (TaskId::from_number(id), FencingToken::from_number(id + 1));
    let task = LedgerTask::of_queue(stage, id, status, token)
        .by("worker-1", 1)
        .document(format!("case-{id}.pdf"))
        .between(Timestamp::from_millis(started), Timestamp::from_millis(started + took));
    match status {
        LedgerStatus::Dead => task.error(format!("broken: page {}", started % 7)),
        _ => task,
    }
}

/// Time and memory of one question.
struct Look {
    documents: u32,
    began: Instant,
    resident: f64,
}

impl Look {
    fn begin(documents: u32) -> Self {
        let resident = peak_memory();
        Self { documents, began: Instant::now(), resident }
    }

    fn end(self, what: &'static str) -> Row {
        let seconds = self.began.elapsed().as_secs_f64();
        let own_bytes = (peak_since_reset() - self.resident) * 1_024.0;
        Row { what, size: self.documents.into(), seconds, own_bytes, server_bytes: 0.0 }
    }
}
