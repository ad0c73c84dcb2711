//! Writes a file, key after key, and can go on with one that was left.

use std::io::Write;

use super::crc64::Crc64;
use super::error::RdbResult;
use super::types::*;

/// Bytes gathered before they are summed up and handed on.
const GATHERED: usize = 256 * 1024;

/// Where a file has come to, for [`RdbWriter::resume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterState {
    /// Bytes written.
    pub offset: u64,
    /// Their checksum.
    pub checksum: u64,
}

impl WriterState {
    /// A state that was kept elsewhere in between.
    #[must_use]
    pub fn new(offset: u64, checksum: u64) -> Self {
        Self { offset, checksum }
    }
}

/// Writes a file. Without [`RdbWriter::finish`] it has no end, and no reader takes it for whole.
#[derive(Debug)]
pub struct RdbWriter<W> {
    inner: W,
    gathered: Vec<u8>,
    crc: Crc64,
    offset: u64,
    has_checksum: bool,
}

impl<W: Write> RdbWriter<W> {
    /// Begins a file of RDB `version`: the newest of the payloads that are going to be in it.
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

    /// Goes on with a file that had come to `state` by [`RdbWriter::flush`].
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

    /// Says something about the file.
    ///
    /// # Errors
    /// The writer's.
    pub fn aux(&mut self, name: &str, value: &str) -> RdbResult<()> {
        self.put(&[AUX])?;
        self.string(name.as_bytes())?;
        self.string(value.as_bytes())
    }

    /// The keys that follow are of numbered database `index`.
    ///
    /// # Errors
    /// The writer's.
    pub fn select_db(&mut self, index: u64) -> RdbResult<()> {
        self.put(&[SELECT_DB])?;
        self.length(index)
    }

    /// How many keys follow at the most, so that a server makes room at once.
    ///
    /// # Errors
    /// The writer's.
    pub fn resize_db(&mut self, keys: u64, expiring: u64) -> RdbResult<()> {
        self.put(&[RESIZE_DB])?;
        self.length(keys)?;
        self.length(expiring)
    }

    /// A key; `value` as it is in a file or in the middle of a `DUMP`.
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

    /// A library of functions.
    ///
    /// # Errors
    /// The writer's.
    pub fn function(&mut self, code: &[u8]) -> RdbResult<()> {
        self.put(&[FUNCTION])?;
        self.string(code)
    }

    /// Hands everything on; the state is that of the whole file so far.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> RdbResult<WriterState> {
        self.hand_on()?;
        self.inner.flush()?;
        Ok(WriterState { offset: self.offset, checksum: self.crc.value() })
    }

    /// Bytes written, those not handed on yet included.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + self.gathered.len() as u64
    }

    /// What is written to.
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
        match length {
            0..=0x3f => self.put(&[length as u8]),
            0x40..=0x3fff => self.put(&[0x40 | (length >> 8) as u8, length as u8]),
            _ => match u32::try_from(length) {
                Ok(length) => {
                    self.put(&[0x80])?;
                    self.put(&length.to_be_bytes())
                }
                Err(_) => {
                    self.put(&[0x81])?;
                    self.put(&length.to_be_bytes())
                }
            },
        }
    }
}
