//! The content of a document, in pieces: no more than one piece is in memory.

use compartment_pipeline::StageError;

/// The content of a document, which is handed out in pieces and checked at its end.
pub(crate) trait Content: Send {
    /// Begins again at the first byte.
    fn rewind(&mut self) -> Result<(), StageError>;

    /// Fills the begin of `piece` and returns the number of bytes; 0 at the end.
    fn next(&mut self, piece: &mut [u8]) -> Result<usize, StageError>;

    /// Called at the end: whether the content is the one that was named. Nobody reads a document before.
    fn check(&mut self) -> Result<(), StageError>;
}

/// Bytes read from a content at a time.
pub(super) const PIECE: usize = 64 * 1024;

/// The whole content, for a reader in this process or for a service.
pub(crate) fn all_of(content: &mut dyn Content) -> Result<Vec<u8>, StageError> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        match content.next(&mut piece)? {
            0 => break,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
    content.check()?;
    Ok(bytes)
}

/// Content in memory.
pub(super) struct Memory {
    bytes: Vec<u8>,
    at: usize,
}

impl Memory {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Content for Memory {
    fn rewind(&mut self) -> Result<(), StageError> {
        self.at = 0;
        Ok(())
    }

    fn next(&mut self, piece: &mut [u8]) -> Result<usize, StageError> {
        let left = &self.bytes[self.at..];
        let read = left.len().min(piece.len());
        piece[..read].copy_from_slice(&left[..read]);
        self.at += read;
        Ok(read)
    }

    fn check(&mut self) -> Result<(), StageError> {
        Ok(())
    }
}
