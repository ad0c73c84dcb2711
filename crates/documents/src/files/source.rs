//! Reads a document's file in pieces after checking its size, and names it by its content.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use compartment_pipeline::StageError;
use sha2::{Digest, Sha256};

use super::opening::unreadable;
use super::roots::DocumentRoots;
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
        roots: &DocumentRoots,
        options: &ExtractOptions,
    ) -> Result<Self, StageError> {
        let file = open(path, roots, Some(options))?;
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

/// The hash of a file below the roots, if it is no larger than `options` allow. Blocks.
pub(crate) fn hash_of(
    path: &Path,
    roots: &DocumentRoots,
    options: Option<&ExtractOptions>,
) -> Result<String, StageError> {
    let mut file = open(path, roots, options)?;
    // The file may grow while it is read.
    let may_have = |read: u64| check_size(read, options);
    hash(&mut file, may_have, |error| unreadable(&error))
}

/// Opens a file below the roots, and checks its size before it is read, since it may be larger than memory.
fn open(
    path: &Path,
    roots: &DocumentRoots,
    options: Option<&ExtractOptions>,
) -> Result<File, StageError> {
    let file = roots.open(path)?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    check_size(metadata.len(), options)?;
    Ok(file)
}

fn check_size(bytes: u64, options: Option<&ExtractOptions>) -> Result<(), StageError> {
    let checked = options.map_or(Ok(()), |options| options.check_size(bytes));
    checked.map_err(|error| stage_error(&error))
}

/// Bytes hashed at a time.
const BLOCK: usize = 64 * 1024;

/// The id of the document in a file: equal for equal content. Blocks.
///
/// # Errors
/// The system's, when the file cannot be read.
pub fn document_id(path: &Path) -> std::io::Result<String> {
    hash(&mut File::open(path)?, |_| Ok(()), |error| error)
}

/// Hashes a file in pieces. `may_have` is asked with the bytes read so far.
fn hash<E>(
    file: &mut File,
    may_have: impl Fn(u64) -> Result<(), E>,
    failed: impl Fn(std::io::Error) -> E,
) -> Result<String, E> {
    let (mut hash, mut block, mut bytes) = (Sha256::new(), vec![0; BLOCK], 0);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hex_of(hash)),
            Ok(read) => {
                bytes += read as u64;
                may_have(bytes)?;
                hash.update(&block[..read]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The first half of the content's SHA-256, in hex: 128 bits distinguish all documents.
fn hex_of(hash: Sha256) -> String {
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
