//! How documents are worked on, in a run or by a worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compartment_pipeline::{EngineOptions, RunRecorder};

use crate::chunk::ChunkOptions;
use crate::extract::ExtractOptions;
use crate::relate::RelateOptions;

/// How a run goes about its documents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IngestOptions {
    /// The project that the documents belong to.
    pub project: String,
    /// Documents worked on at the same time; the number of CPUs unless told.
    pub concurrency: usize,
    /// Whether results are read from and written to the cache.
    pub cache: bool,
    /// How long a server that goes away is waited for.
    pub wait: Duration,
    /// Where to write one JSON file a document.
    pub out: Option<PathBuf>,
    /// Who keeps what became of each document, as the ledger does.
    pub recorder: Option<Arc<dyn RunRecorder>>,
    /// What reading a document may cost.
    pub extract: ExtractOptions,
    /// How large chunks are.
    pub chunk: ChunkOptions,
    /// What counts as being mentioned together.
    pub relate: RelateOptions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            project: "default".into(),
            concurrency: EngineOptions::default().concurrency,
            cache: true,
            wait: Duration::from_secs(60),
            out: None,
            recorder: None,
            extract: ExtractOptions::default(),
            chunk: ChunkOptions::default(),
            relate: RelateOptions::default(),
        }
    }
}
