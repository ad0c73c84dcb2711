//! Files as they are or compressed with zstd, told apart by their content.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::error::RdbResult;
use super::reader::RdbReader;

/// A reader of a file that may be compressed.
pub type FileReader = RdbReader<Box<dyn Read + Send>>;

impl FileReader {
    /// Opens a file, compressed with zstd or not, whatever its name says.
    ///
    /// # Errors
    /// As [`RdbReader::new`], or when the file cannot be read.
    pub fn open(path: &Path) -> RdbResult<Self> {
        Self::new(unpacked(File::open(path)?)?)
    }
}

/// Bytes of the format from bytes of a file, which its first ones say how to unpack.
pub(crate) fn unpacked(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head)?;
    let is_zstd = head == ZSTD;
    let whole = io::Cursor::new(head).chain(file);
    if is_zstd {
        return Ok(Box::new(zstd::Decoder::with_buffer(BufReader::new(whole))?));
    }
    Ok(Box::new(whole))
}
