//! Reads a document's file after checking its size, and names it by its content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use compartment_pipeline::StageError;
use sha2::{Digest, Sha256};

use super::discover::{Found, unreadable};
use crate::extract::ExtractOptions;
use crate::stages::{SourceFile, stage_error};

/// Reads the file's content and its hash. Blocks.
pub(crate) fn read_source(
    file: &Found,
    options: &ExtractOptions,
) -> Result<(String, SourceFile), StageError> {
    check(&file.path, Some(options))?;
    let bytes = std::fs::read(&file.path).map_err(|error| unreadable(&error))?;
    Ok((hex_of(Sha256::new_with_prefix(&bytes)), SourceFile { name: file.name.clone(), bytes }))
}

/// The hash of the file's content, if it is no larger than `options` allow. Blocks.
pub(crate) fn hash_of(path: &Path, options: Option<&ExtractOptions>) -> Result<String, StageError> {
    check(path, options)?;
    document_id(path).map_err(|error| unreadable(&error))
}

/// Checks type and size before reading, since the file may be larger than memory.
fn check(path: &Path, options: Option<&ExtractOptions>) -> Result<(), StageError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(StageError::new("not_a_file", "it is a device or pipe, not a file"));
    }
    let size = options.map_or(Ok(()), |options| options.check_size(metadata.len()));
    size.map_err(|error| stage_error(&error))
}

/// Bytes hashed at a time.
const BLOCK: usize = 64 * 1024;

/// The id of the document in a file: equal for equal content. Blocks.
///
/// # Errors
/// The system's, when the file cannot be read.
pub fn document_id(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut block) = (File::open(path)?, Sha256::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hex_of(hash)),
            Ok(read) => hash.update(&block[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first half of the content's SHA-256, in hex: 128 bits distinguish all documents.
fn hex_of(hash: Sha256) -> String {
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
