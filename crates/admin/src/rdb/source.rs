//! Reads bytes with an offset and a checksum, and keeps those of a value.

use std::io::{ErrorKind, Read};

use super::crc64::Crc64;
use super::error::{RdbError, RdbResult};
use super::lzf;

const BUFFER: usize = 128 * 1024;

/// A length, or the encoding of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Plain(u64),
    Encoded(u8),
}

/// A reader with its own buffer; the checksum covers only bytes that were taken.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// The part of the buffer that is in the checksum.
    summed: usize,
    crc: Crc64,
    /// Bytes before the buffer.
    before: u64,
    kept: Vec<u8>,
    keeping: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            at: 0,
            end: 0,
            summed: 0,
            crc: Crc64::new(),
            before: 0,
            kept: Vec::new(),
            keeping: false,
        }
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The checksum of all bytes taken so far.
    pub(super) fn sum(&mut self) -> u64 {
        self.crc.update(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
        self.crc.value()
    }

    /// Starts keeping the bytes that are taken.
    pub(super) fn keep(&mut self) {
        self.kept.clear();
        self.keeping = true;
    }

    /// The bytes taken since [`Source::keep`].
    pub(super) fn kept(&mut self) -> Vec<u8> {
        self.keeping = false;
        let kept = self.kept.as_slice().to_vec();
        // The memory of one giant value must not be held until the end of the file.
        if self.kept.capacity() > 4 * BUFFER {
            self.kept = Vec::new();
        }
        kept
    }

    fn fill(&mut self) -> RdbResult<()> {
        self.crc.update(&self.buffer[self.summed..self.at]);
        self.before += self.at as u64;
        (self.at, self.end, self.summed) = (0, 0, 0);
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(0) => return Err(RdbError::Truncated(self.before)),
                Ok(count) => {
                    self.end = count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Passes `count` bytes to `take`, in pieces as they arrive.
    fn pieces(&mut self, mut count: u64, mut take: impl FnMut(&[u8])) -> RdbResult<()> {
        while count > 0 {
            if self.at == self.end {
                self.fill()?;
            }
            let piece = (self.end - self.at).min(usize::try_from(count).unwrap_or(usize::MAX));
            let bytes = &self.buffer[self.at..self.at + piece];
            if self.keeping {
                self.kept.extend_from_slice(bytes);
            }
            take(bytes);
            self.at += piece;
            count -= piece as u64;
        }
        Ok(())
    }

    pub(super) fn byte(&mut self) -> RdbResult<u8> {
        if self.at == self.end {
            self.fill()?;
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        if self.keeping {
            self.kept.push(byte);
        }
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> RdbResult<[u8; N]> {
        let mut array = [0; N];
        let mut at = 0;
        self.pieces(N as u64, |bytes| {
            array[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        })?;
        Ok(array)
    }

    pub(super) fn skip(&mut self, count: u64) -> RdbResult<()> {
        self.pieces(count, |_| {})
    }

    /// Reads `count` bytes; memory is allocated as they arrive.
    pub(super) fn bytes(&mut self, count: u64) -> RdbResult<Vec<u8>> {
        let mut all = Vec::new();
        self.pieces(count, |bytes| all.extend_from_slice(bytes))?;
        Ok(all)
    }

    /// The number of remaining bytes, and the first of them, at most `kept`. They are not part of
    /// the checksum.
    pub(super) fn rest(&mut self, kept: usize) -> RdbResult<(u64, Vec<u8>)> {
        let start = self.offset();
        let mut first = Vec::new();
        loop {
            let room = kept.saturating_sub(first.len()).min(self.end - self.at);
            first.extend_from_slice(&self.buffer[self.at..self.at + room]);
            self.at = self.end;
            match self.fill() {
                Ok(()) => {}
                Err(RdbError::Truncated(end)) => return Ok((end - start, first)),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn length(&mut self) -> RdbResult<Length> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Plain(u64::from(first & 0x3f)),
            1 => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 => match first {
                0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
                0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
                _ => return Err(RdbError::Corrupt("a length has an unknown encoding")),
            },
            _ => Length::Encoded(first & 0x3f),
        })
    }

    /// A count; never the encoding of a string.
    pub(super) fn count(&mut self) -> RdbResult<u64> {
        match self.length()? {
            Length::Plain(count) => Ok(count),
            Length::Encoded(_) => {
                Err(RdbError::Corrupt("there is a string where a number must be"))
            }
        }
    }

    pub(super) fn string(&mut self) -> RdbResult<Vec<u8>> {
        match self.length()? {
            Length::Plain(length) => self.bytes(length),
            Length::Encoded(0) => Ok(number(i8::from_le_bytes(self.array()?).into())),
            Length::Encoded(1) => Ok(number(i16::from_le_bytes(self.array()?).into())),
            Length::Encoded(2) => Ok(number(i32::from_le_bytes(self.array()?).into())),
            Length::Encoded(3) => {
                let compressed = self.count()?;
                let length = self.count()?;
                let input = self.bytes(compressed)?;
                lzf::expand(&input, length)
            }
            Length::Encoded(_) => Err(RdbError::Corrupt("a string has an unknown encoding")),
        }
    }

    pub(super) fn skip_string(&mut self) -> RdbResult<()> {
        match self.length()? {
            Length::Plain(length) => self.skip(length),
            Length::Encoded(0) => self.skip(1),
            Length::Encoded(1) => self.skip(2),
            Length::Encoded(2) => self.skip(4),
            Length::Encoded(3) => {
                let compressed = self.count()?;
                let mut check = lzf::Check::new(compressed, self.count()?)?;
                let mut checked = Ok(());
                self.pieces(compressed, |bytes| {
                    if checked.is_ok() {
                        checked = check.take(bytes);
                    }
                })?;
                checked.and_then(|()| check.finish())
            }
            Length::Encoded(_) => Err(RdbError::Corrupt("a string has an unknown encoding")),
        }
    }
}

/// The text of a string that was encoded as a number.
pub(super) fn number(value: i64) -> Vec<u8> {
    value.to_string().into_bytes()
}
