//! Pipelines of typed stages over batches of documents, on any backend.
//!
//! A [`Stage`] turns one document's input into an output, and a [`Pipeline`] declares the stages and what each needs.
//! A batch is submitted through a [`Submission`]. Any number of [`Worker`]s, in any number of processes, run the
//! stages for its documents; each uses an [`Engine`]. Progress is exact, nothing is lost when a worker dies, and the
//! outcome of each document is kept in the ledger (feature `ledger`). A [`Sweeper`] repairs batches whose workers
//! died and removes old ones. A [`LocalRun`] runs all stages in one process, without a batch.
//!
//! An engine reads results from the cache, runs a stage off the async runtime when a result is missing, and isolates
//! each document from the failures and panics of others. Writes that must not be lost wait with [`Patience`] for an
//! unavailable server; the cache fails open.

mod attempt;
mod completed;
mod document;
mod document_run;
mod document_state;
mod engine;
mod engine_options;
mod error;
mod event;
mod hand_back;
#[cfg(feature = "ledger")]
pub mod ledger;
mod local_run;
mod needs;
mod node;
mod patience;
mod pipeline;
mod process_memory;
mod producer;
mod progress;
mod registry;
mod result_size;
mod runner;
mod stage;
mod stage_options;
mod submission;
mod sweeper;
mod task_data;
mod task_note;
mod task_outbox;
mod trace;
mod worker;

pub use completed::Completed;
pub use document::{Document, Identity};
pub use document_run::DocumentRun;
pub use document_state::{DocumentState, StageStatus};
pub use engine::Engine;
pub use engine_options::EngineOptions;
pub use error::{PipelineError, StageError};
pub use event::{Event, Observer, Origin, Silent};
pub use local_run::{DocumentOutcome, LocalRun, RunRecorder, StageOutcome};
pub use needs::Needs;
pub use node::Node;
pub use patience::Patience;
pub use pipeline::{Pipeline, PipelineBuilder};
pub use process_memory::ProcessMemory;
pub use progress::{DocumentFigures, Progress, StageFigures};
pub use registry::{BatchRecord, BatchRegistry, FoundProgress};
pub use stage::{ExternalStage, Stage};
pub use stage_options::StageOptions;
pub use submission::{BatchOptions, Submission};
pub use sweeper::{RemovalWitness, Sweeper, SweeperOptions, Swept};
pub use task_data::TaskData;
pub use task_note::{TaskNote, TaskRow, TaskStatus};
pub use task_outbox::{SingleTaskRow, TaskOutbox};
pub use trace::TraceContext;
pub use worker::{Ended, Running, Worker, WorkerOptions, WorkerReport, WorkerState, workers};

/// Compiles the README's example, and runs the parts that need no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
