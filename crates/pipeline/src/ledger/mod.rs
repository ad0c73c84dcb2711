//! The ledger: the outcome of every document, in SQL.
//!
//! The request that counts an outcome also stores it in the outbox of the batch, and a mirror writes it here. So
//! every row of `processing_tasks` is an outcome that counted, the only missing rows are those still in the outbox,
//! and work continues while the ledger is unavailable.

mod audit;
mod batch_row;
mod connection;
mod documents;
mod drift;
mod error;
mod figures;
mod greeting;
mod many;
mod mirror;
mod mirror_figures;
mod mirror_loop;
mod mirrored;
mod outbox;
mod postgres;
mod reading;
mod rebuild;
mod run;
mod schema;
mod session;
mod single_tasks;
mod task;
mod terms;
mod write;

pub use compartment_core::LedgerAddress;

pub use audit::{AUDIT_WORKER, Repaired};
pub use batch_row::{BatchState, LedgerBatch};
pub use connection::Ledger;
pub use drift::{AuditReport, DriftKind, LedgerDrift};
pub use figures::MirrorStatus;
pub use mirror::LedgerMirror;
pub use mirrored::Mirrored;
pub use reading::{FailureGroup, TaskCount, TaskFilter};
pub use rebuild::{RebuildOutcome, RebuildProgress, Rebuilt};
pub use run::LedgerRun;
pub use task::{LedgerStatus, LedgerTask};
