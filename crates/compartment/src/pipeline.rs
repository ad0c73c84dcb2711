//! Pipelines of typed stages over batches of documents: see [`compartment_pipeline`].

pub use compartment_pipeline::{
    BatchOptions, BatchRecord, BatchRegistry, Completed, Document, DocumentFigures,
    DocumentOutcome, DocumentRun, DocumentState, Ended, Engine, EngineOptions, Event,
    ExternalStage, Identity, LocalRun, Needs, Node, Observer, Origin, Patience, Pipeline,
    PipelineBuilder, PipelineError, ProcessMemory, Progress, RemovalWitness, RunRecorder, Running,
    Silent, SingleTaskRow, Stage, StageError, StageFigures, StageOptions, StageOutcome,
    StageStatus, Submission, Sweeper, SweeperOptions, Swept, TaskData, TaskNote, TaskOutbox,
    TaskRow, TaskStatus, Worker, WorkerOptions, WorkerReport, WorkerState, workers,
};

/// Every document's outcome in SQLite or PostgreSQL: see [`compartment_pipeline::ledger`].
#[cfg(feature = "ledger")]
pub mod ledger {
    pub use compartment_pipeline::ledger::{
        AUDIT_WORKER, AuditReport, BatchState, DriftKind, FailureGroup, Ledger, LedgerAddress,
        LedgerBatch, LedgerDrift, LedgerMirror, LedgerRun, LedgerStatus, LedgerTask, MirrorStatus,
        Mirrored, RebuildOutcome, RebuildProgress, Rebuilt, Repaired, TaskCount, TaskFilter,
    };
}
