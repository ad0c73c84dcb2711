//! The legal-document stages: extract, chunk, entities, resolve, relate.

pub mod batch;
pub mod chunk;
mod completion;
pub mod entities;
mod entry;
mod error;
pub mod extract;
pub mod extractors;
pub mod files;
pub mod ingest;
mod legal;
pub mod model;
pub mod ocr_service;
mod options;
mod process;
pub mod reader;
pub mod relate;
pub mod resolve;
mod result_cache;
pub mod results;
mod service_message;
mod set_summary;
pub mod stages;
mod static_regex;
mod versioned;
mod visible;
mod words_around;

pub use chunk::{ChunkOptions, chunk};
pub use entities::mentions;
pub use error::DocumentError;
pub use extract::{ExtractOptions, extract};
pub use ingest::{IngestError, IngestReport, WarmDocuments, WarmedDocuments, ingest, warm};
pub use model::ExtractedText;
pub use options::IngestOptions;
pub use reader::Reader;
pub use relate::{RelateOptions, relate};
pub use resolve::{DocumentEntities, Resolution, resolve, resolve_across};
pub use set_summary::{Foremost, SetSummary};

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
