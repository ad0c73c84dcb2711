//! Options for processing documents, in a run or by a worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compartment_pipeline::{EngineOptions, RunRecorder};

use crate::chunk::ChunkOptions;
use crate::extract::ExtractOptions;
use crate::extractors::Extractors;
use crate::files::{DocumentRoots, Links};
use crate::ocr_service::OcrService;
use crate::reader::Reader;
use crate::relate::RelateOptions;

/// Options for processing documents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IngestOptions {
    /// The project that the documents belong to.
    pub project: String,
    /// Documents processed concurrently; by default the number of CPUs.
    pub concurrency: usize,
    /// Whether results are read from and written to the cache.
    pub cache: bool,
    /// How long to wait for a server that does not answer.
    pub wait: Duration,
    /// From where workers and warming read documents. `ingest` reads only below the paths that it is given.
    pub roots: DocumentRoots,
    /// Which links `ingest` follows below the paths that it is given.
    pub links: Links,
    /// The folder for one JSON file per document.
    pub out: Option<PathBuf>,
    /// Records the outcome of each document, as the ledger does.
    pub recorder: Option<Arc<dyn RunRecorder>>,
    /// Limits of reading a document.
    pub extract: ExtractOptions,
    /// The service that reads pages without text; without one the OCR program of `extract` does.
    pub ocr_service: Option<OcrService>,
    /// The process in which documents are read, by default this one. Choose [`Reader::in_children`] for documents of
    /// others.
    pub reader: Reader,
    /// Size of chunks.
    pub chunk: ChunkOptions,
    /// Extractors of mentions beside the rules; by default there are none.
    pub extractors: Extractors,
    /// When entities count as mentioned together.
    pub relate: RelateOptions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            project: "default".into(),
            concurrency: EngineOptions::default().concurrency,
            cache: true,
            wait: Duration::from_secs(60),
            roots: DocumentRoots::default(),
            links: Links::default(),
            out: None,
            recorder: None,
            extract: ExtractOptions::default(),
            ocr_service: None,
            reader: Reader::in_process(),
            chunk: ChunkOptions::default(),
            extractors: Extractors::default(),
            relate: RelateOptions::default(),
        }
    }
}
