//! A document's file: read whole, once it is known not to be too large, and named by its content.

use std::path::Path;

use compartment_pipeline::StageError;
use sha2::{Digest, Sha256};

use super::discover::{Found, unreadable};
use crate::extract::ExtractOptions;
use crate::stages::{SourceFile, stage_error};

/// The file's content and its hash. Blocks.
pub(crate) fn read_source(
    file: &Found,
    options: &ExtractOptions,
) -> Result<(String, SourceFile), StageError> {
    let metadata = std::fs::metadata(&file.path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(StageError::new("not_a_file", "it is a device or pipe, not a file"));
    }
    // Before a byte is read: a file may be larger than the memory.
    options.check_size(metadata.len()).map_err(|error| stage_error(&error))?;
    let bytes = std::fs::read(&file.path).map_err(|error| unreadable(&error))?;
    Ok((content_hash(&bytes), SourceFile { name: file.name.clone(), bytes }))
}

/// The id of the document in a file: the same for the same content.
///
/// # Errors
/// The system's, when the file cannot be read.
pub fn document_id(path: &Path) -> std::io::Result<String> {
    Ok(content_hash(&std::fs::read(path)?))
}

/// The first half of the content's SHA-256, in hex: 128 bits keep any two documents apart.
fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
