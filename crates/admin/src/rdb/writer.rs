//! Writes a file key by key, and can resume an interrupted one.

use std::io::Write;

use super::crc64::Crc64;
use super::error::RdbResult;
use super::length::length as encode_length;
use super::types::*;

/// Size of the buffer before it is added to the checksum and written.
const GATHERED: usize = 256 * 1024;

/// The state of a file, for [`RdbWriter::resume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterState {
    /// Bytes written.
    pub offset: u64,
    /// Their checksum.
    pub checksum: u64,
}

impl WriterState {
    /// Restores a state that was stored elsewhere.
    #[must_use]
    pub fn new(offset: u64, checksum: u64) -> Self {
        Self { offset, checksum }
    }
}

/// Writes a file. Without [`RdbWriter::finish`] it has no end mark, and readers refuse it.
#[derive(Debug)]
pub struct RdbWriter<W> {
    inner: W,
    gathered: Vec<u8>,
    crc: Crc64,
    offset: u64,
    has_checksum: bool,
}

impl<W: Write> RdbWriter<W> {
    /// Begins a file of RDB `version`, which has to be the newest version of its payloads.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(inner: W, version: u16) -> RdbResult<Self> {
        let mut writer = Self::at(inner, WriterState { offset: 0, checksum: 0 });
        // Versions below 5 have no checksum at the end.
        writer.has_checksum = version >= 5;
        let head = if version >= FIRST_VALKEY {
            format!("VALKEY{version:03}")
        } else {
            format!("REDIS{version:04}")
        };
        writer.put(head.as_bytes())?;
        Ok(writer)
    }

    /// Resumes a file whose `state` came from [`RdbWriter::flush`].
    pub fn resume(inner: W, state: WriterState) -> Self {
        Self::at(inner, state)
    }

    fn at(inner: W, state: WriterState) -> Self {
        Self {
            inner,
            gathered: Vec::with_capacity(GATHERED),
            crc: Crc64::resume(state.checksum),
            offset: state.offset,
            has_checksum: true,
        }
    }

    /// Writes a metadata field.
    ///
    /// # Errors
    /// The writer's.
    pub fn aux(&mut self, name: &str, value: &str) -> RdbResult<()> {
        self.put(&[AUX])?;
        self.string(name.as_bytes())?;
        self.string(value.as_bytes())
    }

    /// The following keys belong to numbered database `index`.
    ///
    /// # Errors
    /// The writer's.
    pub fn select_db(&mut self, index: u64) -> RdbResult<()> {
        self.put(&[SELECT_DB])?;
        self.length(index)
    }

    /// Writes a key; `value` is encoded as in a file, or in a `DUMP` without its type and footer.
    ///
    /// # Errors
    /// The writer's.
    pub fn key(
        &mut self,
        name: &[u8],
        expires_at_ms: Option<u64>,
        value_type: u8,
        value: &[u8],
    ) -> RdbResult<()> {
        if let Some(at) = expires_at_ms {
            self.put(&[EXPIRE_MS])?;
            self.put(&at.to_le_bytes())?;
        }
        self.put(&[value_type])?;
        self.string(name)?;
        self.put(value)
    }

    /// Writes a function library.
    ///
    /// # Errors
    /// The writer's.
    pub fn function(&mut self, code: &[u8]) -> RdbResult<()> {
        self.put(&[FUNCTION])?;
        self.string(code)
    }

    /// Flushes everything; returns the state of the whole file so far.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> RdbResult<WriterState> {
        self.hand_on()?;
        self.inner.flush()?;
        Ok(WriterState { offset: self.offset, checksum: self.crc.value() })
    }

    /// Bytes written, including buffered ones.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + self.gathered.len() as u64
    }

    /// The underlying writer.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Ends the file with its checksum.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> RdbResult<W> {
        self.put(&[END])?;
        self.hand_on()?;
        if self.has_checksum {
            self.inner.write_all(&self.crc.value().to_le_bytes())?;
        }
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn put(&mut self, bytes: &[u8]) -> RdbResult<()> {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.hand_on()?;
        }
        if bytes.len() < GATHERED {
            self.gathered.extend_from_slice(bytes);
        } else {
            self.through(bytes)?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> RdbResult<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let done = self.through(&gathered);
        self.gathered = gathered;
        self.gathered.clear();
        done
    }

    fn through(&mut self, bytes: &[u8]) -> RdbResult<()> {
        self.inner.write_all(bytes)?;
        self.crc.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) -> RdbResult<()> {
        self.length(bytes.len() as u64)?;
        self.put(bytes)
    }

    fn length(&mut self, length: u64) -> RdbResult<()> {
        let mut bytes = Vec::with_capacity(9);
        encode_length(length, &mut bytes);
        self.put(&bytes)
    }
}
