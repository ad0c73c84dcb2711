//! Stages over documents with cached results and exact progress, on any backend.
//!
//! A [`Stage`] turns one document's input into an output. The [`Runner`] answers from the cache
//! where it can, runs the stage off the async runtime where it cannot, and never lets one
//! document's failure, or a panic, reach another. What has to be kept, [`DocumentState`] and
//! [`Progress`], waits with [`Patience`] for a server that is away; the cache fails open.

mod document_state;
mod error;
mod patience;
mod progress;
mod registry;
mod runner;
mod stage;
mod task_note;

pub use document_state::{DocumentState, StageStatus};
pub use error::{PipelineError, StageError};
pub use patience::Patience;
pub use progress::{Event, Observer, Progress, Silent, StageFigures};
pub use registry::{BatchRecord, BatchRegistry};
pub use runner::{Done, Origin, Runner, RunnerOptions};
pub use stage::Stage;
pub use task_note::{TaskNote, TaskRow, TaskStatus};
