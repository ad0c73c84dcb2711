//! A file of names that may be duplicates, kept until the end of the scan.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of names that are checked together.
const TOGETHER: usize = 8 * 1024 * 1024;

/// A file of names, each preceded by its length.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    writer: Option<BufWriter<File>>,
    bytes: u64,
    /// Offset up to which names were returned.
    told: u64,
}

impl Held {
    /// Opens the file with the names in its first `bytes`; the rest is discarded.
    pub(super) fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut held = Self { path: path.to_owned(), writer: None, bytes, told: 0 };
        if bytes > 0 {
            held.writer()?;
        }
        Ok(held)
    }

    fn writer(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.writer.is_none() {
            let file = compartment_files::continue_or_create(&self.path)?;
            file.set_len(self.bytes)?;
            let mut writer = BufWriter::new(file);
            writer.seek(SeekFrom::End(0))?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn push(&mut self, name: &[u8]) -> io::Result<()> {
        let length = u32::try_from(name.len()).map_err(io::Error::other)?;
        let writer = self.writer()?;
        writer.write_all(&length.to_le_bytes())?;
        writer.write_all(name)?;
        self.bytes += 4 + name.len() as u64;
        Ok(())
    }

    /// Synchronises the names to disk; returns their length in bytes.
    pub(super) fn settle(&mut self) -> io::Result<u64> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
            writer.get_ref().sync_data()?;
        }
        Ok(self.bytes)
    }

    /// The next names without duplicates, empty after the last; and the number of duplicates.
    pub(super) fn next_names(&mut self) -> io::Result<(HashSet<Vec<u8>>, u64)> {
        let mut names = HashSet::new();
        let mut repeated = 0;
        if self.told == self.bytes {
            return Ok((names, repeated));
        }
        self.settle()?;
        let mut file = compartment_files::open_own(&self.path)?;
        file.seek(SeekFrom::Start(self.told))?;
        let mut reader = BufReader::new(file);
        let from = self.told;
        while self.told < self.bytes && (self.told - from) < TOGETHER as u64 {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            let length = u32::from_le_bytes(length);
            let mut name = Vec::new();
            reader.by_ref().take(length.into()).read_to_end(&mut name)?;
            if name.len() != length as usize {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.told += 4 + u64::from(length);
            repeated += u64::from(!names.insert(name));
        }
        Ok((names, repeated))
    }
}
