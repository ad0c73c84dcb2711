//! The legal-document stages: extract, chunk, entities, resolve, relate.

pub mod batch;
pub mod chunk;
pub mod entities;
mod error;
pub mod extract;
pub mod ingest;
pub mod model;
pub mod relate;
pub mod resolve;
pub mod stages;
mod static_regex;

pub use chunk::{ChunkOptions, chunk};
pub use entities::mentions;
pub use error::DocumentError;
pub use extract::{ExtractOptions, extract};
pub use ingest::{
    IngestError, IngestOptions, IngestReport, WarmDocuments, WarmedDocuments, ingest, warm,
};
pub use model::ExtractedText;
pub use relate::{RelateOptions, relate};
pub use resolve::{DocumentEntities, Resolution, resolve, resolve_across};

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
