//! Opens plain or zstd-compressed files, recognised by content; other formats are refused by name.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::error::{RdbError, RdbResult};
use super::reader::RdbReader;

/// A reader of a file that may be compressed.
pub type FileReader = RdbReader<Box<dyn Read + Send>>;

impl FileReader {
    /// Opens a file, compressed with zstd or not, whatever its name is. Bytes after the dump are an
    /// error.
    ///
    /// # Errors
    /// As [`RdbReader::new`], or when the file cannot be read, or can be read only once.
    pub fn open(path: &Path) -> RdbResult<Self> {
        is_file(path)?;
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        if let Some(other) = other_format(&head) {
            return Err(RdbError::OtherFormat(other));
        }
        if head.len() < VERSION_ENDS && (head.starts_with(b"REDIS") || head.starts_with(b"VALKEY"))
        {
            return Err(RdbError::Truncated(head.len() as u64));
        }
        let whole = unpacked(io::Cursor::new(head).chain(file))?;
        Ok(Self::new(whole)?.whole())
    }
}

/// Bytes read to recognise a format.
const HEAD: u64 = 512;
/// Bytes at the start of a dump: its name and its version.
const VERSION_ENDS: usize = 9;

/// Refuses input other than files, since it is read several times: first for its contents, then for
/// its keys.
fn is_file(path: &Path) -> RdbResult<()> {
    // `-` means standard input, as in `backup -o -`, unless a file has this name.
    if path == Path::new("-") && !path.exists() {
        return Err(RdbError::NoFile("standard input"));
    }
    // Checked before it is opened, because opening a pipe waits for its writer.
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(RdbError::OtherFormat("it is a folder; give the name of a file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Err(RdbError::NoFile("a pipe"));
        }
        if kind.is_socket() {
            return Err(RdbError::NoFile("a socket"));
        }
    }
    Err(RdbError::NoFile("a device"))
}

/// The format of a file with this head, if it is known and not a dump.
fn other_format(head: &[u8]) -> Option<&'static str> {
    const PACKED: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "it is compressed with gzip; unpack it first: gzip -dk FILE"),
        (b"\xfd7zXZ\0", "it is compressed with xz; unpack it first: xz -dk FILE"),
        (b"BZh", "it is compressed with bzip2; unpack it first: bzip2 -dk FILE"),
        (b"\x04\x22\x4d\x18", "it is compressed with lz4; unpack it first: lz4 -d FILE"),
        (b"\x5d\0\0", "it is compressed with lzma; unpack it first: xz -dk FILE"),
        (b"PK\x03\x04", "it is a zip archive; unpack it first: unzip FILE"),
        (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it first"),
        (b"file ", "it is the list of an append-only file's parts; let a server load them"),
        (b"SQLite format 3\0", "it is a SQLite database"),
    ];
    if head.is_empty() {
        return Some("it is empty");
    }
    if let Some((_, what)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(what);
    }
    match head {
        [b'*', b'1'..=b'9', ..] | [b'#', b'T', b'S', b':', ..] => Some(
            "it is an append-only file of commands; load it into a server, and back up that server",
        ),
        _ if head.get(257..262) == Some(b"ustar") => {
            Some("it is a tar archive; unpack it first: tar -xf FILE")
        }
        _ => None,
    }
}

/// Decompresses a file if its first bytes require it.
pub(crate) fn unpacked(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head)?;
    let is_zstd = match head.as_slice() {
        [0x28, 0xb5, 0x2f, 0xfd] => true,
        // A skippable frame before the data.
        [first, 0x2a, 0x4d, 0x18] => first & 0xf0 == 0x50,
        _ => false,
    };
    let whole = io::Cursor::new(head).chain(file);
    if is_zstd {
        return Ok(Box::new(zstd::Decoder::with_buffer(BufReader::new(whole))?));
    }
    Ok(Box::new(whole))
}
