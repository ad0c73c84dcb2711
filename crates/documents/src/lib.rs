//! The legal-document stages: extract, chunk, entities, resolve, relate.

pub mod chunk;
pub mod entities;
mod error;
pub mod extract;
pub mod model;
mod static_regex;

pub use chunk::{ChunkOptions, chunk};
pub use error::DocumentError;
pub use model::ExtractedText;
pub use extract::{ExtractOptions, extract};
