//! The legal-document stages: extract, chunk, entities, resolve, relate.

pub mod chunk;
mod error;
pub mod extract;
pub mod model;

pub use chunk::{ChunkOptions, chunk};
pub use error::DocumentError;
pub use extract::{ExtractOptions, extract};
