//! Parses bytes in memory.

use std::borrow::Cow;

use super::error::{RdbError, RdbResult};
use super::lzf;
use super::source::number;

const SHORT: RdbError = RdbError::Corrupt("a value is shorter than it says");

/// The bytes not yet taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a>(pub(super) &'a [u8]);

impl<'a> Scanner<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: u64) -> RdbResult<&'a [u8]> {
        let count = usize::try_from(count).map_err(|_| SHORT)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> RdbResult<u8> {
        let (&byte, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> RdbResult<[u8; N]> {
        let (&array, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(array)
    }

    pub(super) fn u64_le(&mut self) -> RdbResult<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count; never the encoding of a string.
    pub(super) fn count(&mut self) -> RdbResult<u64> {
        let first = self.byte()?;
        Ok(match first {
            0..=0x3f => u64::from(first),
            0x40..=0x7f => u64::from(first & 0x3f) << 8 | u64::from(self.byte()?),
            0x80 => u64::from(u32::from_be_bytes(self.array()?)),
            0x81 => u64::from_be_bytes(self.array()?),
            _ => return Err(RdbError::Corrupt("a length has an unknown encoding")),
        })
    }

    pub(super) fn string(&mut self) -> RdbResult<Cow<'a, [u8]>> {
        match self.0.first().copied().ok_or(SHORT)? {
            0..=0xbf => {
                let length = self.count()?;
                self.take(length).map(Cow::Borrowed)
            }
            encoding => {
                self.byte()?;
                self.encoded(encoding & 0x3f).map(Cow::Owned)
            }
        }
    }

    /// The claimed length of the next string, without taking it.
    pub(super) fn string_length(&self) -> Option<u64> {
        let mut ahead = *self;
        match self.0.first().copied()? {
            0..=0xbf => ahead.count().ok(),
            0xc3 => {
                ahead.byte().ok()?;
                ahead.count().ok()?;
                ahead.count().ok()
            }
            // A number with at most eleven digits and a sign.
            _ => Some(12),
        }
    }

    fn encoded(&mut self, encoding: u8) -> RdbResult<Vec<u8>> {
        Ok(match encoding {
            0 => number(i8::from_le_bytes(self.array()?).into()),
            1 => number(i16::from_le_bytes(self.array()?).into()),
            2 => number(i32::from_le_bytes(self.array()?).into()),
            3 => {
                let compressed = self.count()?;
                let length = self.count()?;
                lzf::expand(self.take(compressed)?, length)?
            }
            _ => return Err(RdbError::Corrupt("a string has an unknown encoding")),
        })
    }
}

/// An element of a packed list: bytes, or a number, which means its decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    Bytes(&'a [u8]),
    Number(i64),
}

impl Element<'_> {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Number(value) => number(value),
        }
    }

    /// The element as an integer.
    pub(super) fn integer(self) -> RdbResult<i64> {
        match self {
            Self::Number(value) => Ok(value),
            Self::Bytes(bytes) => std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or(RdbError::Corrupt("a number inside a value is not a number")),
        }
    }

    /// The element as a score.
    pub(super) fn score(self) -> RdbResult<f64> {
        match self {
            Self::Number(value) => Ok(value as f64),
            Self::Bytes(bytes) => score(bytes),
        }
    }
}

/// Parses a score from text.
pub(super) fn score(text: &[u8]) -> RdbResult<f64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or(RdbError::Corrupt("a score is not a number"))
}

/// Sign-extends a number of 24 bits.
pub(super) fn i24(bytes: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8)
}
