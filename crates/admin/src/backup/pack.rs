//! The file being written, plain or compressed, with positions at which it can be resumed.

use std::fs::File;
use std::io::{self, Seek, Write};

/// Fast, and halves most data.
const LEVEL: i32 = 3;

/// The output for bytes of the format.
pub(super) enum Pack {
    /// Uncompressed.
    Plain(File),
    /// A sequence of zstd frames; each position for resuming begins a new one.
    Zstd(Option<zstd::Encoder<'static, File>>),
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Plain(_)) { "Plain" } else { "Zstd" })
    }
}

impl Pack {
    pub(super) fn new(file: File, zstd: bool) -> io::Result<Self> {
        Ok(if zstd { Self::Zstd(Some(encoder(file)?)) } else { Self::Plain(file) })
    }

    /// Synchronises everything to disk; returns the file's length, at which it can be resumed.
    pub(super) fn settle(&mut self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => settle(file),
            Self::Zstd(slot) => {
                let mut file = slot.take().ok_or_else(gone)?.finish()?;
                let length = settle(&mut file)?;
                *slot = Some(encoder(file)?);
                Ok(length)
            }
        }
    }

    /// Completes the output; returns the file, synchronised to disk.
    pub(super) fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Zstd(slot) => slot.ok_or_else(gone)?.finish()?,
        };
        file.sync_all()?;
        Ok(file)
    }

    fn writer(&mut self) -> io::Result<&mut dyn Write> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Zstd(slot) => Ok(slot.as_mut().ok_or_else(gone)?),
        }
    }
}

fn encoder(file: File) -> io::Result<zstd::Encoder<'static, File>> {
    zstd::Encoder::new(file, LEVEL)
}

fn settle(file: &mut File) -> io::Result<u64> {
    file.sync_data()?;
    file.stream_position()
}

fn gone() -> io::Error {
    io::Error::other("an earlier write has failed")
}

impl Write for Pack {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            // The compressor's buffer is kept, since flushing it makes the output larger.
            Self::Zstd(_) => Ok(()),
            Self::Plain(file) => file.flush(),
        }
    }
}
