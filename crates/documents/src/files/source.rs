//! Reads a document's file in pieces after checking its size, and names it by its content.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use compartment_pipeline::StageError;
use sha2::{Digest, Sha256};

use super::discover::unreadable;
use crate::extract::ExtractOptions;
use crate::reader::Content;
use crate::stages::stage_error;

/// The content of a file, which is read in pieces. It is no larger than the options allow, and is the content that
/// was named.
pub(crate) struct FileContent {
    file: File,
    /// The hash by which the content was named.
    hash: String,
    options: ExtractOptions,
    read: u64,
    hasher: Sha256,
}

impl FileContent {
    /// Opens the file of a document. Blocks.
    pub(crate) fn open(
        path: &Path,
        hash: &str,
        options: &ExtractOptions,
    ) -> Result<Self, StageError> {
        check(path, Some(options))?;
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let (hash, options) = (hash.to_owned(), options.clone());
        Ok(Self { file, hash, options, read: 0, hasher: Sha256::new() })
    }
}

impl Content for FileContent {
    fn rewind(&mut self) -> Result<(), StageError> {
        self.file.rewind().map_err(|error| unreadable(&error))?;
        (self.read, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    fn next(&mut self, piece: &mut [u8]) -> Result<usize, StageError> {
        let read = loop {
            match self.file.read(piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| unreadable(&error))?,
            }
        };
        self.read += read as u64;
        if read > 0 {
            // The file may grow while it is read.
            self.options.check_size(self.read).map_err(|error| stage_error(&error))?;
        }
        self.hasher.update(&piece[..read]);
        Ok(read)
    }

    fn check(&mut self) -> Result<(), StageError> {
        if hex_of(std::mem::take(&mut self.hasher)) == self.hash {
            return Ok(());
        }
        let what =
            "its content has changed since it was named: submit it again, or run the command again";
        Err(StageError::new("changed", what))
    }
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
