//! The pipeline's work: batches, workers, queues, dead letters, and the rows of the ledger.

mod batch;
mod dead_letters;
mod documents;
mod queues;
mod rates;
mod reading;
mod tasks;
mod workers;

pub use batch::{BatchView, FailureGroup, RunningDocument, STUCK_AFTER};
pub use dead_letters::{DeadLetter, DeadLetterQuery};
pub use documents::{BatchDocument, DocumentEntity, DocumentPage, DocumentView, EntityPlace};
pub use queues::{QueueSummary, queues};
pub use reading::{BatchSummary, StageFigures, Work, batch_status};
pub use tasks::{TaskList, TaskQuery, document_name};
pub use workers::WorkerSummary;

pub(crate) use queues::read_queues;
pub(crate) use reading::WorkReader;
